//! Whole stories: somebody comes from an application, and gets in or does not.

mod demo;
mod devices;
mod first_login;
mod in_a_browser;
mod invitations;
mod saml;
mod saml_counterparts;
mod saml_in_a_browser;
mod saml_logout;
mod saml_silent;
mod sign_out;
mod sign_out_in_a_browser;
