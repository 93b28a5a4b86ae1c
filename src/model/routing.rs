//! Where a login is sent, and why: each rule that was tried, in its order (demands 4.4).

use super::login::Resolved;
use super::words;
use crate::foundation::id::{ConnectionId, OrganizationId};

/// What an application said of who is to sign in, and where.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question<'a> {
    /// By id or slug.
    pub connection: Option<&'a str>,
    /// By id, UUID or slug.
    pub organization: Option<&'a str>,
    /// An email address, or the id of a user, which says who is meant and not where they sign in.
    pub login_hint: Option<&'a str>,
    pub domain_hint: Option<&'a str>,
}

words! {
    /// In the order in which they count (model.md, tension 7).
    Rule {
        Connection = "connection",
        Organization = "organization",
        LoginHint = "login_hint",
        DomainHint = "domain_hint",
        OnlyConnection = "only_connection",
    }
}

words! {
    /// Why a rule led somewhere, or not.
    Why {
        /// The request does not say.
        NotAsked = "not_asked",
        ConnectionAllowed = "connection_allowed",
        /// Unknown, not active, or not for this application: the login ends.
        ConnectionNotAllowed = "connection_not_allowed",
        /// Neither an email address nor the id of a user, or no domain.
        Unreadable = "unreadable",
        /// The application does not route by domains.
        NotDomainBased = "not_domain_based",
        DomainRouted = "domain_routed",
        /// Nobody has proved the domain and routes it to an active connection by a method that is on.
        DomainNotRouted = "domain_not_routed",
        /// The id of a user leads nowhere: whoever makes up ids would learn which there are (threats M01).
        UserNotLookedUp = "user_not_looked_up",
        OrganizationRouted = "organization_routed",
        /// Unknown or deactivated.
        OrganizationUnknown = "organization_unknown",
        /// Others may act for it, whom their own identity providers know: everybody says who they are.
        OrganizationDelegated = "organization_delegated",
        /// It has no active connection for this application.
        OrganizationWithoutConnection = "organization_without_connection",
        /// The hint's address is another identity provider's to assert (invariant 2).
        HintOfAnother = "hint_of_another",
        OneWayIn = "one_way_in",
        /// There are several, or people are routed by what they type.
        SeveralWaysIn = "several_ways_in",
    }
}

/// A rule that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub rule: Rule,
    pub why: Why,
    /// The organization that it is about, where it names one.
    pub organization: Option<OrganizationId>,
    /// Where it would lead.
    pub connections: Vec<ConnectionId>,
}

/// Whether it is known where to send the person.
#[derive(Clone, Debug)]
pub enum Decision {
    /// They must say who they are.
    Ask,
    Resolved(Resolved),
    /// What was asked for is not for this application.
    ConnectionNotAllowed,
}

/// A decision, and how it came about. What a rule decided, those after it did not change.
#[derive(Clone, Debug)]
pub struct Routed {
    pub decision: Decision,
    pub steps: Vec<Step>,
}

impl Step {
    pub fn new(rule: Rule, why: Why) -> Self {
        Self { rule, why, organization: None, connections: Vec::new() }
    }

    #[must_use]
    pub fn to(mut self, connections: &[ConnectionId]) -> Self {
        self.connections = connections.to_vec();
        self
    }

    /// Whether it decided, or would have if none before it had.
    pub fn matched(&self) -> bool {
        matches!(
            self.why,
            Why::ConnectionAllowed
                | Why::ConnectionNotAllowed
                | Why::DomainRouted
                | Why::OrganizationRouted
                | Why::OneWayIn
        )
    }
}
