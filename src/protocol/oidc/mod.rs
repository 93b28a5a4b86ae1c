//! OpenID Connect: what it adds to OAuth.

pub mod discovery;
pub mod logout;
pub mod provider;
