//! A delegation: a home organization lets its users act on behalf of a target organization.

use serde::{Deserialize, Serialize};

use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{DelegationId, OrganizationId, ProjectId};

#[derive(Clone, Debug, PartialEq)]
pub struct Delegation {
    pub id: DelegationId,
    pub project_id: ProjectId,
    pub home: OrganizationId,
    pub target: OrganizationId,
    pub settings: DelegationSettings,
    pub starts_at: Option<Moment>,
    pub ends_at: Option<Moment>,
    pub home_approved_at: Option<Moment>,
    pub target_approved_at: Option<Moment>,
    pub paused_at: Option<Moment>,
    pub revoked_at: Option<Moment>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DelegationSettings {
    /// The roles that a delegate has in the target organization; nothing above them.
    pub roles: Vec<String>,
    /// Whether the home's identity provider must vouch for a second factor.
    pub require_mfa: bool,
    /// The people whom it lets act, by their proved address. Absent: every active member of the home.
    pub only: Option<Vec<Email>>,
}

impl Delegation {
    /// Approved by both sides, not paused or revoked, and within its window.
    pub fn is_in_force(&self, now: Moment) -> bool {
        self.home_approved_at.is_some()
            && self.target_approved_at.is_some()
            && self.paused_at.is_none()
            && self.revoked_at.is_none()
            && self.starts_at.is_none_or(|start| start <= now)
            && self.ends_at.is_none_or(|end| now < end)
    }
}

impl DelegationSettings {
    /// Whether it lets this person act: somebody it names by their proved address, or everybody.
    pub fn means(&self, proved: Option<&Email>) -> bool {
        self.only.as_ref().is_none_or(|only| proved.is_some_and(|email| only.contains(email)))
    }
}
