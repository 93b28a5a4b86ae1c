//! A project: one tenant of the broker, with an issuer, keys and settings of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::policy::Switches;
use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::ProjectId;
use crate::foundation::shared::Shared;

/// The project that lives at the root of the public URL; every other one lives at `/p/<slug>`.
pub const DEFAULT_SLUG: &str = "default";

#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    pub id: ProjectId,
    pub slug: String,
    pub display_name: String,
    pub settings: Shared<ProjectSettings>,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub disabled_at: Option<Moment>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectSettings {
    pub membership_mode: MembershipMode,
    pub brand: Brand,
    /// Functional roles (S0-25): a name, and the permissions that it lets an organization use at all.
    pub functional_roles: BTreeMap<String, Vec<String>>,
    /// The project's half of every organization's.
    #[serde(skip_serializing_if = "Switches::is_empty")]
    pub switches: Switches,
    pub organizations: Organizations,
    /// Whether people make organizations of their own (S1-R02).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub organizations_by_members: bool,
    /// Whether clients register themselves, with a token of the operator's (RFC 7591).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dynamic_registration: bool,
}

words! {
    /// Whether people act for organizations at all, where an application leaves it open (S1-W6).
    #[derive(Default)]
    Organizations { Off = "off", #[default] Optional = "optional", Required = "required" }
}

words! {
    /// How many organizations one user may belong to.
    #[derive(Default)]
    MembershipMode { #[default] Shared = "shared", Exclusive = "exclusive" }
}

/// How the pages of a project look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Brand {
    /// Absent: the project's display name.
    pub name: Option<String>,
    /// An https address of an image.
    pub logo_uri: Option<String>,
    /// `#rrggbb`.
    pub accent: Option<String>,
}

impl Project {
    /// A path of this project's, as seen from outside.
    pub fn path(&self, path: &str) -> String {
        if self.slug == DEFAULT_SLUG { path.to_owned() } else { format!("/p/{}{path}", self.slug) }
    }

    pub fn brand_name(&self) -> &str {
        self.settings.brand.name.as_deref().unwrap_or(&self.display_name)
    }
}
