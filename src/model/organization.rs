//! An organization: a customer company. It owns domains, connections, roles, members, policy and audit.

use std::time::Duration;

use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, ProjectId};
pub use crate::model::policy::{DelegationAcceptance, Enforcement, Policy};

#[derive(Clone, Debug, PartialEq)]
pub struct Organization {
    pub id: OrganizationId,
    pub project_id: ProjectId,
    /// Unique in the project and renamable; a retired one is never given to another organization.
    pub slug: String,
    pub display_name: String,
    /// What it is: a company, a school … (S3-01). Free text that nothing depends on.
    pub kind: Option<String>,
    pub description: Option<String>,
    pub logo_uri: Option<String>,
    /// The outer boundary of what anybody may do in it (S0-25, S0-26). Absent: no boundary; empty: nothing.
    pub functional_roles: Option<Vec<String>>,
    pub policy: Policy,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub deactivated_at: Option<Moment>,
    pub deleted_at: Option<Moment>,
    /// When what is left of a deleted one is forgotten; absent once that is done.
    pub purge_at: Option<Moment>,
    /// One more with every deactivation and deletion. What was issued carries the epoch of its issue, and is dead in
    /// any other (threats H03): a number and not a moment, so that no node's clock matters.
    pub epoch: i64,
}

words! {
    Status { Active = "active", Deactivated = "deactivated", Deleted = "deleted" }
}

impl Organization {
    pub fn status(&self) -> Status {
        match (self.deleted_at, self.deactivated_at) {
            (Some(_), _) => Status::Deleted,
            (None, Some(_)) => Status::Deactivated,
            (None, None) => Status::Active,
        }
    }
    pub fn is_active(&self) -> bool {
        self.deactivated_at.is_none() && self.deleted_at.is_none()
    }

    /// Nobody acts for it from now on (S0-30), and what was issued until now never comes back.
    #[must_use]
    pub fn deactivated(self, now: Moment) -> Self {
        match self.deactivated_at {
            Some(_) => self,
            None => Self { deactivated_at: Some(now), updated_at: now, epoch: self.epoch + 1, ..self },
        }
    }

    /// Whoever signs in from now on may act for it again.
    #[must_use]
    pub fn reactivated(self, now: Moment) -> Self {
        match self.deactivated_at {
            Some(_) => Self { deactivated_at: None, updated_at: now, ..self },
            None => self,
        }
    }

    /// As if it did not exist (S1-R05), until it is restored or its grace period is over.
    #[must_use]
    pub fn deleted(self, now: Moment, grace: Duration) -> Self {
        let purge_at = Some(now.plus(grace));
        Self { deleted_at: Some(now), purge_at, updated_at: now, epoch: self.epoch + 1, ..self }
    }

    #[must_use]
    pub fn restored(self, now: Moment) -> Self {
        Self { deleted_at: None, purge_at: None, updated_at: now, ..self }
    }
}

/// A slug made of a name: its ASCII letters and digits, in lower case, with a hyphen in the place of all else; `None`
/// where nothing is left.
pub fn slug_of(name: &str) -> Option<String> {
    let mut slug = String::new();
    for character in name.to_lowercase().chars() {
        if slug.len() >= 48 {
            break;
        }
        match character {
            'a'..='z' | '0'..='9' => slug.push(character),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_end_matches('-').to_owned();
    is_slug(&slug).then_some(slug)
}

/// What the administration API itself calls something below `/organizations`.
const RESERVED: [&str; 1] = ["switch"];

/// A slug: 1 to 63 of `a-z 0-9 -`, beginning and ending with a letter or digit. It never looks like an id.
pub fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(inner)
        && bytes[0] != b'-'
        && bytes[bytes.len() - 1] != b'-'
        && !RESERVED.contains(&text)
        && text.parse::<OrganizationId>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_slug_or_nothing() {
        assert_eq!(slug_of("My Corporation, Inc.").as_deref(), Some("my-corporation-inc"));
        assert_eq!(slug_of("  Müller & Söhne ").as_deref(), Some("m-ller-s-hne"));
        assert_eq!(slug_of("株式会社"), None);
        assert!(slug_of(&"a".repeat(500)).is_some_and(|slug| is_slug(&slug)));
        assert_eq!(slug_of(&OrganizationId::from_u128(0).uuid()), None, "it would look like an id");
    }
}
