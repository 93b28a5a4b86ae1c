//! The audit trail: one function. It writes within the caller's transaction, so that what is not recorded does
//! not happen either (threats M08).

use serde_json::{Map, Value};

use crate::foundation::clock::Moment;
use crate::foundation::id::AuditEventId;
use crate::foundation::random::Random;
use crate::model::audit_event::AuditEvent;
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

/// Records an event.
pub async fn record(
    tx: &mut Tx<'_>,
    random: &Random,
    now: Moment,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    audit_events::insert(tx, AuditEventId::new(random, now), event, now).await
}
