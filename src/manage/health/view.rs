//! How health and failures are shown.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Check, overall};
use crate::foundation::clock::Moment;
use crate::model::audit_event::Recorded;
use crate::model::connection::Connection;
use crate::store::durable::connection_runs::{Hour, Run};
use crate::store::durable::transfers::Transfer;

/// How an organization is kept. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HealthView {
    /// The worst of its checks.
    #[schemars(extend("enum" = ["ok", "warn", "fail"]))]
    pub status: &'static str,
    pub checks: Vec<CheckView>,
    /// Who is to own the organization once they have accepted it; `null` where nobody is.
    pub ownership_transfer: Option<OfferView>,
}

/// An ownership that waits to be accepted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OfferView {
    /// Whom it is offered to.
    pub user_id: String,
    /// Who offered it.
    pub from: String,
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// When it runs out.
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
}

impl OfferView {
    fn of(offer: &Transfer) -> Self {
        Self {
            user_id: offer.to.to_string(),
            from: offer.from.to_string(),
            since: offer.created_at.rfc3339(),
            until: offer.expires_at.rfc3339(),
        }
    }
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckView {
    #[schemars(extend("enum" = [
        "two_administrators", "administrators_mfa", "domains_verified", "break_glass", "audit", "deprovisioning_test",
        "upstream_review", "sign_in_failures"
    ]))]
    pub id: &'static str,
    /// The requirement, as in `S1-A1`.
    pub row: &'static str,
    #[schemars(extend("enum" = ["ok", "warn", "fail", "not_available"]))]
    pub status: &'static str,
    /// What to do, in a sentence.
    pub advice: String,
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
}

impl HealthView {
    pub fn of(checks: &[Check], offer: Option<&Transfer>) -> Self {
        let view = |check: &Check| CheckView {
            id: check.id,
            row: check.row,
            status: check.status.word(),
            advice: check.advice.clone(),
            since: check.since.map(Moment::rfc3339),
        };
        Self {
            status: overall(checks).word(),
            checks: checks.iter().map(view).collect(),
            ownership_transfer: offer.map(OfferView::of),
        }
    }
}

/// How sign-ins through a connection end.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FailuresView {
    pub connection_id: String,
    /// The one that is live.
    pub version: i64,
    /// When somebody first signed in by it.
    #[schemars(extend("format" = "date-time"))]
    pub worked_at: Option<String>,
    /// In a row, since somebody last signed in: those alone that show something of the connection's settings, because the
    /// provider itself had answered. By these a new version that never worked is taken back, or its owners are told of it.
    pub failures: i64,
    #[schemars(extend("format" = "date-time"))]
    pub failing_since: Option<String>,
    /// Since when somebody should look the connection over, because its provider says something else of itself.
    #[schemars(extend("format" = "date-time"))]
    pub review_since: Option<String>,
    /// When a sign-in by what is live last left groups out, because the provider does not say all of them or they cannot be
    /// taken: rules that give roles by groups gave none.
    #[schemars(extend("format" = "date-time"))]
    pub groups_missing_at: Option<String>,
    /// Newest first, of all versions; hours in which nobody came are left out.
    pub hours: Vec<HourView>,
    /// One by one, newest first.
    pub items: Vec<FailureView>,
    /// Where the next page of `items` begins; `null` on the last one.
    pub next_cursor: Option<String>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HourView {
    #[schemars(extend("format" = "date-time"))]
    pub begins: String,
    pub succeeded: i64,
    pub failed: i64,
    /// How often for each reason, in the words of the audit trail.
    pub reasons: BTreeMap<String, i64>,
}

/// One sign-in that was refused.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FailureView {
    /// Of the event in the audit trail.
    pub id: String,
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    pub reason: Option<String>,
    /// What the person can quote.
    pub request_id: Option<String>,
    /// What would have been taken, and what came; where that is known.
    pub expected: Option<String>,
    pub found: Option<String>,
    /// Who it was, of somebody within a domain of the organization's own whom nothing lets in.
    pub email: Option<String>,
    /// Why they did not join by that domain, if they would have but for it.
    #[schemars(with = "Option<String>", extend("enum" = [
        "known", "off", "role_address", "alias", "excluded", "role_not_allowed", "paused", "elsewhere", null
    ]))]
    pub auto_join: Option<String>,
}

impl FailuresView {
    pub fn of(
        connection: &Connection,
        run: Run,
        review_since: Option<Moment>,
        hours: &[Hour],
        (items, next_cursor): (Vec<Recorded>, Option<String>),
    ) -> Self {
        Self {
            connection_id: connection.id.to_string(),
            version: connection.version,
            worked_at: run.worked_at.map(Moment::rfc3339),
            failures: run.failures,
            failing_since: run.failing_since.map(Moment::rfc3339),
            review_since: review_since.map(Moment::rfc3339),
            groups_missing_at: run.groups_missing_at.map(Moment::rfc3339),
            hours: by_hour(hours),
            items: items.iter().map(FailureView::of).collect(),
            next_cursor,
        }
    }
}

fn by_hour(hours: &[Hour]) -> Vec<HourView> {
    let mut all: Vec<HourView> = Vec::new();
    for hour in hours {
        let begins = hour.begins.rfc3339();
        if all.last().is_none_or(|last| last.begins != begins) {
            all.push(HourView { begins, succeeded: 0, failed: 0, reasons: BTreeMap::new() });
        }
        let Some(last) = all.last_mut() else { continue };
        if hour.reason.is_empty() {
            last.succeeded += hour.many;
        } else {
            last.failed += hour.many;
            *last.reasons.entry(hour.reason.clone()).or_default() += hour.many;
        }
    }
    all
}

impl FailureView {
    fn of(event: &Recorded) -> Self {
        let detail = |name: &str| event.detail.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            id: event.id.to_string(),
            at: event.at.rfc3339(),
            reason: event.reason.clone(),
            request_id: event.request_id.clone(),
            expected: detail("expected"),
            found: detail("found"),
            email: detail("email"),
            auto_join: detail("auto_join"),
        }
    }
}
