//! A connection: an upstream identity provider, as one organization (or the project itself) has set it up.

use serde::{Deserialize, Serialize};
use url::Url;

use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId};
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;

#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    pub id: ConnectionId,
    pub project_id: ProjectId,
    /// Absent: the project's own, not domain-based; it proves no email address.
    pub organization_id: Option<OrganizationId>,
    pub slug: String,
    pub display_name: String,
    pub state: ConnectionState,
    /// Counts the changes: a login that began under another version does not complete (threats H04).
    pub version: i64,
    pub settings: OidcSettings,
    /// Client secret or private key, sealed.
    pub secret: Option<Vec<u8>>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

words! {
    ConnectionState { Draft = "draft", Testing = "testing", Active = "active", Disabled = "disabled" }
}

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
    pub jit: Jit,
    /// Organizations that a new user joins besides the connection's own (S2-36).
    pub assign_organizations: Vec<OrganizationId>,
    /// Roles that a new user gets in them.
    pub default_roles: Vec<String>,
    /// Seconds of clock difference that are forgiven, at most 120.
    pub leeway: u64,
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

words! {
    /// What happens at the first login of somebody unknown.
    Jit {
        /// A user is created and joins (S2-36).
        CreateAndJoin = "create_and_join",
        /// Only somebody who is expected as a member comes in.
        ExpectedOnly = "expected_only",
    }
}

impl Preset {
    /// Whether the provider says when the person proved who they are, as it must where `max_age` is asked for
    /// (OpenID Connect Core, section 2). Google never does, Entra ID only where its administrator has added it.
    pub fn tells_auth_time(self) -> bool {
        !matches!(self, Self::Google | Self::Entra)
    }
}

impl Connection {
    pub fn is_active(&self) -> bool {
        self.state == ConnectionState::Active
    }
}
