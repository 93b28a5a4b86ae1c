//! The audit trail: one function. It writes within the caller's transaction, so that what is not recorded does
//! not happen either (threats M08).

use serde_json::{Map, Value};

use crate::foundation::clock::Moment;
use crate::foundation::id::{
    ApplicationId, AuditEventId, DelegationId, OrganizationId, RequestId, SessionId,
};
use crate::foundation::random::Random;
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::project::Project;
use crate::store::durable::audit_events;
use crate::store::durable::engine::{StoreError, Tx};

/// What differs between two views of one thing, for the event that tells of its change.
pub fn differing(before: &Value, after: &Value) -> (Value, Value) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before.clone(), after.clone());
    };
    let (mut was, mut is) = (Map::new(), Map::new());
    for (name, value) in new.iter().filter(|(name, value)| old.get(*name) != Some(*value)) {
        was.insert(name.clone(), old.get(name).cloned().unwrap_or_default());
        is.insert(name.clone(), value.clone());
    }
    (was.into(), is.into())
}

/// What a transaction needs to tell of itself.
#[derive(Clone)]
pub struct Keep {
    pub random: Random,
    pub project: Project,
    pub actor: Actor,
    /// By what, where it is a person.
    pub by: Option<By>,
    pub request: Option<RequestId>,
    pub now: Moment,
}

/// By what a person acts: a user alone does not say for whom, nor through whom, and may be no member of where they do it
/// (S2-22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    pub session: SessionId,
    /// Absent at a page of our own.
    pub application: Option<ApplicationId>,
    /// With the home organization.
    pub delegation: Option<(DelegationId, OrganizationId)>,
}

impl By {
    /// What the event itself says of these stays.
    pub fn told(self, mut event: AuditEvent) -> AuditEvent {
        let application = self.application.map(|id| id.to_string());
        let (delegation, home) = self.delegation.map(|(id, home)| (id.to_string(), home.to_string())).unzip();
        for (name, value) in [
            ("session", Some(self.session.to_string())),
            ("application", application),
            ("delegation", delegation),
            ("home_organization", home),
        ] {
            if let Some(value) = value {
                event.detail.entry(name).or_insert_with(|| value.into());
            }
        }
        event
    }
}

impl Keep {
    /// An event of something that this actor changes.
    pub fn event(&self, action: &'static str, organization: OrganizationId) -> AuditEvent {
        AuditEvent::new(self.project.id, action, Outcome::Changed)
            .organization(Some(organization))
            .actor(self.actor)
            .request(self.request)
    }

    pub async fn record(&self, tx: &mut Tx<'_>, event: &AuditEvent) -> Result<(), StoreError> {
        match self.by.filter(|_| event.actor == self.actor) {
            Some(by) => record(tx, &self.random, self.now, &by.told(event.clone())).await,
            None => record(tx, &self.random, self.now, event).await,
        }
    }
}

/// Records an event.
///
/// # Errors
/// [`StoreError::Conflict`], which may be tried again; else [`StoreError::Unrecorded`].
pub async fn record(
    tx: &mut Tx<'_>,
    random: &Random,
    now: Moment,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    let written = audit_events::insert(tx, AuditEventId::new(random, now), event, now).await;
    written.map_err(|error| match error {
        StoreError::Conflict => error,
        other => StoreError::Unrecorded(other.to_string()),
    })
}
