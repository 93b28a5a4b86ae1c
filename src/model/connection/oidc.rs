//! What is to be known of an upstream OpenID provider.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::foundation::text;
use crate::model::identity::Naming;
use crate::model::words;
use crate::protocol::jose::{Algorithm, Claims};
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

impl OidcSettings {
    /// By what people are named for good. Entra ID calls the same person something else for each application: `oid` names
    /// them within their tenant (Microsoft identity platform, "ID token claims reference"; S3-20).
    pub fn naming(&self) -> Naming {
        match self.preset {
            Preset::Entra => Naming::ObjectId,
            Preset::Generic | Preset::Okta | Preset::Google | Preset::Keycloak => Naming::Sub,
        }
    }

    /// What an ID token calls somebody for good.
    ///
    /// # Errors
    /// The claim that it lacks, or that is none.
    pub fn subject(&self, claims: &Claims) -> Result<String, &'static str> {
        let guid = |name| claims.string(name).ok().and_then(text::guid).ok_or(name);
        match self.naming() {
            Naming::ObjectId => Ok(format!("{}.{}", guid("oid")?, guid("tid")?)),
            _ => claims.sub().map(str::to_owned).map_err(|_| "sub"),
        }
    }
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
