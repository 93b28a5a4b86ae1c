//! Audit events in the durable store: rows are added, never changed.

use serde_json::{Map, Value};

use super::engine::{Read, Row, StoreError, Tx, params};
use super::json;
use crate::foundation::clock::Moment;
use crate::foundation::id::{AuditEventId, ProjectId, RequestId};
use crate::model::audit_event::AuditEvent;

pub async fn insert(
    tx: &mut Tx<'_>,
    id: AuditEventId,
    event: &AuditEvent,
    now: Moment,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO audit_events (id, project_id, organization_id, at, actor, actor_kind, action, subject, outcome,
                                   reason, request_id, before, after, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        params![
            id,
            event.project_id,
            event.organization_id,
            now,
            event.actor.to_string(),
            event.actor.kind(),
            event.action,
            event.subject.as_deref(),
            event.outcome.word(),
            event.reason,
            event.request_id,
            event.before.as_ref().map(Value::to_string),
            event.after.as_ref().map(Value::to_string),
            Value::Object(event.detail.clone()).to_string()
        ],
    )
    .await?;
    Ok(())
}

/// What was refused, as it was recorded.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub at: Moment,
    pub action: String,
    pub request_id: Option<RequestId>,
    pub detail: Map<String, Value>,
}

impl Refusal {
    /// A fact of this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.detail.get(name)?.as_str()
    }
}

macro_rules! select_refusals {
    ($rest:literal) => {
        concat!(
            "SELECT at, action, request_id, detail FROM audit_events WHERE project_id = $1 AND outcome = 'refused' ",
            $rest
        )
    };
}

fn refusal(row: &Row) -> Result<Refusal, StoreError> {
    Ok(Refusal { at: row.get(0)?, action: row.get(1)?, request_id: row.get(2)?, detail: json(row, 3)? })
}

/// Refusals before a moment, newest first: `most`, and all others of the last one's moment, so that the next page
/// begins before it.
pub async fn refusals(
    db: &mut impl Read,
    project: ProjectId,
    before: Option<Moment>,
    most: i64,
) -> Result<Vec<Refusal>, StoreError> {
    let before = before.unwrap_or(Moment::from_millis(i64::MAX));
    let rows = db
        .all(
            select_refusals!(
                "AND at < $2 AND at >= COALESCE((SELECT at FROM audit_events WHERE project_id = $1
                 AND outcome = 'refused' AND at < $2 ORDER BY at DESC LIMIT 1 OFFSET $3), 0)
                 ORDER BY at DESC, id DESC"
            ),
            params![project, before, most - 1],
        )
        .await?;
    rows.iter().map(refusal).collect()
}

/// The refusals of one request, which a visitor may quote.
pub async fn refusals_of_request(
    db: &mut impl Read,
    project: ProjectId,
    request: RequestId,
) -> Result<Vec<Refusal>, StoreError> {
    let rows = db
        .all(select_refusals!("AND request_id = $2 ORDER BY at DESC, id DESC"), params![project, request])
        .await?;
    rows.iter().map(refusal).collect()
}
