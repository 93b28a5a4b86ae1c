//! An application: a downstream that sends us people and gets tokens.

use serde::{Deserialize, Serialize};

use super::project::Project;
use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, ConnectionId, ProjectId};
use crate::protocol::jose::{Algorithm, JwkSet, JwkSetError};
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::redirect_uri::{RedirectUri, WebAddress};
use crate::protocol::oauth::scope;

/// What an application may ask for unless it is told otherwise: not for the full list of organizations (threats M12).
pub const USUAL_SCOPES: [&str; 4] = [scope::OPENID, scope::PROFILE, scope::EMAIL, scope::ORGANIZATION];

#[derive(Clone, Debug)]
pub struct Application {
    pub id: ApplicationId,
    pub project_id: ProjectId,
    pub client_id: String,
    pub display_name: String,
    pub settings: ApplicationSettings,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub disabled_at: Option<Moment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationSettings {
    pub kind: ApplicationKind,
    pub authentication: Method,
    /// The public keys of a client that signs its assertions.
    pub jwks: Option<serde_json::Value>,
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a login begins that somebody else wants (OpenID Connect Core, section 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<RedirectUri>,
    /// What it is told when people sign out, and where they come back to it.
    #[serde(default)]
    pub sign_out: SignOutSettings,
    pub scopes: Vec<String>,
    /// Signs ID and access tokens.
    pub algorithm: Algorithm,
    /// `aud` of access tokens, besides the issuer.
    pub audiences: Vec<String>,
    pub organization_prompt: OrganizationPrompt,
    pub organization_usage: OrganizationUsage,
    /// Whether people are routed by their email domain.
    pub domain_based: bool,
    /// Connections that are offered by name.
    pub connections: Vec<ConnectionId>,
    /// Only the listed organizations may use it; otherwise all of the project.
    pub organizations_limited: bool,
    pub claims: ClaimShape,
}

/// How an application takes part when people sign out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignOutSettings {
    /// Where people may come back to after it (OpenID Connect RP-Initiated Logout, section 3.1).
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told by us (OpenID Connect Back-Channel Logout, section 2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<WebAddress>,
    /// Whether it wants to know which session; it is told that anyway.
    pub backchannel_logout_session_required: bool,
    /// What the browser opens in a frame (OpenID Connect Front-Channel Logout, section 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<WebAddress>,
    /// Whether it wants to know which session; it is told that anyway.
    pub frontchannel_logout_session_required: bool,
}

impl SignOutSettings {
    /// Whether it is told of a sign-out in any way.
    pub fn is_told(&self) -> bool {
        self.backchannel_logout_uri.is_some() || self.frontchannel_logout_uri.is_some()
    }

    /// Byte for byte a registered one: here a loopback address counts with its port, too.
    pub fn leads_back_to(&self, requested: &str) -> bool {
        self.post_logout_redirect_uris.iter().any(|uri| uri.as_str() == requested)
    }
}

words! {
    ApplicationKind { Web = "web", Spa = "spa", Native = "native" }
}

words! {
    /// When the person says for which organization they act.
    OrganizationPrompt { After = "after", None = "none" }
}

words! {
    /// Whether tokens name an organization.
    OrganizationUsage {
        Deny = "deny",
        Allow = "allow",
        Require = "require",
    }
}

/// How organizations show in this application's tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimShape {
    pub organizations: OrganizationsShape,
    pub org_name: OrgName,
    pub org_display_name: bool,
    pub org_slug: bool,
    /// Puts the person's own claims (email, name) into the ID token, besides UserInfo.
    pub user_in_id_token: bool,
    /// Emits the connection as `idp`.
    pub idp: bool,
}

impl Default for ClaimShape {
    fn default() -> Self {
        Self {
            organizations: OrganizationsShape::Objects,
            org_name: OrgName::Slug,
            org_display_name: false,
            org_slug: false,
            user_in_id_token: true,
            idp: false,
        }
    }
}

words! {
    /// The shape of the full list.
    OrganizationsShape {
        /// `organizations: [{id, name, display_name, roles}]`
        Objects = "objects",
        /// `organizations: [name, …]`
        Names = "names",
        /// `organizations: [id, …]`
        Ids = "ids",
        /// `organization: {name: {id, …}}`
        MapByName = "map_by_name",
        /// `organizations: {id: {name, …}}`
        MapById = "map_by_id",
    }
}

words! {
    OrgName { Slug = "slug", DisplayName = "display_name" }
}

impl Application {
    /// The house itself, where nobody else sends somebody: who is invited to no application.
    pub const HOUSE: ApplicationId = ApplicationId::from_u128(0);

    /// The same as an application: by whatever way of signing in there is. It is in no table, and is given no code.
    pub fn of_house(project: &Project, connections: Vec<ConnectionId>) -> Self {
        let settings = ApplicationSettings {
            kind: ApplicationKind::Web,
            authentication: Method::None,
            jwks: None,
            redirect_uris: Vec::new(),
            initiate_login_uri: None,
            sign_out: SignOutSettings::default(),
            scopes: Vec::new(),
            algorithm: Algorithm::RS256,
            audiences: Vec::new(),
            organization_prompt: OrganizationPrompt::None,
            organization_usage: OrganizationUsage::Allow,
            domain_based: true,
            connections,
            organizations_limited: false,
            claims: ClaimShape::default(),
        };
        Self {
            id: Self::HOUSE,
            project_id: project.id,
            client_id: String::new(),
            display_name: project.brand_name().to_owned(),
            settings,
            created_at: project.created_at,
            updated_at: project.updated_at,
            disabled_at: None,
        }
    }
}

impl ApplicationSettings {
    pub fn is_public(&self) -> bool {
        self.authentication == Method::None
    }
    /// Whether somebody who came through this connection may use the application at all.
    pub fn accepts_connection(&self, connection: ConnectionId, of_an_organization: bool) -> bool {
        self.connections.contains(&connection) || (self.domain_based && of_an_organization)
    }
}

/// Why a text is not the public keys of a client.
#[derive(Debug, thiserror::Error)]
pub enum PublicKeysError {
    #[error(transparent)]
    Unreadable(#[from] JwkSetError),
    #[error("the key set holds a private key: give us the public ones only")]
    Private,
    #[error("the key set holds no key that can verify a signature")]
    Unusable,
}

/// A JWK Set of public keys that can verify (RFC 7517, section 5).
pub fn public_key_set(text: &[u8]) -> Result<serde_json::Value, PublicKeysError> {
    let usable = JwkSet::parse(text)?;
    let value: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    let private = |key: &serde_json::Value| key.get("d").is_some() || key.get("k").is_some();
    let keys = value.get("keys").and_then(serde_json::Value::as_array);
    if keys.is_some_and(|keys| keys.iter().any(private)) {
        return Err(PublicKeysError::Private);
    }
    if usable.keys().is_empty() { Err(PublicKeysError::Unusable) } else { Ok(value) }
}
