//! An identity: what one upstream calls the user. `(connection, issuer, subject)` is unique.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, IdentityId, UserId};
use crate::model::connection::NameIdFormat;
use crate::model::user::Told;

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
            Self::NameId { format, .. } => write!(f, "a NameID of the format {format}"),
            Self::Attribute(name) => write!(f, "the attribute {name}"),
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

/// What of its answer a provider named the person by. The same text of another kind may be somebody else (SAML Core,
/// section 8.3), and whoever may choose one of another kind could choose somebody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// `sub`: OpenID Connect has no other. Or it is not known yet.
    #[default]
    Sub,
    /// The NameID of a format, and which one was asked for.
    NameId { asked: Option<NameIdFormat>, format: String },
    /// A SAML attribute.
    Attribute(String),
}

impl Naming {
    /// Whether who is called so now is who was called the same by what is known. Whoever asks for one format has chosen it
    /// for all people, in the place of what the provider sent until then.
    pub fn means_like(&self, known: &Self) -> bool {
        match self {
            _ if *known == Self::Sub => true,
            Self::Sub | Self::Attribute(_) => self == known,
            Self::NameId { asked, format } => {
                let is_asked = asked.is_some_and(|asked| asked != NameIdFormat::Unspecified);
                matches!(known, Self::NameId { format: known, .. } if is_asked || known == format)
            }
        }
    }

    /// Whether both are of one kind, whatever was asked for.
    pub fn is_kind_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::NameId { format: own, .. }, Self::NameId { format, .. }) => own == format,
            (own, other) => own == other,
        }
    }
}

impl IdentityFacts {
    /// The values of a claim, as a rule names it.
    pub fn values(&self, claim: &str) -> Vec<&str> {
        match claim {
            "groups" => self.groups.iter().map(String::as_str).collect(),
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
