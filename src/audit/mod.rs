//! The audit trail: one function. It writes within the caller's transaction, so that what is not recorded does
//! not happen either (threats M08).

use serde_json::{Map, Value};

use crate::foundation::clock::Moment;
use crate::foundation::id::{AuditEventId, OrganizationId, RequestId};
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
    pub request: Option<RequestId>,
    pub now: Moment,
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
        record(tx, &self.random, self.now, event).await
    }
}

/// Records an event.
pub async fn record(
    tx: &mut Tx<'_>,
    random: &Random,
    now: Moment,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    audit_events::insert(tx, AuditEventId::new(random, now), event, now).await
}
