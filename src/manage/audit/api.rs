//! `/audit-events`, `/audit-checkpoints`

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::export;
use super::view::{AuditCheckpointView, AuditEventView, AuditKeysView};
use crate::foundation::clock::Moment;
use crate::foundation::id::{AuditEventId, RequestId};
use crate::foundation::text::is_line;
use crate::manage::api::page::{Page, Slice};
use crate::manage::api::route::{At, NoBody, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::audit_chain::{CHECKPOINT_ALGORITHM, Chain};
use crate::model::audit_event::Outcome;
use crate::model::permission::Permission;
use crate::store::durable::audit_events::{self, Action, Asked};
use crate::store::durable::{audit_chains, signing_keys};
use crate::web::reply::Fault;

/// Characters of what is asked for.
const LONGEST: usize = 200;

/// `GET /audit-events` (S1-W4, S1-A5)
pub struct List;

/// Filters, which hold together, and the place in the list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// By id, UUID or slug; absent: the caller's own, or for the operator the whole project.
    pub organization_id: Option<String>,
    /// Who did it: an id, or `operator`, `house`, `anonymous`.
    pub actor: Option<String>,
    /// One action, as `organization.updated`; or all that begin so, as `organization.*`.
    #[schemars(extend("pattern" = "^[a-z0-9_]+(\\.[a-z0-9_]+)*(\\.\\*)?$"))]
    pub action: Option<String>,
    /// What it was done to: an id.
    pub subject: Option<String>,
    #[schemars(with = "Option<String>", extend("enum" = ["granted", "refused", "changed"]))]
    pub outcome: Option<Outcome>,
    /// From this moment on (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    pub from: Option<String>,
    /// Up to this moment, without it (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    pub to: Option<String>,
    /// What one request did.
    pub request_id: Option<String>,
    /// 1 to 200; absent: 50. A page may hold fewer, or none, and go on: it looks at 5,000 events.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for List {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/audit-events";
    const NAME: &'static str = "list_audit_events";
    const SUMMARY: &'static str = "What was recorded, newest first.";
    const NEED: Need = Need::Permitted(Permission::AuditRead);
    const AT: At = At::TrailAsked;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<AuditEventView>;

    fn organization<'a>(query: &'a ListQuery, _: &'a NoBody) -> Option<&'a str> {
        query.organization_id.as_deref()
    }

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let asked = asked(&desk, &query, &slice)?;
        let (found, last) = audit_events::page(&mut desk.db(), &asked).await?;
        let next_cursor = last.map(|place| slice.cursor(&place));
        Answer::new(200, &Page { items: found.into_iter().map(AuditEventView::of).collect(), next_cursor })
    }
}

fn asked(desk: &Desk, query: &ListQuery, slice: &Slice<(Moment, AuditEventId)>) -> Result<Asked, Refused> {
    for (name, text) in [("actor", &query.actor), ("subject", &query.subject)] {
        if text.as_ref().is_some_and(|text| !is_line(text, LONGEST)) {
            return Err(Refused::parameter(
                name,
                format!("must be one line of at most {LONGEST} characters"),
            ));
        }
    }
    let request = query.request_id.as_deref().map(str::parse::<RequestId>).transpose();
    let request = request.map_err(|_| Refused::parameter("request_id", "must be the id of a request"))?;
    Ok(Asked {
        project: desk.project().id,
        organization: desk.organization.as_ref().map(|found| found.id),
        request: request.map(|id| id.to_string()),
        subject: query.subject.clone(),
        actor: query.actor.clone(),
        action: query.action.as_deref().map(action).transpose()?,
        outcome: query.outcome,
        from: moment("from", query.from.as_deref())?,
        to: moment("to", query.to.as_deref())?,
        after: slice.after,
        most: slice.limit,
    })
}

fn action(text: &str) -> Result<Action, Refused> {
    let (name, below) = match text.strip_suffix(".*") {
        Some(name) => (name, true),
        None => (text, false),
    };
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    if text.len() > LONGEST || !name.split('.').all(part) {
        let rule =
            "must be an action like organization.updated, or what one begins with, like organization.*";
        return Err(Refused::parameter("action", rule));
    }
    Ok(if below { Action::Below(format!("{name}.")) } else { Action::Exactly(name.to_owned()) })
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<Moment>, Refused> {
    let read = |text| {
        Moment::parse_rfc3339(text).ok_or_else(|| Refused::parameter(name, "must be a time as in RFC 3339"))
    };
    text.map(read).transpose()
}

fn chain(desk: &Desk) -> Chain {
    Chain { project: desk.project().id, organization: desk.organization.as_ref().map(|found| found.id) }
}

/// `GET /audit-events/export` (demands 4.16)
pub struct Export;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportQuery {
    /// By id, UUID or slug; absent: the caller's own, or for the operator what is no organization's.
    pub organization_id: Option<String>,
    /// 1 to 1000; absent: 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
    /// `next_cursor` of the last line of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

const LONGEST_EXPORT: u32 = 1_000;

impl Operation for Export {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/audit-events/export";
    const NAME: &'static str = "export_audit_events";
    const SUMMARY: &'static str =
        "The chain of what was recorded, oldest first, as JSON Lines for `behalf audit verify`.";
    const NEED: Need = Need::Permitted(Permission::AuditRead);
    const AT: At = At::TrailAsked;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    const KIND: &'static str = "application/x-ndjson";
    type Query = ExportQuery;
    type Body = NoBody;
    type Answer = String;

    fn organization<'a>(query: &'a ExportQuery, _: &'a NoBody) -> Option<&'a str> {
        query.organization_id.as_deref()
    }

    async fn run(desk: Desk, query: ExportQuery, _: NoBody) -> Result<Answer<String>, Refused> {
        let (usual, chain) = (Some(query.limit.unwrap_or(LONGEST_EXPORT)), chain(&desk));
        let slice = desk.slice_to(LONGEST_EXPORT, usual, query.cursor.as_deref())?;
        // Of one moment, so that what is sealed meanwhile falls into no gap.
        let text = desk.db().read(async move |tx| export(tx, chain, &slice).await).await?;
        Ok(Answer::new(200, &text)?.file(desk.file_name("audit", "jsonl")))
    }
}

/// `GET /audit-checkpoints` (demands 4.16)
pub struct Checkpoints;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointsQuery {
    /// By id, UUID or slug; absent: the caller's own, or for the operator what is no organization's.
    pub organization_id: Option<String>,
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for Checkpoints {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/audit-checkpoints";
    const NAME: &'static str = "list_audit_checkpoints";
    const SUMMARY: &'static str =
        "What the chain was, day by day, signed; newest first. Keep them elsewhere.";
    const NEED: Need = Need::Permitted(Permission::AuditRead);
    const AT: At = At::TrailAsked;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = CheckpointsQuery;
    type Body = NoBody;
    type Answer = Page<AuditCheckpointView>;

    fn organization<'a>(query: &'a CheckpointsQuery, _: &'a NoBody) -> Option<&'a str> {
        query.organization_id.as_deref()
    }

    async fn run(desk: Desk, query: CheckpointsQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let (before, most) = (slice.after.unwrap_or(i64::MAX), i64::from(slice.most()));
        let found = audit_chains::checkpoints(&mut desk.db(), chain(&desk), before, most).await?;
        let (found, next_cursor) = slice.page(found, |last: &audit_chains::Signed| last.place);
        Answer::new(
            200,
            &Page { items: found.into_iter().map(AuditCheckpointView::of).collect(), next_cursor },
        )
    }
}

/// `GET /audit-checkpoints/keys`: retired ones too, which the project's JWK Set leaves out.
pub struct Keys;

impl Operation for Keys {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/audit-checkpoints/keys";
    const NAME: &'static str = "read_audit_checkpoint_keys";
    const SUMMARY: &'static str = "The public keys by which checkpoints are verified, retired ones too.";
    const NEED: Need = Need::Public;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = AuditKeysView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let name = CHECKPOINT_ALGORITHM.name();
        let found = signing_keys::ever_public(&mut desk.db(), desk.project().id, name).await?;
        let keys = found.iter().map(|jwk| serde_json::from_str(jwk)).collect::<Result<_, _>>();
        Answer::new(200, &AuditKeysView { keys: keys.map_err(Fault::from)? })
    }
}
