//! OAuth 2.0 (RFC 6749) with its later corrections (RFC 7636, 8252, 9068, 9207, 9700).

pub mod authorization;
pub mod client_authentication;
pub mod device;
pub mod error;
pub mod exchange;
pub mod organization;
pub mod params;
pub mod pkce;
pub mod redirect_uri;
pub mod scope;
pub mod token;
