//! Audit events in the durable store: rows are added, never changed.

use serde_json::{Map, Value};

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, optional_json, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{AuditEventId, OrganizationId, ProjectId, RequestId};
use crate::model::audit_event::{AuditEvent, Outcome, Recorded};

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
            to_json(&event.detail)
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

/// What every sign-in and every token writes. The index by action leaves it out, and is used where a statement says so in
/// the same words.
const USUAL: [&str; 4] = ["login.authenticated", "login.code_issued", "token.issued", "token.refreshed"];

/// When something unusual was last done to an organization, newest first.
pub async fn times(
    db: &mut impl Read,
    project: ProjectId,
    (organization, action): (OrganizationId, &str),
    since: Moment,
    most: u32,
) -> Result<Vec<Moment>, StoreError> {
    let sql = "SELECT at FROM audit_events
               WHERE project_id = $1 AND organization_id = $2 AND action = $3 AND at > $4
                 AND action NOT IN ('login.authenticated', 'login.code_issued', 'token.issued', 'token.refreshed')
               ORDER BY at DESC LIMIT $5";
    let rows = db.all(sql, params![project, organization, action, since, most]).await?;
    rows.iter().map(|row| row.get(0)).collect()
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

/// How many events one page looks at: a filter that finds nothing costs no more than that, however long the trail is.
const LOOKED_AT: i64 = 5_000;

/// Which events a page shows. The narrowest of request, subject, actor, organization with action, organization and
/// time drives; everything else is looked at row by row.
#[derive(Clone, Debug)]
pub struct Asked {
    pub project: ProjectId,
    /// Absent: of the whole project.
    pub organization: Option<OrganizationId>,
    pub request: Option<String>,
    pub subject: Option<String>,
    pub actor: Option<String>,
    pub action: Option<Action>,
    pub outcome: Option<Outcome>,
    pub from: Option<Moment>,
    /// From this moment on, none.
    pub to: Option<Moment>,
    /// The page before went as far as this.
    pub after: Option<(Moment, AuditEventId)>,
    pub most: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Exactly(String),
    /// What it begins with, with the dot.
    Below(String),
}

macro_rules! columns {
    ($of:literal) => {
        concat!(
            $of,
            "id, ",
            $of,
            "project_id, ",
            $of,
            "organization_id, ",
            $of,
            "at, ",
            $of,
            "actor_kind, ",
            $of,
            "actor, ",
            $of,
            "action, ",
            $of,
            "subject, ",
            $of,
            "outcome, ",
            $of,
            "reason, ",
            $of,
            "request_id, ",
            $of,
            "before, ",
            $of,
            "after, ",
            $of,
            "detail"
        )
    };
}

pub(super) use columns;

/// An event whose first column is this one.
pub(super) fn recorded(row: &Row, first: usize) -> Result<Recorded, StoreError> {
    Ok(Recorded {
        id: row.get(first)?,
        project_id: row.get(first + 1)?,
        organization_id: row.get(first + 2)?,
        at: row.get(first + 3)?,
        actor_kind: row.get(first + 4)?,
        actor: row.get(first + 5)?,
        action: row.get(first + 6)?,
        subject: row.get(first + 7)?,
        outcome: row.get(first + 8)?,
        reason: row.get(first + 9)?,
        request_id: row.get(first + 10)?,
        before: optional_json(row, first + 11)?,
        after: optional_json(row, first + 12)?,
        detail: json(row, first + 13)?,
    })
}

macro_rules! page {
    ($narrow:literal) => {
        (
            concat!(
                "SELECT ",
                columns!("s."),
                " FROM (SELECT * FROM audit_events WHERE project_id = $1 AND ",
                $narrow,
                " AND (at, id) < ($3, $4) AND at >= $5 ORDER BY at DESC, id DESC LIMIT $6) s
                WHERE (CAST($7 AS TEXT) IS NULL OR s.organization_id = $7)
                  AND (CAST($8 AS TEXT) IS NULL OR s.subject = $8) AND (CAST($9 AS TEXT) IS NULL OR s.actor = $9)
                  AND (CAST($10 AS TEXT) IS NULL OR s.action = $10)
                  AND (CAST($11 AS TEXT) IS NULL OR SUBSTR(s.action, 1, LENGTH(CAST($11 AS TEXT))) = $11)
                  AND (CAST($12 AS TEXT) IS NULL OR s.outcome = $12)
                  AND (CAST($13 AS TEXT) IS NULL OR s.request_id = $13)
                ORDER BY s.at DESC, s.id DESC LIMIT $14"
            ),
            concat!(
                "SELECT at, id FROM audit_events WHERE project_id = $1 AND ",
                $narrow,
                " AND (at, id) < ($3, $4) AND at >= $5 ORDER BY at DESC, id DESC LIMIT 1 OFFSET $6"
            ),
        )
    };
}

/// A page, newest first, and how far it went if there may be more: it may hold fewer than were asked for, or none.
pub async fn page(
    db: &mut impl Read,
    asked: &Asked,
) -> Result<(Vec<Recorded>, Option<(Moment, AuditEventId)>), StoreError> {
    let of = asked.organization.map(|id| id.to_string());
    let (exactly, below) = match &asked.action {
        Some(Action::Exactly(name)) => (Some(name.clone()), None),
        Some(Action::Below(start)) => (None, Some(start.clone())),
        None => (None, None),
    };
    // The narrowest, and what it is narrowed to; always a text, so that every statement takes the same parameters.
    let ((found, looked), narrow) = match (&asked.request, &asked.subject, &asked.actor, &of, &exactly) {
        (Some(request), ..) => (page!("request_id = $2"), request.clone()),
        (_, Some(subject), ..) => (page!("subject = $2"), subject.clone()),
        (_, _, Some(actor), ..) => (page!("actor = $2"), actor.clone()),
        (.., Some(of), Some(action)) if !USUAL.contains(&action.as_str()) => (
            page!(
                "organization_id = SUBSTR(CAST($2 AS TEXT), 1, 30) AND action = SUBSTR(CAST($2 AS TEXT), 31)
                 AND action NOT IN ('login.authenticated', 'login.code_issued', 'token.issued', 'token.refreshed')"
            ),
            format!("{of}{action}"),
        ),
        (.., Some(of), _) => (page!("organization_id = $2"), of.clone()),
        _ => (page!("CAST($2 AS TEXT) IS NOT NULL"), String::new()),
    };
    let (at, id) = match (&asked.after, asked.to) {
        (Some((at, id)), _) => (*at, id.to_string()),
        // No id is empty, so that nothing of the moment itself is before it.
        (None, to) => (to.unwrap_or(Moment::from_millis(i64::MAX)), String::new()),
    };
    let from = asked.from.unwrap_or(Moment::from_millis(i64::MIN));
    let most = i64::from(asked.most) + 1;
    let outcome = asked.outcome.map(Outcome::word);
    let (subject, actor, request) = (&asked.subject, &asked.actor, &asked.request);
    let rows = db
        .all(
            found,
            params![
                asked.project,
                narrow,
                at,
                id,
                from,
                LOOKED_AT,
                of,
                subject,
                actor,
                exactly,
                below,
                outcome,
                request,
                most
            ],
        )
        .await?;
    let mut events = rows.iter().map(|row| recorded(row, 0)).collect::<Result<Vec<_>, _>>()?;
    if events.len() > asked.most as usize {
        events.truncate(asked.most as usize);
        let last = events.last().map(|event| (event.at, event.id));
        return Ok((events, last));
    }
    let last = db.one(looked, params![asked.project, narrow, at, id, from, LOOKED_AT - 1]).await?;
    let last = last.map(|row| Ok::<_, StoreError>((row.get(0)?, row.get(1)?))).transpose()?;
    Ok((events, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_by_action_leaves_out_what_is_looked_for_elsewhere() {
        let left_out = format!("action NOT IN ('{}')", USUAL.join("', '"));
        let (schema, own) = (include_str!("migrations/V1__nouns.sql"), include_str!("audit_events.rs"));
        assert_eq!(schema.matches(&left_out).count(), 1);
        assert_eq!(own.matches(&left_out).count(), 2, "the page, and the times of one organization");
        assert_eq!(include_str!("audit_chains.rs").matches(&left_out).count(), 1);
    }
}
