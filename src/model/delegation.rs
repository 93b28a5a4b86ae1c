//! A delegation: a home organization lets its users act on behalf of a target organization.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::words;
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
    /// Who proposed it, and may change it. Absent: the operator's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<Side>,
    /// Who paused it: each side resumes for itself. A pause of the operator's is nobody's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paused_by: Vec<Side>,
    /// Until the other side approves it, who proposed it is told no more of that side than they said themselves. Kept
    /// beside.
    #[serde(skip)]
    pub asked: Option<Asked>,
}

/// To whom an organization proposed a delegation: there may be nobody of this name, and that is for nobody to learn by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub by: OrganizationId,
    pub side: Side,
    pub name: String,
}

impl Asked {
    /// As it is written.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let (by, side, name) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { by: by.parse().ok()?, side: Side::from_word(side)?, name: name.to_owned() })
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.by, self.side.word(), self.name)
    }
}

words! {
    /// One of the two organizations.
    Side { Home = "home", Target = "target" }
}

words! {
    /// What a delegation is at a moment.
    DelegationStatus {
        /// One side has not approved it, or not what it is now.
        Proposed = "proposed",
        /// Approved, and not begun.
        Scheduled = "scheduled",
        Active = "active",
        Paused = "paused",
        Expired = "expired",
        Revoked = "revoked",
    }
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

impl Delegation {
    /// On which side an organization is.
    pub fn side(&self, organization: OrganizationId) -> Option<Side> {
        match organization {
            one if one == self.home => Some(Side::Home),
            one if one == self.target => Some(Side::Target),
            _ => None,
        }
    }

    pub fn approved_at(&self, side: Side) -> Option<Moment> {
        match side {
            Side::Home => self.home_approved_at,
            Side::Target => self.target_approved_at,
        }
    }

    pub fn set_approved_at(&mut self, side: Side, at: Option<Moment>) {
        match side {
            Side::Home => self.home_approved_at = at,
            Side::Target => self.target_approved_at = at,
        }
    }

    pub fn status(&self, now: Moment) -> DelegationStatus {
        let is_approved = self.home_approved_at.is_some() && self.target_approved_at.is_some();
        match self {
            _ if self.revoked_at.is_some() => DelegationStatus::Revoked,
            _ if self.ends_at.is_some_and(|end| end <= now) => DelegationStatus::Expired,
            _ if !is_approved => DelegationStatus::Proposed,
            _ if self.paused_at.is_some() => DelegationStatus::Paused,
            _ if self.is_in_force(now) => DelegationStatus::Active,
            _ => DelegationStatus::Scheduled,
        }
    }
}

impl Side {
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Home => Self::Target,
            Self::Target => Self::Home,
        }
    }
}

impl DelegationSettings {
    /// Whether it lets this person act: somebody it names by their proved address, or everybody.
    pub fn means(&self, proved: Option<&Email>) -> bool {
        self.only.as_ref().is_none_or(|only| proved.is_some_and(|email| only.contains(email)))
    }
}
