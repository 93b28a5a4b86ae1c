//! How a decision is told.

use schemars::JsonSchema;
use serde::Serialize;

use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::model::connection::Connection;
use crate::model::routing::{Decision, Routed, Step};

/// Where a login would be sent now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ExplanationView {
    /// `ask`: the person says who they are; `refused`: the application asked for what is not for it.
    #[schemars(extend("enum" = ["resolved", "ask", "refused"]))]
    pub decision: &'static str,
    /// Where; of several, the person picks one.
    pub connections: Vec<RoutedConnection>,
    /// The rules in their order, up to the one that decided.
    pub rules: Vec<RuleView>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RuleView {
    #[schemars(extend("enum" = ["connection", "organization", "login_hint", "domain_hint", "only_connection"]))]
    pub rule: &'static str,
    pub matched: bool,
    /// A stable word.
    pub why: &'static str,
    /// Of a domain that leads nowhere: how far its claim has come.
    pub claim: Option<&'static str>,
    pub connections: Vec<RoutedConnection>,
}

/// A connection; of another organization, only that it is one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RoutedConnection {
    pub of_another_organization: bool,
    pub id: Option<String>,
    pub slug: Option<String>,
    pub display_name: Option<String>,
    pub organization_id: Option<String>,
}

/// What stands instead of why, of a domain that is another organization's: where it leads is seen by everybody who types
/// such an address.
const ANOTHER: &str = "another_organization";

/// What somebody sees of a decision: an organization's own, or everything.
pub struct Seen<'a> {
    pub own: Option<OrganizationId>,
    pub connections: &'a [Connection],
}

impl Seen<'_> {
    pub fn of(&self, routed: &Routed, claims: &[Option<&'static str>]) -> ExplanationView {
        let (decision, ids): (_, &[ConnectionId]) = match &routed.decision {
            Decision::Ask => ("ask", &[]),
            Decision::Resolved(resolved) => ("resolved", &resolved.connections),
            Decision::ConnectionNotAllowed => ("refused", &[]),
        };
        let rule = |(step, claim): (&Step, &Option<&'static str>)| self.rule(step, *claim);
        let rules = routed.steps.iter().zip(claims).map(rule).collect();
        ExplanationView { decision, connections: self.shown(ids), rules }
    }

    fn rule(&self, step: &Step, claim: Option<&'static str>) -> RuleView {
        let is_anothers = self.own.is_some() && step.organization.is_some() && step.organization != self.own;
        RuleView {
            rule: step.rule.word(),
            matched: step.matched(),
            why: if is_anothers { ANOTHER } else { step.why.word() },
            claim,
            connections: self.shown(&step.connections),
        }
    }

    fn shown(&self, ids: &[ConnectionId]) -> Vec<RoutedConnection> {
        let find = |id: &ConnectionId| self.connections.iter().find(|connection| connection.id == *id);
        ids.iter().filter_map(find).map(|connection| self.connection(connection)).collect()
    }

    /// The project's own ones are for everybody.
    fn connection(&self, connection: &Connection) -> RoutedConnection {
        let hidden = self.own.is_some()
            && connection.organization_id.is_some()
            && connection.organization_id != self.own;
        let text = |text: String| (!hidden).then_some(text);
        RoutedConnection {
            of_another_organization: hidden,
            id: text(connection.id.to_string()),
            slug: text(connection.slug.clone()),
            display_name: text(connection.display_name.clone()),
            organization_id: connection.organization_id.map(|id| id.to_string()).and_then(text),
        }
    }
}
