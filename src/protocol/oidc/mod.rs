//! OpenID Connect: what it adds to OAuth.

pub mod discovery;
pub mod id_token;
pub mod logout;
pub mod provider;
