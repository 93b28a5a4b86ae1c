//! Keys: sign, publish, rotate, seal at rest.

pub mod keyring;
pub mod proof;
pub mod seal;
