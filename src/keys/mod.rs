//! Sign, publish, rotate, seal at rest.

pub mod seal;
