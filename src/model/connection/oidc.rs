//! What is to be known of an upstream OpenID provider.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::words;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;

/// An upstream OpenID provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    pub preset: Preset,
    /// Compared with `iss` byte for byte.
    pub issuer: String,
    /// Absent: taken from the issuer's discovery document.
    pub endpoints: Option<Endpoints>,
    pub client_id: String,
    pub authentication: Method,
    pub scopes: Vec<String>,
    /// Signatures that are accepted on ID tokens.
    pub algorithms: Vec<Algorithm>,
    /// The claim that holds the email address.
    pub email_claim: String,
    pub forward_login_hint: bool,
    /// The name under which the domain is forwarded (`domain_hint`, `hd`), if it is.
    pub domain_hint_parameter: Option<String>,
    /// A claim that must have this value, such as `hd` or `tid`.
    pub required_claims: Vec<(String, String)>,
    /// Asks the UserInfo endpoint too. Otherwise only when the ID token lacks the address.
    pub always_userinfo: bool,
    /// Leads people who sign out here on to the provider's own sign-out, if it has one (OpenID Connect RP-Initiated
    /// Logout). What the provider says of sessions that ended there counts anyway.
    #[serde(default)]
    pub single_logout: bool,
}

/// Typed endpoints, for a provider without discovery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    pub authorization: Url,
    pub token: Url,
    pub userinfo: Option<Url>,
    pub jwks: Url,
}

words! {
    /// Providers whose quirks are known (S1-P0).
    Preset { Generic = "generic", Okta = "okta", Entra = "entra", Google = "google", Keycloak = "keycloak" }
}
