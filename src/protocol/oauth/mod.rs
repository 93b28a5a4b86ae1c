//! OAuth 2.0 (RFC 6749) with its later corrections (RFC 7636, 8252, 8628, 8693, 8705, 8707, 9068, 9101, 9126, 9207, 9449,
//! 9700).

pub mod authorization;
pub mod claims_parameter;
pub mod client_authentication;
pub mod client_certificate;
pub mod confirmation;
pub mod device;
pub mod distinguished_name;
pub mod dpop;
pub mod error;
pub mod exchange;
pub mod organization;
pub mod origin;
pub mod params;
pub mod pkce;
pub mod redirect_uri;
pub mod request_object;
pub mod resource;
pub mod response_mode;
pub mod scope;
pub mod token;
