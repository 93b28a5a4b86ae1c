//! Parts + database -> what differs, written in one transaction.

mod applications;
mod connections;
mod delegations;
mod domains;
mod lock_outs;
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

pub use connections::oidc_settings;

use super::change::{Change, Field, Kind, Report, difference};
use super::describe::Descriptions;
use super::fault::{Fault, Place, Places};
use super::sectors::Sectors;
use super::{HouseFile, Mode};
use crate::audit::Keep;
use crate::broker::Broker;
use crate::egress::guard::Guard;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::foundation::random::Random;
use crate::keys::keyring::Keyring;
use crate::manage::refused::{Code, Refused};
use crate::model::audit_event::Actor;
use crate::model::project::{MembershipMode, Project};
use crate::store::durable::{
    self,
    engine::{StoreError, Tx},
};
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
    sectors: Sectors,
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

impl Tools {
    fn keep(&self, project: &Project) -> Keep {
        Keep {
            random: self.random.clone(),
            project: project.clone(),
            actor: Actor::Operator,
            by: None,
            request: None,
            now: self.now,
        }
    }
}

/// What a room refuses, as faults of the file; what is nobody's fault is to be tried again, or told as it is.
fn told(at: Place, places: &Places, refused: Refused) -> Result<Vec<Fault>, StoreError> {
    match refused {
        Refused::Told(told) if told.code == Code::AuditUnavailable => {
            Err(StoreError::Unavailable(told.detail))
        }
        Refused::Told(told) => Ok(places.faults(at, *told)),
        Refused::Conflict => Err(StoreError::Conflict),
        Refused::Failed(fault) => match *fault {
            reply::Fault::Store(error) => Err(error),
            other => Err(StoreError::Unavailable(other.to_string())),
        },
    }
}

impl Work {
    pub fn new(
        broker: &Broker,
        file: Arc<HouseFile>,
        (described, sectors): (Descriptions, Sectors),
        mode: Mode,
    ) -> Self {
        let tools = Tools {
            broker: broker.clone(),
            keyring: broker.keyring.clone(),
            random: broker.random.clone(),
            guard: Guard::new(&broker.config.egress),
            now: broker.now(),
        };
        Self { file, described, sectors, mode, tools }
    }

    /// The order is that of the references: what is named comes before what names it.
    pub async fn run(self, tx: &mut Tx<'_>) -> Result<Box<Report>, Undone> {
        let file = Arc::clone(&self.file);
        let mut faults = Vec::new();
        let ways = lock_outs::before(tx, &self).await?;
        let Some(project) = project::put(tx, &self, &mut faults).await? else {
            return Err(Undone::Refused(faults));
        };
        let (project, report) = project;
        let mut plan = Plan {
            tx,
            file: &file,
            described: &self.described,
            sectors: &self.sectors,
            mode: self.mode,
            tools: &self.tools,
            project,
            organizations: BTreeMap::new(),
            connections: BTreeMap::new(),
            names: BTreeMap::new(),
            report,
            faults,
        };
        let organizations = plan.put_organizations().await?;
        plan.put_roles().await?;
        plan.put_connections().await?;
        plan.put_domains().await?;
        plan.put_applications().await?;
        plan.check_default_applications().await?;
        plan.put_members().await?;
        plan.put_role_rules().await?;
        plan.put_delegations().await?;
        // What a policy names is there by now, and so is what a stricter one needs.
        plan.put_policies(organizations).await?;
        let keep = plan.keep();
        let locked_out = lock_outs::after(plan.tx, (&self, &keep), &ways).await?;
        plan.report.warnings.extend(locked_out);
        let stopped = durable::applications::stopped_at(plan.tx, plan.project.id, keep.now).await?;
        let told = |(client_id, slug)| {
            format!(
                "application {client_id}: stopped, and what it held ended: organization {slug} may own none"
            )
        };
        plan.report.warnings.extend(stopped.into_iter().map(told));
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

/// What is known half-way.
struct Plan<'p, 'c> {
    tx: &'p mut Tx<'c>,
    file: &'p HouseFile,
    described: &'p Descriptions,
    sectors: &'p Sectors,
    mode: Mode,
    tools: &'p Tools,
    project: Project,
    /// By the names that the file gives them.
    organizations: BTreeMap<String, OrganizationId>,
    connections: BTreeMap<String, ConnectionId>,
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
        self.refused_in(at, &Places::default(), refused)
    }

    /// The same, with the places of what the room points to.
    fn refused_in(&mut self, at: Place, places: &Places, refused: Refused) -> Result<(), StoreError> {
        self.faults.extend(told(at, places, refused)?);
        Ok(())
    }

    /// As the rooms keep their changes.
    fn keep(&self) -> Keep {
        self.tools.keep(&self.project)
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
}
