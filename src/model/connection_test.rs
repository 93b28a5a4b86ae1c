//! A sign-in on trial (S1-P6): somebody goes to an identity provider and back by one version of a connection, live or
//! not, and what comes of it is written down. It is nothing else: nobody is signed in by it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId, TestId, UserId};
use crate::model::identity::IdentityFacts;

#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionTest {
    pub id: TestId,
    pub project_id: ProjectId,
    pub organization_id: Option<OrganizationId>,
    pub connection_id: ConnectionId,
    pub version: i64,
    /// Who made the link: an id, or the kind of who has none.
    pub created_by: String,
    pub created_at: Moment,
    /// Until when the link opens anything.
    pub expires_at: Moment,
    pub began_at: Option<Moment>,
    pub result: Option<TestResult>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct TestResult {
    pub ended_at: Moment,
    pub outcome: TestOutcome,
    /// Why it failed, in the words of the audit trail.
    pub reason: Option<String>,
    /// What would have been taken, and what came; where that is known.
    pub expected: Option<String>,
    pub found: Option<String>,
    /// What the provider calls the person.
    pub subject: Option<String>,
    /// As a sign-in would have it.
    pub email: Option<Email>,
    /// Whom a sign-in would find.
    pub user: Option<UserId>,
    pub tester: Tester,
    pub domain_rule: Option<DomainRule>,
    /// What the provider said, as far as it is shown.
    pub claims: Claims,
    pub left_out: LeftOut,
    /// What a sign-in would have kept of it, for role rules (S1-P7).
    pub facts: IdentityFacts,
}

/// By name; of what has more values, each.
pub type Claims = BTreeMap<String, Vec<String>>;

/// How much of what the provider said is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeftOut {
    /// Claims of which not even the name is.
    pub claims: u64,
    /// Values, by claim.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, u64>,
    /// Characters of the values that are, by claim.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub characters: BTreeMap<String, u64>,
}

words! {
    TestOutcome { Succeeded = "succeeded", Failed = "failed" }
}

words! {
    /// Who tried it. What works for an administrator alone, who may be set up by hand at the provider, works for nobody.
    Tester {
        Administrator = "administrator",
        /// Somebody who administers nothing here.
        Colleague = "colleague",
        /// It did not come to be known who.
        Unknown = "unknown",
    }
}

words! {
    /// Whether the connection may assert the address (invariant 2). Whether the domain is routed there by now is no
    /// matter: that is switched on after the trial.
    DomainRule {
        /// Its domain is verified, by this organization.
        Verified = "verified",
        /// It is not, or by another one.
        NotVerified = "not_verified",
        /// No organization holds the domain, and the connection is no organization's.
        Unclaimed = "unclaimed",
        /// There was no address.
        NoAddress = "no_address",
    }
}

impl Tester {
    /// Nothing where nobody knows.
    pub fn administers(self) -> Option<bool> {
        match self {
            Self::Administrator => Some(true),
            Self::Colleague => Some(false),
            Self::Unknown => None,
        }
    }
}

impl DomainRule {
    pub fn lets_in(self) -> bool {
        matches!(self, Self::Verified | Self::Unclaimed)
    }
}

words! {
    /// How it goes with one.
    TestState { Open = "open", Expired = "expired", Succeeded = "succeeded", Failed = "failed" }
}

impl ConnectionTest {
    pub fn state(&self, now: Moment) -> TestState {
        match &self.result {
            Some(result) => match result.outcome {
                TestOutcome::Succeeded => TestState::Succeeded,
                TestOutcome::Failed => TestState::Failed,
            },
            None if now < self.expires_at => TestState::Open,
            None => TestState::Expired,
        }
    }
}
