//! The only way out.

pub mod dns;
pub mod http;
