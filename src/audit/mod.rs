//! The audit trail: one function. It writes within the caller's transaction, so that what is not recorded does
//! not happen either (threats M08).

use crate::foundation::clock::Moment;
use crate::foundation::id::AuditEventId;
use crate::foundation::random::Random;
use crate::model::audit_event::AuditEvent;
use crate::store::durable::audit_events;
use crate::store::durable::engine::{StoreError, Tx};

/// Records an event.
pub async fn record(
    tx: &mut Tx<'_>,
    random: &Random,
    now: Moment,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    audit_events::insert(tx, AuditEventId::new(random, now), event, now).await
}
