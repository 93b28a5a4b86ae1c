//! What a house file says, once every value in it has been read: names are still names, and become ids when the
//! file meets the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::fault::{Place, Placed, Places};
use crate::foundation::domain_name::DomainName;
use crate::foundation::email::Email;
use crate::foundation::id::OrganizationId;
use crate::foundation::secret::{Digest, Secret};
use crate::manage::delegations::Stated;
use crate::manage::role_rules::Wanted;
use crate::manage::{organizations, policy, roles};
use crate::model::application::{
    ApplicationKind, AuthorizationSettings, ClientSettings, ExchangeSettings, GrantType, Lifetimes,
    OrganizationPrompt, OrganizationUsage, SenderSettings, SignOutSettings,
};
use crate::model::claim_shape::ClaimShape;
use crate::model::connection::{
    AttributeMapping, ConnectionState, Endpoints, IdentityProvider, IdpInitiated, Jit, OwnCertificates,
    Preset, RequestSettings, SamlPreset, Subject, Wants,
};
use crate::model::membership::MembershipKind;
use crate::model::policy::Switch;
use crate::model::project::{Brand, MembershipMode, Organizations};
use crate::model::role;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::redirect_uri::RedirectUri;

pub type Name = Placed<String>;

/// A key of `[project]` that is absent leaves the project as it is.
#[derive(Clone, Debug)]
pub struct ProjectPart {
    pub slug: Name,
    pub display_name: Option<String>,
    pub membership_mode: Option<Placed<MembershipMode>>,
    pub brand: Option<Brand>,
    pub organizations: Option<Placed<Organizations>>,
    pub organizations_by_members: Option<bool>,
    pub dynamic_registration: Option<bool>,
    pub switches: Vec<(Switch, bool)>,
    /// Added to those that the project has.
    pub functional_roles: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
pub struct OrganizationPart {
    pub slug: Name,
    pub id: Option<Placed<OrganizationId>>,
    pub former_slug: Option<Name>,
    pub wanted: organizations::Wanted,
    pub places: Places,
    pub policy: PolicyPart,
    pub members: Vec<MemberPart>,
}

#[derive(Clone, Debug)]
pub struct PolicyPart {
    /// All of it but [`Self::delegations`], which are still names.
    pub wanted: policy::Wanted,
    pub delegations: Option<AcceptancePart>,
    /// Whether its own connection is enforced whatever is missing.
    pub force: bool,
    pub places: Places,
}

#[derive(Clone, Debug)]
pub enum AcceptancePart {
    Approved,
    None,
    /// Those of the named home organizations.
    Only(Vec<Name>),
}

#[derive(Clone, Debug)]
pub struct MemberPart {
    pub email: Placed<Email>,
    pub roles: Vec<Name>,
    pub kind: MembershipKind,
    pub places: Places,
}

impl MemberPart {
    pub fn owns(&self) -> bool {
        self.roles.iter().any(|role| role.value == role::OWNER)
    }
}

#[derive(Clone, Debug)]
pub struct RolePart {
    pub name: Name,
    pub organization: Option<Name>,
    pub wanted: roles::Wanted,
}

#[derive(Clone, Debug)]
pub struct DomainPart {
    pub name: Placed<DomainName>,
    pub organization: Name,
    pub connections: Vec<Name>,
    pub use_for_routing: bool,
    pub trust_email: bool,
    pub auto_join: bool,
}

#[derive(Clone, Debug)]
pub struct ConnectionPart {
    pub slug: Name,
    pub organization: Option<Name>,
    pub display_name: String,
    pub state: ConnectionState,
    pub upstream: UpstreamPart,
    pub jit: Jit,
    pub assign_organizations: Vec<Name>,
    pub default_roles: Vec<Name>,
    pub leeway: u64,
    pub silent_sign_in: bool,
    pub places: Places,
}

#[derive(Clone, Debug)]
pub enum UpstreamPart {
    Oidc(Box<OidcPart>),
    Saml(Box<SamlPart>),
}

impl UpstreamPart {
    /// As it is written in the file.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Oidc(_) => "oidc",
            Self::Saml(_) => "saml",
        }
    }
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Oidc(oidc) => oidc.secret.as_ref(),
            Self::Saml(saml) => saml.secret.as_ref(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct OidcPart {
    pub preset: Preset,
    pub issuer: Name,
    pub endpoints: Option<Placed<Endpoints>>,
    pub client_id: String,
    pub authentication: Method,
    /// A client secret or a private key.
    pub secret: Option<Secret>,
    pub scopes: Vec<String>,
    pub algorithms: Vec<Algorithm>,
    pub email_claim: String,
    pub required_claims: Vec<(String, String)>,
    pub forward_login_hint: bool,
    pub domain_hint_parameter: Option<String>,
    pub always_userinfo: bool,
    pub single_logout: bool,
}

#[derive(Clone, Debug)]
pub struct SamlPart {
    pub preset: SamlPreset,
    pub described: DescribedBy,
    pub request: RequestSettings,
    pub wants: Wants,
    pub subject: Subject,
    pub attributes: AttributeMapping,
    pub required_attributes: BTreeMap<String, Vec<String>>,
    pub idp_initiated: IdpInitiated,
    pub default_application: Option<Name>,
    pub honours_session_end: bool,
    pub single_logout: bool,
    pub own: OwnCertificates,
    /// Keys that were brought.
    pub secret: Option<Secret>,
}

/// Who the identity provider is. What metadata says is read when the file meets the database.
#[derive(Clone, Debug)]
pub enum DescribedBy {
    Typed(IdentityProvider),
    Document { document: Placed<Arc<Vec<u8>>>, entity_id: Option<String>, signer: Option<String> },
    Address { url: Placed<Url>, entity_id: Option<String>, signer: Option<String> },
}

#[derive(Clone, Debug)]
pub struct ApplicationPart {
    pub client_id: Name,
    /// Whose it is; absent: the project's.
    pub organization: Option<Name>,
    pub display_name: String,
    pub enabled: bool,
    pub kind: ApplicationKind,
    pub authentication: Method,
    pub secrets: Vec<Digest>,
    pub jwks: Option<serde_json::Value>,
    pub sender: SenderSettings,
    pub redirect_uris: Vec<RedirectUri>,
    pub initiate_login_uri: Option<RedirectUri>,
    pub sign_out: SignOutSettings,
    pub client: ClientSettings,
    pub requests: AuthorizationSettings,
    pub scopes: Vec<String>,
    pub grant_types: Vec<GrantType>,
    pub lifetimes: Lifetimes,
    pub algorithm: Algorithm,
    pub audiences: Vec<String>,
    pub organization_prompt: OrganizationPrompt,
    pub organization_usage: OrganizationUsage,
    pub domain_based: bool,
    pub connections: Vec<Name>,
    /// Absent: open to all.
    pub organizations: Option<Vec<Name>>,
    pub claims: ClaimShape,
    pub places: Places,
    pub exchange: ExchangeSettings,
}

#[derive(Clone, Debug)]
pub struct DelegationPart {
    pub home: Name,
    pub target: Name,
    pub stated: Stated,
    pub places: Places,
}

/// What a provider says, and the role that it gives.
#[derive(Clone, Debug)]
pub struct RoleRulePart {
    pub organization: Name,
    pub connection: Name,
    pub wanted: Wanted,
    pub at: Place,
}
