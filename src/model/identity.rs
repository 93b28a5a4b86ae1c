//! An identity: what one upstream calls the user. `(connection, issuer, subject)` is unique.

pub mod attributes;
mod id_token;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, IdentityId, UserId};
use crate::model::connection::{AttributeMapping, NameIdFormat, Upstream};
use crate::model::user::{Profile, Told, is_free_claim};
use crate::protocol::jose::Claims;
use crate::protocol::saml::assertion::{self, Attribute};
use attributes::Attributes;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub id: IdentityId,
    pub user_id: UserId,
    pub connection_id: ConnectionId,
    pub issuer: String,
    pub subject: String,
    /// By what they were called so at their last login.
    pub naming: Naming,
    pub last_login_at: Moment,
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sub => f.write_str("a sub"),
            Self::ObjectId => f.write_str("an oid and its tid"),
            Self::NameId { format, .. } => write!(f, "a NameID of the format {format}"),
            Self::Attribute(name) => write!(f, "the attribute {name}"),
            Self::AsAddress(kind) => kind.fmt(f),
        }
    }
}

/// What an identity's last login said beyond the profile, for the pins (S3-32) and the role rules (S1-P7) of organizations.
/// It is told to nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdentityFacts {
    /// The domain of the person's Google Workspace (`hd`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosted_domain: Option<String>,
    /// The person's Microsoft tenant (`tid`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The groups that the provider puts the person into.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What else it said, by claim.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Told>,
}

/// The claim that the groups are told by.
const GROUPS: &str = "groups";

/// What of its answer a provider named the person by. The same text of another kind may be somebody else (SAML Core,
/// section 8.3), and whoever may choose one of another kind could choose somebody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// `sub`, as OpenID Connect has it. Or it is not known yet.
    #[default]
    Sub,
    /// `oid` and `tid` of Entra ID, with a dot between them.
    ObjectId,
    /// The NameID of a format, and which one was asked for.
    NameId { asked: Option<NameIdFormat>, format: String },
    /// A SAML attribute.
    Attribute(String),
    /// A name of another kind, where an owner has said so of what was known as an address: in which case it is written is
    /// not known until somebody comes under it.
    AsAddress(Box<Naming>),
}

impl Naming {
    /// Whether who is called so now is who was called the same by what is known. Whoever asks for one format has chosen it
    /// for all people, in the place of what the provider sent until then.
    pub fn means_like(&self, known: &Self) -> bool {
        let known = known.kind();
        match self.kind() {
            _ if *known == Self::Sub => true,
            own @ (Self::Sub | Self::ObjectId | Self::Attribute(_) | Self::AsAddress(_)) => own == known,
            Self::NameId { asked, format } => {
                let is_asked = asked.is_some_and(|asked| asked != NameIdFormat::Unspecified);
                matches!(known, Self::NameId { format: known, .. } if is_asked || known == format)
            }
        }
    }

    /// Whether both are of one kind, whatever was asked for.
    pub fn is_kind_of(&self, other: &Self) -> bool {
        match (self.kind(), other.kind()) {
            (Self::NameId { format: own, .. }, Self::NameId { format, .. }) => own == format,
            (own, other) => own == other,
        }
    }

    /// The kind of names, however they are written.
    pub fn kind(&self) -> &Self {
        match self {
            Self::AsAddress(kind) => kind,
            kind => kind,
        }
    }

    /// How a name of this kind is kept that a provider has written so.
    pub fn kept(&self, written: &str) -> String {
        match self {
            Self::NameId { format, .. } => assertion::lasting(written, Some(format)),
            Self::AsAddress(_) => assertion::lasting(written, Some(NameIdFormat::EmailAddress.uri())),
            Self::ObjectId => written.to_ascii_lowercase(),
            Self::Sub | Self::Attribute(_) => written.to_owned(),
        }
    }

    /// What names become that were of this kind and are of another one from now on.
    pub fn turned_into(&self, other: &Self) -> Self {
        let is_address = |naming: &Self| match naming {
            Self::NameId { format, .. } => format == NameIdFormat::EmailAddress.uri(),
            Self::AsAddress(_) => true,
            Self::Sub | Self::ObjectId | Self::Attribute(_) => false,
        };
        match is_address(self) && !is_address(other) {
            true => Self::AsAddress(Box::new(other.clone())),
            false => other.clone(),
        }
    }
}

impl IdentityFacts {
    /// Of an ID token, with what could not be kept, in a line each; no line quotes a value.
    pub fn of_id_token(claims: &Claims) -> (Self, Vec<String>) {
        id_token::read(claims)
    }

    /// Of an assertion, by what the connection's mapping names.
    pub fn of_profile(profile: &Profile) -> Self {
        let (groups, claims) = (profile.groups.clone(), profile.claims.clone());
        Self { groups, claims, ..Self::default() }
    }

    /// What a sign-in would keep of this: it is read as it would be there. Of SAML, by the names that the mapping gives.
    pub fn rehearsed(upstream: &Upstream, said: &BTreeMap<String, Told>) -> Self {
        match upstream {
            Upstream::Oidc(_) => {
                let claims = serde_json::to_vec(said).ok().and_then(|bytes| Claims::parse(&bytes).ok());
                claims.map(|claims| Self::of_id_token(&claims).0).unwrap_or_default()
            }
            Upstream::Saml(saml) => {
                let attributes: Vec<_> = said.iter().map(|(name, told)| attribute(name, told)).collect();
                let (profile, _) = Attributes(&attributes).profile(&by_claim(&saml.attributes));
                Self::of_profile(&profile)
            }
        }
    }

    /// Whether a sign-in could ever keep a claim of this name.
    pub fn may_hold(upstream: &Upstream, claim: &str) -> bool {
        match upstream {
            Upstream::Oidc(_) => id_token::counts(claim),
            Upstream::Saml(_) => {
                claim == GROUPS || (is_free_claim(claim) && !id_token::PINS.contains(&claim))
            }
        }
    }

    /// The values of a claim, as a rule names it.
    pub fn values(&self, claim: &str) -> Vec<&str> {
        match claim {
            GROUPS => self.groups.iter().map(String::as_str).collect(),
            "hd" => self.hosted_domain.as_deref().into_iter().collect(),
            "tid" => self.tenant.as_deref().into_iter().collect(),
            claim => match self.claims.get(claim) {
                Some(Told::Text(text)) => vec![text],
                Some(Told::List(list)) => list.iter().map(String::as_str).collect(),
                None => Vec::new(),
            },
        }
    }
}

/// A mapping that says as much as another, of attributes that are called like the claims.
fn by_claim(mapping: &AttributeMapping) -> AttributeMapping {
    let names = |claims: &BTreeMap<String, Vec<String>>| {
        claims.keys().map(|claim| (claim.clone(), vec![claim.clone()])).collect()
    };
    AttributeMapping {
        groups: if mapping.groups.is_empty() { Vec::new() } else { vec![GROUPS.to_owned()] },
        claims: names(&mapping.claims),
        claim_lists: names(&mapping.claim_lists),
        ..AttributeMapping::default()
    }
}

fn attribute(claim: &str, told: &Told) -> Attribute {
    let values = match told {
        Told::Text(text) => vec![text.clone()],
        Told::List(list) => list.clone(),
    };
    Attribute { name: claim.to_owned(), name_format: None, friendly_name: None, values }
}
