//! What the pages of somebody's own account need to know.

use serde::Serialize;

use super::page::{Href, ImagePath};
use crate::foundation::id::OrganizationId;

/// What each of them has.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccountFrame {
    pub email: String,
    pub csrf: String,
    /// Where the three pages are, and where one signs out.
    pub organizations: String,
    pub sessions: String,
    pub applications: String,
    pub sign_out: String,
    /// What has just been done: `switched`, `left`, `session` or `application`.
    pub done: Option<&'static str>,
    /// The first part of a list, for who is further on, and the next one.
    pub first: Option<Href>,
    pub next: Option<Href>,
}

/// The organizations that the person belongs to or may act for. Each posts `csrf`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccountPage {
    pub frame: AccountFrame,
    pub organizations: Vec<OwnOrganization>,
}

#[derive(Clone, Debug, Serialize)]
pub struct OwnOrganization {
    pub name: String,
    pub logo: Option<ImagePath>,
    /// `home`, `member`, `guest` or `delegate`.
    pub kind: &'static str,
    /// For a delegation, the name of the home organization that sends the person.
    pub delegated_by: Option<String>,
    /// Whether it is what they have switched to.
    pub current: bool,
    /// Where "Act for it" posts; none for the current one.
    pub switch: Option<String>,
    /// The page that asks whether to leave it; none for what they do not belong to.
    pub leave: Option<Href>,
}

/// The browsers in which the person is signed in. Each posts `csrf`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SessionsPage {
    pub frame: AccountFrame,
    pub sessions: Vec<OwnSession>,
}

#[derive(Clone, Debug, Serialize)]
pub struct OwnSession {
    /// Whether it is the one in which the page is looked at.
    pub here: bool,
    pub through: String,
    /// The words of a browser and of a system, if they are known.
    pub browser: Option<&'static str>,
    pub system: Option<&'static str>,
    /// `2026-06-08 09:00 UTC`
    pub since: String,
    pub seen: String,
    /// Where "End" posts.
    pub end: String,
}

/// The applications that hold something of the person. Each posts `csrf` and `organization`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ApplicationsPage {
    pub frame: AccountFrame,
    pub applications: Vec<OwnApplication>,
    pub consents: Vec<OwnConsent>,
}

/// For whom it is that an application holds something of somebody, or may; `posted` is what its form says as `organization`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HeldFor {
    Named {
        posted: String,
        name: String,
    },
    /// For an organization that they may not act for now: it is not named.
    Unnamed {
        posted: String,
    },
    /// For no organization.
    Nobody {
        posted: &'static str,
    },
}

impl HeldFor {
    /// What a form says where it is for no organization.
    pub const NOBODY: &'static str = "none";

    pub fn of(organization: Option<OrganizationId>, name: Option<String>) -> Self {
        match (organization.map(|id| id.to_string()), name) {
            (Some(posted), Some(name)) => Self::Named { posted, name },
            (Some(posted), None) => Self::Unnamed { posted },
            (None, _) => Self::Nobody { posted: Self::NOBODY },
        }
    }
}

/// What somebody has allowed an application of others for one organization, or for none. Posts `organization`.
#[derive(Clone, Debug, Serialize)]
pub struct OwnConsent {
    pub name: String,
    pub held_for: HeldFor,
    /// What each page said.
    pub told: Vec<OwnTold>,
    /// `2026-06-08 09:00 UTC`
    pub since: String,
    pub withdraw: String,
}

/// What is told in one place.
#[derive(Clone, Debug, Serialize)]
pub struct OwnTold {
    /// The host, or the scheme of a program; none: a device.
    pub leads_to: Option<String>,
    /// Where else its tokens are good, as a text.
    pub audiences: String,
    /// Where it may act for them by what other applications show it, likewise.
    pub acts_at: String,
    pub scopes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct OwnApplication {
    pub name: String,
    pub held_for: HeldFor,
    /// `2026-06-08 09:00 UTC`
    pub since: String,
    pub offline: bool,
    pub end: String,
}

/// Asks whether to leave an organization. Posts `csrf`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LeavePage {
    pub frame: AccountFrame,
    pub organization: String,
    pub action: String,
}
