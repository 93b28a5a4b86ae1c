//! A domain: an email domain that an organization claims, and proves by DNS.

use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::domain_name::DomainName;
use crate::foundation::id::{DomainId, OrganizationId, ProjectId};

#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    pub id: DomainId,
    pub project_id: ProjectId,
    pub organization_id: OrganizationId,
    pub name: DomainName,
    pub state: DomainState,
    /// What the TXT record must say: see [`Domain::txt_value`].
    pub challenge: String,
    /// Three separate switches; verification alone turns none on.
    pub routing_since: Option<Moment>,
    pub trust_since: Option<Moment>,
    pub auto_join_since: Option<Moment>,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub verified_at: Option<Moment>,
    pub lapsed_at: Option<Moment>,
    pub checked_at: Option<Moment>,
    pub next_check_at: Moment,
    /// Authoritative answers in a row without the record.
    pub misses: i64,
}

words! {
    /// Pending confers nothing; at most one organization holds a domain verified.
    DomainState { Pending = "pending", Verified = "verified", Lapsed = "lapsed", Removed = "removed" }
}

impl Domain {
    /// Where the proof is published.
    pub fn txt_name(&self) -> String {
        format!("_behalf-challenge.{}", self.name)
    }
    /// What is published there.
    pub fn txt_value(&self) -> String {
        format!("behalf-verify={}", self.challenge)
    }
}
