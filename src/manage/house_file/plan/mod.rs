//! Parts + database -> what differs, written in one transaction.

mod applications;
mod connections;
mod delegations;
mod domains;
mod members;
mod organizations;
mod project;
mod references;
mod role_rules;
mod roles;
mod saml;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::change::{Change, Field, Kind, Report, difference};
use super::describe::Descriptions;
use super::fault::{Fault, Place};
use super::{HouseFile, Mode};
use crate::audit::{self, Keep};
use crate::broker::Broker;
use crate::egress::guard::Guard;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, DelegationId, OrganizationId};
use crate::foundation::random::Random;
use crate::keys::keyring::Keyring;
use crate::manage::refused::Refused;
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::project::{MembershipMode, Project};
use crate::store::durable::engine::{StoreError, Tx};
use crate::web::reply;

/// Why the transaction is taken back.
pub enum Undone {
    /// Nothing was wrong, and nothing was to be written.
    Planned(Box<Report>),
    Refused(Vec<Fault>),
    Store(StoreError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a transaction needs; it holds everything itself, because SQLite runs it on another thread.
pub struct Work {
    file: Arc<HouseFile>,
    described: Descriptions,
    mode: Mode,
    tools: Tools,
}

struct Tools {
    broker: Broker,
    keyring: Keyring,
    random: Random,
    guard: Guard,
    now: Moment,
}

impl Work {
    pub fn new(broker: &Broker, file: Arc<HouseFile>, described: Descriptions, mode: Mode) -> Self {
        let tools = Tools {
            broker: broker.clone(),
            keyring: broker.keyring.clone(),
            random: broker.random.clone(),
            guard: Guard::new(&broker.config.egress),
            now: broker.now(),
        };
        Self { file, described, mode, tools }
    }

    /// The order is that of the references: what is named comes before what names it.
    pub async fn run(self, tx: &mut Tx<'_>) -> Result<Box<Report>, Undone> {
        let file = Arc::clone(&self.file);
        let mut faults = Vec::new();
        let Some(project) = project::put(tx, &self, &mut faults).await? else {
            return Err(Undone::Refused(faults));
        };
        let (project, report) = project;
        let mut plan = Plan {
            tx,
            file: &file,
            described: &self.described,
            mode: self.mode,
            tools: &self.tools,
            project,
            organizations: BTreeMap::new(),
            connections: BTreeMap::new(),
            delegations: BTreeMap::new(),
            names: BTreeMap::new(),
            report,
            faults,
        };
        let organizations = plan.find_organizations().await?;
        let delegations = plan.find_delegations().await?;
        plan.put_organizations(organizations).await?;
        plan.put_roles().await?;
        plan.put_connections().await?;
        plan.put_domains().await?;
        plan.put_applications().await?;
        plan.check_default_applications().await?;
        plan.put_members().await?;
        plan.put_role_rules().await?;
        plan.check_policies().await?;
        plan.put_delegations(delegations).await?;
        let (report, mut faults) = (plan.report, plan.faults);
        faults.sort();
        faults.dedup();
        match self.mode {
            _ if !faults.is_empty() => Err(Undone::Refused(faults)),
            Mode::Plan => Err(Undone::Planned(Box::new(report))),
            Mode::Apply => Ok(Box::new(report)),
        }
    }
}

/// A connection that a name leads to.
#[derive(Clone, Copy)]
struct Found {
    id: ConnectionId,
    organization: Option<OrganizationId>,
}

/// What is known half-way.
struct Plan<'p, 'c> {
    tx: &'p mut Tx<'c>,
    file: &'p HouseFile,
    described: &'p Descriptions,
    mode: Mode,
    tools: &'p Tools,
    project: Project,
    /// By the names that the file gives them.
    organizations: BTreeMap<String, OrganizationId>,
    connections: BTreeMap<String, Found>,
    /// By home and target.
    delegations: BTreeMap<(OrganizationId, OrganizationId), DelegationId>,
    /// What ids are called, for the report.
    names: BTreeMap<String, String>,
    report: Report,
    faults: Vec<Fault>,
}

impl Plan<'_, '_> {
    fn refuse(&mut self, at: Place, message: impl Into<String>) {
        self.faults.push(Fault { at, message: message.into() });
    }

    /// What a room says no to, at the place of the file that wanted it.
    fn refused(&mut self, at: Place, refused: Refused) -> Result<(), StoreError> {
        match refused {
            Refused::Told(told) => {
                self.refuse(at, told.detail);
                Ok(())
            }
            Refused::Conflict => Err(StoreError::Conflict),
            Refused::Failed(fault) => match *fault {
                reply::Fault::Store(error) => Err(error),
                other => Err(StoreError::Unavailable(other.to_string())),
            },
        }
    }

    /// As the rooms keep their changes.
    fn keep(&self) -> Keep {
        Keep {
            random: self.tools.random.clone(),
            project: self.project.clone(),
            actor: Actor::Operator,
            request: None,
            now: self.tools.now,
        }
    }

    fn is_exclusive(&self) -> bool {
        self.project.settings.membership_mode == MembershipMode::Exclusive
    }

    fn created(&mut self, noun: &'static str, name: impl Into<String>) {
        let change = Change { kind: Kind::Created, noun, name: name.into(), fields: Vec::new() };
        self.report.changes.push(change);
    }

    /// What differs; the caller adds what cannot be shown.
    fn differs(&self, before: &Value, after: &Value) -> Vec<Field> {
        difference(before, after, &self.names)
    }

    fn changed(&mut self, noun: &'static str, name: impl Into<String>, fields: Vec<Field>) {
        self.report.changes.push(Change { kind: Kind::Changed, noun, name: name.into(), fields });
    }

    fn event(&self, action: &'static str, organization: Option<OrganizationId>) -> AuditEvent {
        AuditEvent::new(self.project.id, action, Outcome::Changed)
            .organization(organization)
            .actor("operator")
    }

    async fn record(&mut self, event: AuditEvent) -> Result<(), StoreError> {
        audit::record(self.tx, &self.tools.random, self.tools.now, &event).await
    }
}

/// The names of what changed, for the audit trail.
fn names_of(fields: &[Field]) -> Vec<String> {
    fields.iter().map(|field| field.name.clone()).collect()
}

/// "Whether" as "when": what is so already keeps its moment.
fn since(wanted: bool, before: Option<Moment>, now: Moment) -> Option<Moment> {
    wanted.then(|| before.unwrap_or(now))
}
