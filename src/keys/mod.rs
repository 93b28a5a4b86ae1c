//! Keys: sign, publish, rotate, seal at rest.

pub mod connection_secret;
pub mod keyring;
pub mod proof;
pub mod seal;
