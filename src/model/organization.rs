//! An organization: a customer company. It owns domains, connections, roles, members, policy and audit.

use serde::{Deserialize, Serialize};

use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{DelegationId, OrganizationId, ProjectId};

#[derive(Clone, Debug, PartialEq)]
pub struct Organization {
    pub id: OrganizationId,
    pub project_id: ProjectId,
    /// Unique in the project and renamable; a retired one is never given to another organization.
    pub slug: String,
    pub display_name: String,
    pub description: Option<String>,
    pub logo_uri: Option<String>,
    /// The outer boundary of what anybody may do in it (S0-25, S0-26). Absent: no boundary; empty: nothing.
    pub functional_roles: Option<Vec<String>>,
    pub policy: Policy,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub deactivated_at: Option<Moment>,
    pub deleted_at: Option<Moment>,
}

impl Organization {
    pub fn is_active(&self) -> bool {
        self.deactivated_at.is_none() && self.deleted_at.is_none()
    }
}

/// How an organization lets people sign in to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    pub enforcement: Enforcement,
    /// No token without a second factor, ours or one that the identity provider vouched for.
    pub require_mfa: bool,
    /// Longest time since the person proved who they are, in seconds.
    pub max_age: Option<u64>,
    pub delegations: DelegationAcceptance,
}

words! {
    /// Whether members must come through the organization's own connection.
    #[derive(Default)]
    Enforcement { #[default] Off = "off", Required = "required" }
}

/// Which delegations an organization accepts, of those that it has approved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DelegationAcceptance {
    #[default]
    Approved,
    None,
    Only(Vec<DelegationId>),
}

impl DelegationAcceptance {
    pub fn accepts(&self, delegation: DelegationId) -> bool {
        match self {
            Self::Approved => true,
            Self::None => false,
            Self::Only(list) => list.contains(&delegation),
        }
    }
}

/// A slug: 1 to 63 of `a-z 0-9 -`, beginning and ending with a letter or digit. It never looks like an id.
pub fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(inner)
        && bytes[0] != b'-'
        && bytes[bytes.len() - 1] != b'-'
        && text.parse::<OrganizationId>().is_err()
}
