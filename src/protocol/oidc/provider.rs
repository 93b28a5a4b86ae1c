//! What an OpenID provider says of itself (OpenID Connect Discovery, section 3), as far as we read it.

use serde::Deserialize;
use url::Url;

#[derive(Clone, Debug, Deserialize)]
pub struct ProviderMetadata {
    /// To be compared byte for byte with the one that was looked for (section 4.3).
    pub issuer: String,
    pub authorization_endpoint: Url,
    pub token_endpoint: Url,
    pub userinfo_endpoint: Option<Url>,
    pub jwks_uri: Url,
    /// OpenID Connect RP-Initiated Logout, section 2.1.
    /// Whatever it says there: nobody is kept from signing in by it.
    #[serde(default)]
    pub end_session_endpoint: serde_json::Value,
    /// RFC 9207, section 3.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// Where the provider of an issuer says so (section 4); nothing, if that would be no address.
pub fn address(issuer: &str) -> Option<Url> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    Url::parse(&format!("{base}/.well-known/openid-configuration")).ok()
}
