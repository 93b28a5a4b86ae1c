//! Whole stories: somebody comes from an application, and gets in or does not.

mod account;
mod account_in_a_browser;
mod apache;
mod consent;
mod demo;
mod devices;
mod domain_hint;
mod first_login;
mod in_a_browser;
mod invitations;
mod kinds;
mod languages;
mod named_beforehand;
mod registration;
mod saml;
mod saml_counterparts;
mod saml_in_a_browser;
mod saml_logout;
mod saml_nameless;
mod saml_session_end;
mod saml_sign_outs_answered;
mod saml_silent;
mod sign_out;
mod sign_out_in_a_browser;
mod spa_in_a_browser;
mod switching;
