//! An identity: what one upstream calls the user. `(connection, issuer, subject)` is unique.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, IdentityId, UserId};
use crate::model::user::Told;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub id: IdentityId,
    pub user_id: UserId,
    pub connection_id: ConnectionId,
    pub issuer: String,
    pub subject: String,
    /// As [`SubjectKind::text`] has it; absent: there is but one kind, or it is not known yet.
    pub subject_kind: Option<String>,
    pub last_login_at: Moment,
}

/// What kind of name a subject is, where a provider has several: a name means somebody only within its kind (SAML Core,
/// section 8.3), and who may choose one of another kind could choose somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// Of this format; and whether the connection asks for just that.
    NameId { format: String, is_asked: bool },
    /// The value of this attribute.
    Attribute(String),
}

const NAME_ID: &str = "name_id:";
const ATTRIBUTE: &str = "attribute:";

impl SubjectKind {
    pub fn text(&self) -> String {
        match self {
            Self::NameId { format, .. } => format!("{NAME_ID}{format}"),
            Self::Attribute(name) => format!("{ATTRIBUTE}{name}"),
        }
    }

    /// Whether such a name is one of the kind that is known. Whoever asks for one format has chosen it for all people, in
    /// the place of what the provider sent until then.
    fn fits(&self, known: &str) -> bool {
        match self {
            Self::NameId { is_asked: true, .. } => known.starts_with(NAME_ID),
            _ => self.text() == known,
        }
    }
}

impl Identity {
    /// Whether a name of this kind means this person.
    pub fn is_meant_by(&self, kind: Option<&SubjectKind>) -> bool {
        match (&self.subject_kind, kind) {
            (Some(known), Some(kind)) => kind.fits(known),
            (Some(_), None) => false,
            (None, _) => true,
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
