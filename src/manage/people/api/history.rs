//! What happened to a member (S1-L7).

use http::Method;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Place;
use crate::foundation::id::UserId;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, NoBody, Operation};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::permission::Permission;
use crate::store::durable::memberships;
use crate::store::durable::people::{self, Happened};

/// `GET /organizations/{organization_id}/members/{user_id}/history` (S1-L7)
pub struct History;

/// Something that happened to a member.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HappenedView {
    pub id: String,
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Who did it: an id, or the kind of who has none.
    pub actor: String,
    pub actor_kind: String,
    pub action: String,
    pub outcome: String,
    pub reason: Option<String>,
    pub request_id: Option<String>,
    /// Only what differs.
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub detail: Map<String, Value>,
}

impl HappenedView {
    fn of(it: Happened) -> Self {
        Self {
            id: it.id.to_string(),
            at: it.at.rfc3339(),
            actor: it.actor,
            actor_kind: it.actor_kind,
            action: it.action,
            outcome: it.outcome,
            reason: it.reason,
            request_id: it.request_id.map(|id| id.to_string()),
            before: it.before,
            after: it.after,
            detail: it.detail,
        }
    }
}

impl Operation for History {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/members/{user_id}/history";
    const NAME: &'static str = "list_member_history";
    const SUMMARY: &'static str = "What happened to a member, the latest first; of who was removed, too.";
    // It is a part of the trail.
    const NEED: Need = Need::Permitted(Permission::AuditRead);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = Place;
    type Body = NoBody;
    type Answer = Page<HappenedView>;

    async fn run(desk: Desk, query: Place, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let (id, user): (_, UserId) = (desk.organization()?.id, desk.params.id("user_id")?);
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        memberships::find(&mut desk.db(), id, user).await?.ok_or_else(Refused::hidden)?;
        let project = desk.project().id;
        let found = people::history(&mut desk.db(), project, id, user, slice.after, slice.most()).await?;
        let (found, next_cursor) = slice.page(found, |last: &Happened| (last.at, last.id));
        Answer::new(200, &Page { items: found.into_iter().map(HappenedView::of).collect(), next_cursor })
    }
}
