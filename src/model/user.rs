//! A user: a person as known to the project.

use std::collections::BTreeMap;

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
    /// The groups that the provider puts the person into. They are told to nobody: a connection's mapping may tell the
    /// same attribute under a name of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What else the connection's administrator wants told, by claim.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Told>,
}

impl Profile {
    /// What people call them.
    pub fn shown_name(&self) -> Option<String> {
        let parts = [self.given_name.as_deref(), self.family_name.as_deref()];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        self.name.clone().or_else(|| (!parts.is_empty()).then(|| parts.join(" ")))
    }
}

/// A claim's value. Its mapping decides which of the two it is, and not how many values somebody happens to have:
/// applications rely on one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Told {
    Text(String),
    List(Vec<String>),
}

/// Claims with a meaning of their own in tokens: what a provider says is never told under their names.
const OURS: [&str; 35] = [
    "_claim_names",
    "_claim_sources",
    "acr",
    "act",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "c_hash",
    "client_id",
    "cnf",
    "delegation_id",
    "email",
    "email_verified",
    "events",
    "exp",
    "family_name",
    "given_name",
    "grant_id",
    "groups",
    "iat",
    "idp",
    "iss",
    "jti",
    "locale",
    "may_act",
    "name",
    "nbf",
    "nonce",
    "s_hash",
    "scope",
    "sub",
    "tenant",
    "tid",
];
const OUR_BEGINNINGS: [&str; 7] = ["org", "home_org", "role", "permission", "session", "sid", "updated_at"];

/// The most claims that a connection may map.
pub const MOST_CLAIMS: usize = 32;

/// Why a provider's attribute is not told under some name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoClaim {
    #[error("1 to 64 visible characters name a claim")]
    Form,
    #[error("it has a meaning of its own in tokens; choose another name")]
    Ours,
}

/// Whether a provider's attribute may be told under this name.
pub fn check_claim(name: &str) -> Result<(), NoClaim> {
    let plain =
        !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    if !plain {
        return Err(NoClaim::Form);
    }
    let is_ours = OURS.contains(&name) || OUR_BEGINNINGS.iter().any(|ours| name.starts_with(ours));
    if is_ours { Err(NoClaim::Ours) } else { Ok(()) }
}

pub fn is_free_claim(name: &str) -> bool {
    check_claim(name).is_ok()
}

/// The proved address within one claim of its domain: when another organization comes to hold the domain, the
/// old address stands in nobody's way, and nothing of its owner passes on (threats C16).
pub fn email_claim(domain: DomainId, email: &Email) -> String {
    format!("{domain} {email}")
}

/// Where somebody is written to: the address that their domain's own connection has said last of them, whatever it says
/// without proof since, and whether or not applications may rely on it. It is no proof of who they are.
pub fn written_to(email_claim: Option<&str>, proved: Option<Email>) -> Option<Email> {
    let claimed = email_claim.and_then(|claim| claim.split_once(' '));
    claimed.and_then(|(_, email)| Email::parse(email).ok()).or(proved)
}
