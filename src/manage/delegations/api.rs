//! `/delegations`

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{OnSide, PatchDelegation, ProposeDelegation};
use super::view::{DelegationView, tag};
use super::{approve, pause, propose, resume, revoke, update};
use crate::foundation::id::{DelegationId, OrganizationId};
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, MergePatch, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::{Need, Standing};
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::delegation::{Delegation, Side};
use crate::model::permission::Permission;
use crate::store::durable::delegations;

const READ: Need = Need::Still(Permission::DelegationsRead);
/// Who may have none any more ends those that there are.
const END: Need = Need::Still(Permission::DelegationsWrite);
const WRITE: Need = Need::Permitted(Permission::DelegationsWrite);
/// What lets others in outlives a stolen session, as a key does (threats M17).
const FRESH: Option<Duration> = Some(Duration::from_secs(15 * 60));
/// Proposals of one organization in an hour: who asks after the names of others does not get far.
const PROPOSALS: u64 = 20;
const HOUR: Duration = Duration::from_secs(3_600);

/// `GET /delegations`
pub struct List;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// By id, UUID or slug; absent: the caller's own.
    pub organization_id: Option<String>,
    /// Those in which it is `home`, or `target`; absent: both.
    #[schemars(with = "Option<String>", extend("enum" = ["home", "target"]))]
    pub side: Option<Side>,
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for List {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/delegations";
    const NAME: &'static str = "list_delegations";
    const SUMMARY: &'static str = "What an organization has agreed on with others, or is to.";
    const NEED: Need = READ;
    const AT: At = At::Asked;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<DelegationView>;

    fn organization<'a>(query: &'a ListQuery, _: &'a NoBody) -> Option<&'a str> {
        query.organization_id.as_deref()
    }

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let of = desk.organization()?.id;
        let db = &mut desk.db();
        let found = delegations::page(db, of, query.side, &slice.text(), slice.most()).await?;
        let (found, next_cursor) = slice.page(found, |last: &delegations::Named| last.delegation.id);
        let view =
            |named: &delegations::Named| DelegationView::of(named, desk.caller.organization(), desk.now);
        let items = found.iter().map(view).collect();
        Answer::new(200, &Page { items, next_cursor })
    }
}

/// `POST /delegations`
pub struct Propose;

impl Operation for Propose {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/delegations";
    const NAME: &'static str = "propose_delegation";
    const SUMMARY: &'static str =
        "Proposes a delegation to the other organization, if it is there; who proposes it approves it.";
    const NEED: Need = WRITE;
    const AT: At = At::Asked;
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = &[
        Code::InvalidValue,
        Code::ReauthenticationRequired,
        Code::RoleCeiling,
        Code::RoleUnknown,
        Code::DelegationExists,
    ];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = Json<ProposeDelegation>;
    type Answer = DelegationView;

    fn organization<'a>(_: &'a NoQuery, body: &'a Self::Body) -> Option<&'a str> {
        body.0.organization_id.as_deref()
    }

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let own = desk.organization()?;
        let is_own = |name: &str| name == own.slug || name.parse() == Ok(own.id);
        let wanted = body.0.checked(is_own)?;
        let id = own.id;
        let count = format!("api delegations {id}");
        desk.at_most(&count, (PROPOSALS, HOUR), || format!("{PROPOSALS} proposals an hour")).await?;
        desk.change(async move |change| {
            let made = propose(change, id, &wanted).await?;
            let location = format!("{BASE}/delegations/{}", made.id);
            Ok(answered(change, 201, &made).await?.location(location))
        })
        .await
    }
}

/// For whom the caller acts.
fn reader(change: &Change<'_, '_>) -> Option<OrganizationId> {
    match change.standing {
        Standing::Within { organization, .. } => organization,
        _ => None,
    }
}

/// With the names of both.
async fn answered(
    change: &mut Change<'_, '_>,
    status: u16,
    delegation: &Delegation,
) -> Result<Answer<DelegationView>, Refused> {
    let named = delegations::by_id_named(change.tx, delegation.project_id, delegation.id).await?;
    let named = named.ok_or_else(Refused::hidden)?;
    Ok(Answer::new(status, &DelegationView::of(&named, reader(change), change.keep.now))?
        .etag(tag(delegation)))
}

/// `GET /delegations/{delegation_id}`
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/delegations/{delegation_id}";
    const NAME: &'static str = "read_delegation";
    const SUMMARY: &'static str = "One delegation, for both of its organizations.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::Delegation);
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = DelegationView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id: DelegationId = desk.params.id("delegation_id")?;
        let found = delegations::by_id_named(&mut desk.db(), desk.project().id, id).await?;
        let found = found.ok_or_else(Refused::hidden)?;
        let view = DelegationView::of(&found, desk.caller.organization(), desk.now);
        Ok(Answer::new(200, &view)?.etag(tag(&found.delegation)))
    }
}

/// `PATCH /delegations/{delegation_id}`
pub struct Patch;

impl Operation for Patch {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/delegations/{delegation_id}";
    const NAME: &'static str = "patch_delegation";
    const SUMMARY: &'static str = "Changes what was proposed, which the other side then has to approve anew.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Delegation);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::InvalidValue,
        Code::ReauthenticationRequired,
        Code::RoleCeiling,
        Code::RoleUnknown,
        Code::DelegationRevoked,
        Code::PreconditionFailed,
    ];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = MergePatch<PatchDelegation>;
    type Answer = DelegationView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let id: DelegationId = desk.params.id("delegation_id")?;
        let said = body.0.side;
        let terms = body.0.checked()?;
        desk.change(async move |change| {
            let after = update(change, id, said, &terms).await?;
            answered(change, 200, &after).await
        })
        .await
    }
}

/// What is done with one for a side.
#[derive(Clone, Copy, Debug)]
enum Step {
    Approve,
    Pause,
    Resume,
    Revoke,
}

/// Does it with the delegation of the path, and shows what that is then.
async fn taken(desk: Desk, step: Step, said: Option<Side>) -> Result<Answer<DelegationView>, Refused> {
    let id: DelegationId = desk.params.id("delegation_id")?;
    desk.change(async move |change| {
        let after = match step {
            Step::Approve => approve(change, id, said).await?,
            Step::Pause => pause(change, id, said).await?,
            Step::Resume => resume(change, id, said).await?,
            Step::Revoke => revoke(change, id, said).await?,
        };
        answered(change, 200, &after).await
    })
    .await
}

/// `POST /delegations/{delegation_id}/approve`
pub struct Approve;

impl Operation for Approve {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/delegations/{delegation_id}/approve";
    const NAME: &'static str = "approve_delegation";
    const SUMMARY: &'static str =
        "Approves the delegation as it was read, which `If-Match` names, for the caller's side.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Delegation);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::InvalidValue,
        Code::DelegationRevoked,
        Code::ReauthenticationRequired,
        Code::RoleCeiling,
        Code::RoleUnknown,
        Code::AlreadyApproved,
        Code::PreconditionFailed,
        Code::PreconditionRequired,
    ];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = Json<OnSide>;
    type Answer = DelegationView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        taken(desk, Step::Approve, body.0.side).await
    }
}

/// `POST /delegations/{delegation_id}/pause`
pub struct Pause;

impl Operation for Pause {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/delegations/{delegation_id}/pause";
    const NAME: &'static str = "pause_delegation";
    const SUMMARY: &'static str = "Lets nobody act by the delegation until the caller's side resumes it.";
    const NEED: Need = END;
    const AT: At = At::Thing(Thing::Delegation);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::InvalidValue, Code::DelegationRevoked, Code::PreconditionFailed];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = Json<OnSide>;
    type Answer = DelegationView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        taken(desk, Step::Pause, body.0.side).await
    }
}

/// `POST /delegations/{delegation_id}/resume`
pub struct Resume;

impl Operation for Resume {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/delegations/{delegation_id}/resume";
    const NAME: &'static str = "resume_delegation";
    const SUMMARY: &'static str = "Ends the pause of the caller's side.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Delegation);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::InvalidValue,
        Code::DelegationRevoked,
        Code::PausedByOther,
        Code::PreconditionFailed,
        Code::ReauthenticationRequired,
        Code::RoleCeiling,
        Code::RoleUnknown,
    ];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = Json<OnSide>;
    type Answer = DelegationView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        taken(desk, Step::Resume, body.0.side).await
    }
}

/// `POST /delegations/{delegation_id}/revoke`
pub struct Revoke;

impl Operation for Revoke {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/delegations/{delegation_id}/revoke";
    const NAME: &'static str = "revoke_delegation";
    const SUMMARY: &'static str = "Ends the delegation for good, and what was issued by it.";
    const NEED: Need = END;
    const AT: At = At::Thing(Thing::Delegation);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::InvalidValue, Code::DelegationRevoked, Code::PreconditionFailed];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = Json<OnSide>;
    type Answer = DelegationView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        taken(desk, Step::Revoke, body.0.side).await
    }
}
