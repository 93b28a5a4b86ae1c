//! Keys: sign, publish, rotate, seal at rest.

pub mod brought;
pub mod connection_secret;
pub mod keyring;
pub mod mail_secret;
pub mod nonces;
pub mod pairwise;
pub mod proof;
pub mod refresh_tokens;
pub mod saml_keyring;
pub mod seal;
pub mod user_codes;
