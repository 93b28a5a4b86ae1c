//! Sealing at rest.

pub mod seal;
