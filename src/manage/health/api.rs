//! `/organizations/{organization_id}/health`, `/connections/{connection_id}/failures` and `…/review`

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::checks;
use super::view::{FailuresView, HealthView};
use crate::foundation::clock::Moment;
use crate::foundation::id::{AuditEventId, ConnectionId};
use crate::manage::api::route::{At, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::connection::Connection;
use crate::model::permission::Permission;
use crate::store::durable::audit_events::{self, Action, Asked};
use crate::store::durable::{connection_runs, connections, transfers};

const HOUR: Duration = Duration::from_secs(3_600);
/// Hours that are told, unless somebody asks for another number.
const USUAL: u32 = 24;
const MOST: u32 = 720;

/// `GET /organizations/{organization_id}/health` (S1-A1 to S1-A8)
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/health";
    const NAME: &'static str = "read_health";
    const SUMMARY: &'static str =
        "What somebody should see to, and what to do about it; and who is about to own the organization.";
    const NEED: Need = Need::Permitted(Permission::HealthRead);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = HealthView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let (organization, project) = (desk.organization()?, desk.project());
        let all = checks(&mut desk.db(), project, organization, desk.now).await?;
        let offer = transfers::pending(&mut desk.db(), organization.id, desk.now).await?;
        Answer::new(200, &HealthView::of(&all, offer.as_ref()))
    }
}

/// `GET /connections/{connection_id}/failures` (S1-A8)
pub struct Failures;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailuresQuery {
    /// How many hours are counted, this one included: 1 to 720; absent: 24.
    #[schemars(range(min = 1, max = 720))]
    pub hours: Option<u32>,
    /// 1 to 200 of the list; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for Failures {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/connections/{connection_id}/failures";
    const NAME: &'static str = "list_connection_failures";
    const SUMMARY: &'static str =
        "How sign-ins through the connection end: by the hour, and each that failed.";
    const NEED: Need = Need::Permitted(Permission::HealthRead);
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = FailuresQuery;
    type Body = NoBody;
    type Answer = FailuresView;

    async fn run(desk: Desk, query: FailuresQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let slice = desk.slice::<(Moment, AuditEventId)>(query.limit, query.cursor.as_deref())?;
        let hours = match query.hours.unwrap_or(USUAL) {
            hours @ 1..=MOST => hours,
            _ => return Err(Refused::parameter("hours", format!("must be 1 to {MOST}"))),
        };
        let connection = asked(&desk).await?;
        let (id, db) = (connection.id, &mut desk.db());
        let wanted = Asked {
            project: desk.project().id,
            organization: connection.organization_id,
            request: None,
            subject: Some(id.to_string()),
            actor: None,
            action: Some(Action::Exactly("login.refused".into())),
            outcome: None,
            from: None,
            to: None,
            after: slice.after,
            most: slice.limit,
        };
        let (found, last) = audit_events::page(db, &wanted).await?;
        let next = last.map(|place| slice.cursor(&place));
        let run = connection_runs::of(db, id, connection.version).await?;
        let review = connections::review_since(db, id).await?;
        let counted = connection_runs::hours(db, id, desk.now.minus(HOUR * (hours - 1))).await?;
        Answer::new(200, &FailuresView::of(&connection, run, review, &counted, (found, next)))
    }
}

/// The connection of the path.
async fn asked(desk: &Desk) -> Result<Connection, Refused> {
    let id: ConnectionId = desk.params.id("connection_id")?;
    let found = connections::by_id(&mut desk.db(), desk.project().id, id).await?;
    found.ok_or_else(Refused::hidden)
}

/// `DELETE /connections/{connection_id}/review` (S1-A7)
pub struct Reviewed;

impl Operation for Reviewed {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/connections/{connection_id}/review";
    const NAME: &'static str = "end_connection_review";
    const SUMMARY: &'static str = "Says that somebody has looked at what the provider has changed.";
    const NEED: Need = Need::Permitted(Permission::ConnectionsWrite);
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[204];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let id: ConnectionId = desk.params.id("connection_id")?;
        desk.change(async move |change| {
            let project = change.keep.project.id;
            let found = connections::by_id(change.tx, project, id).await?.ok_or_else(Refused::hidden)?;
            if connections::set_review(change.tx, id, None).await? > 0 {
                let event = AuditEvent::new(project, "organization.connection.reviewed", Outcome::Changed)
                    .organization(found.organization_id)
                    .actor(change.keep.actor)
                    .request(change.keep.request)
                    .subject(id);
                change.record(&event.with("version", found.version)).await?;
            }
            Answer::new(204, &())
        })
        .await
    }
}
