//! Bytes <-> types, by the letter of the specifications. Pure.

pub mod jose;
pub mod oauth;
pub mod oidc;
pub mod problem;
pub mod saml;
