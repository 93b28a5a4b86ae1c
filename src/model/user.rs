//! A user: a person as known to the project.

use serde::{Deserialize, Serialize};

use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{DomainId, ProjectId, UserId};

/// Found at login only by identity, never by email.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub id: UserId,
    pub project_id: ProjectId,
    pub email: Option<Email>,
    pub email_verified_at: Option<Moment>,
    pub profile: Profile,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub disabled_at: Option<Moment>,
}

impl User {
    /// The address, if it is proved.
    pub fn proved_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.email_verified_at.is_some())
    }
}

/// What the identity provider says of the person, as of the last login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

/// The proved address within one claim of its domain: when another organization comes to hold the domain, the
/// old address stands in nobody's way, and nothing of its owner passes on (threats C16).
pub fn email_claim(domain: DomainId, email: &Email) -> String {
    format!("{domain} {email}")
}
