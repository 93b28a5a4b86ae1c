//! OAuth 2.0 (RFC 6749) with its later corrections (RFC 7636, 8252, 8707, 9068, 9101, 9126, 9207, 9700).

pub mod authorization;
pub mod claims_parameter;
pub mod client_authentication;
pub mod error;
pub mod organization;
pub mod params;
pub mod pkce;
pub mod redirect_uri;
pub mod request_object;
pub mod resource;
pub mod response_mode;
pub mod scope;
pub mod token;
