//! Audit events in the durable store: rows are added, never changed.

use serde_json::Value;

use super::engine::{StoreError, Tx, params};
use crate::foundation::clock::Moment;
use crate::foundation::id::AuditEventId;
use crate::model::audit_event::AuditEvent;

pub async fn insert(
    tx: &mut Tx<'_>,
    id: AuditEventId,
    event: &AuditEvent,
    now: Moment,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO audit_events (id, project_id, organization_id, at, actor, action, subject, outcome, reason,
                                   request_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            id,
            event.project_id,
            event.organization_id,
            now,
            &event.actor,
            event.action,
            event.subject.as_deref(),
            event.outcome.word(),
            event.reason,
            event.request_id,
            Value::Object(event.detail.clone()).to_string()
        ],
    )
    .await?;
    Ok(())
}
