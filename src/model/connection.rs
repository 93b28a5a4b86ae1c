//! A connection: an upstream identity provider, as one organization (or the project itself) has set it up.

mod ending;
pub mod metadata;
mod oidc;
pub mod presets;
mod reading;
mod saml;
pub mod shown;
mod trust;
mod undone;
mod version;

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::identity::Naming;
use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId};
use crate::foundation::shared::Shared;

pub use ending::{Ending, Notice};
pub use oidc::{Endpoints, OidcSettings, Preset};
pub use saml::{
    AttributeMapping, Comparison, IdentityProvider, IdpInitiated, LoginHint, Metadata, MetadataSource,
    NameIdFormat, OFFERED, OwnCertificates, Past, RENEW, RequestBinding, RequestSettings,
    RequestedAuthnContext, SOON, SamlPreset, SamlSettings, SamlSignature, ServiceEndpoint, ServiceEndpoints,
    SpAddresses, Subject, Unusable, UsableIdp, WantedSignature, Wants, Withdrawn, Worry, begins, fingerprint,
    key_name, keys_of, one_each, youngest,
};
pub use trust::Return;
pub use undone::Undone;
pub use version::{Lifecycle, Unready, Version, VersionState, WATCHED, primary};

#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    pub id: ConnectionId,
    pub project_id: ProjectId,
    /// Absent: the project's own, not domain-based; it proves no email address.
    pub organization_id: Option<OrganizationId>,
    pub slug: String,
    pub display_name: String,
    pub state: ConnectionState,
    /// Counts the changes: a login that began under another version does not complete (threats H04). Certificates
    /// that an identity provider itself rolls over in its metadata are no such change: an answer is always verified
    /// by those that are there when it arrives.
    pub version: i64,
    pub settings: Shared<Settings>,
    /// What proves to the provider who we are, sealed: client secret or private key; of SAML, keys that were brought.
    pub secret: Option<Vec<u8>>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

words! {
    ConnectionState { Draft = "draft", Testing = "testing", Active = "active", Disabled = "disabled" }
}

/// What every connection has, whatever its provider speaks; and the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub upstream: Upstream,
    pub jit: Jit,
    /// Organizations that a new user joins besides the connection's own (S2-36).
    pub assign_organizations: Vec<OrganizationId>,
    /// Roles that a new user gets in them.
    pub default_roles: Vec<String>,
    /// Seconds of clock difference that are forgiven, at most 120.
    pub leeway: u64,
    /// Whether an application's `prompt=none` is passed on where nobody is signed in here: the provider may say who is
    /// there, and asks nobody.
    #[serde(default)]
    pub silent_sign_in: bool,
}

/// What the provider speaks, and what is to be known for that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upstream {
    Oidc(Box<OidcSettings>),
    Saml(Box<SamlSettings>),
}

impl Upstream {
    /// As it is written in a file.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Oidc(_) => "oidc",
            Self::Saml(_) => "saml",
        }
    }

    /// How the provider calls itself, by which people of it are told apart from those of others; empty: that is not said
    /// yet.
    pub fn issuer(&self) -> &str {
        match self {
            Self::Oidc(oidc) => &oidc.issuer,
            Self::Saml(saml) => saml.idp.entity_id.as_deref().unwrap_or_default(),
        }
    }

    /// Whether a sign-out here is told there.
    pub fn offers_single_logout(&self) -> bool {
        match self {
            Self::Oidc(oidc) => oidc.single_logout,
            Self::Saml(saml) => saml.single_logout,
        }
    }

    /// Whether its people go on being called what they were called by this. Where another format is asked for, or none any
    /// more, nobody knows that but of who came under it.
    pub fn names_by(&self, naming: &Naming) -> bool {
        match (self, naming.kind()) {
            (Self::Oidc(oidc), kind @ (Naming::Sub | Naming::ObjectId)) => *kind == oidc.naming(),
            (Self::Saml(saml), Naming::Attribute(name)) => saml.subject == Subject::Attribute(name.clone()),
            (Self::Saml(saml), Naming::NameId { asked, format }) => {
                let wanted = saml.request.name_id_format;
                let is_format = |one: NameIdFormat| one != NameIdFormat::Unspecified && one.uri() == format;
                saml.subject == Subject::NameId && (wanted == *asked || wanted.is_some_and(is_format))
            }
            _ => false,
        }
    }
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

impl Connection {
    pub fn is_active(&self) -> bool {
        self.state == ConnectionState::Active
    }

    /// This connection, if its provider speaks OpenID Connect.
    pub fn oidc(&self) -> Option<OidcConnection<'_>> {
        match &self.settings.upstream {
            Upstream::Oidc(oidc) => Some(OidcConnection { connection: self, oidc }),
            Upstream::Saml(_) => None,
        }
    }

    /// This connection, if its provider speaks SAML.
    pub fn saml(&self) -> Option<SamlConnection<'_>> {
        match &self.settings.upstream {
            Upstream::Saml(saml) => Some(SamlConnection { connection: self, saml }),
            Upstream::Oidc(_) => None,
        }
    }
}

/// A connection whose provider speaks OpenID Connect.
#[derive(Clone, Copy, Debug)]
pub struct OidcConnection<'c> {
    pub connection: &'c Connection,
    pub oidc: &'c OidcSettings,
}

impl Deref for OidcConnection<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// A connection whose provider speaks SAML.
#[derive(Clone, Copy, Debug)]
pub struct SamlConnection<'c> {
    pub connection: &'c Connection,
    pub saml: &'c SamlSettings,
}

impl Deref for SamlConnection<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.connection
    }
}
