//! Who came by a connection that is switched off comes by the one in its place: whom the same provider calls the same now
//! as then. Somebody looks at a plan first, and nobody is ever led by an address (model.md, identity; S1-R25).

pub mod names;
pub mod person;

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{OWNERS, READ};
use super::{event, held};
use crate::foundation::id::ConnectionId;
use crate::join::notices;
use crate::manage::api::route::{At, Json, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::{Need, OWNERS_FRESH};
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::opening::may_open;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::{Connection, ConnectionState};
use crate::store::durable::identities::{self, Left};
use crate::store::durable::vouched::{self, Place};
use crate::store::durable::{connections, engine::Read};

const PATH: &str = "/connections/{connection_id}/relink";

/// Who could be led to a connection.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RelinkPlan {
    pub connection_id: String,
    /// Of which provider.
    pub issuer: String,
    /// Connections of the same organization that are switched off, with people of this provider.
    pub candidates: Vec<RelinkCandidate>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RelinkCandidate {
    pub from: String,
    pub slug: String,
    pub display_name: String,
    /// Accounts at the provider that would be led on.
    pub identities: i64,
    /// Those of them under which somebody has come by the new connection already: while there are any, nobody is led.
    pub taken: i64,
}

impl RelinkCandidate {
    fn of(left: Left) -> Self {
        let Left { from, slug, display_name, identities, taken } = left;
        Self { from: from.to_string(), slug, display_name, identities, taken }
    }
}

async fn left(db: &mut impl Read, to: &Connection) -> Result<Vec<Left>, Refused> {
    Ok(identities::left(db, to.project_id, to.organization_id, (to.id, to.settings.upstream.issuer()))
        .await?)
}

/// `GET /connections/{connection_id}/relink` (S1-R25)
pub struct Plan;

impl Operation for Plan {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = PATH;
    const NAME: &'static str = "plan_relink";
    const SUMMARY: &'static str = "Who came by connections in whose place this one stands, and would be known by it. Nothing is changed.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = RelinkPlan;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id: ConnectionId = desk.params.id("connection_id")?;
        let db = &mut desk.db();
        let to = connections::by_id(db, desk.project().id, id).await?.ok_or_else(Refused::hidden)?;
        let candidates = left(db, &to).await?.into_iter().map(RelinkCandidate::of).collect();
        let (connection_id, issuer) = (to.id.to_string(), to.settings.upstream.issuer().to_owned());
        Answer::new(200, &RelinkPlan { connection_id, issuer, candidates })
    }
}

/// Whom to lead on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelinkBody {
    /// The connection by which they came.
    pub from: String,
    /// How many they are, by the plan that somebody has looked at.
    #[schemars(range(min = 1))]
    pub identities: i64,
}

/// Who was led on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Relinked {
    pub connection_id: String,
    pub from: String,
    pub identities: i64,
}

/// `POST /connections/{connection_id}/relink` (S1-R25)
pub struct Relink;

impl Operation for Relink {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = PATH;
    const NAME: &'static str = "relink";
    const SUMMARY: &'static str = "Leads who came by a connection that is switched off to this one of the same provider, all of them or none; for an owner, and the operator.";
    const NEED: Need = OWNERS;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] =
        &[Code::InvalidValue, Code::ConnectionNotActive, Code::RelinkConflict, Code::PlanChanged];
    const FRESH: Option<Duration> = Some(OWNERS_FRESH);
    type Query = NoQuery;
    type Body = Json<RelinkBody>;
    type Answer = Relinked;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let id: ConnectionId = desk.params.id("connection_id")?;
        desk.change(async move |change| {
            let moved = relink(change, id, &body.0).await?;
            Answer::new(200, &moved)
        })
        .await
    }
}

/// Whoever says by whom people are known from now on could become them.
async fn may_be_led(change: &mut Change<'_, '_>, from: ConnectionId, to: &Connection) -> Result<(), Refused> {
    // The project's own are the operator's.
    let Some(organization) = to.organization_id else { return Ok(()) };
    let place = Place { project: change.keep.project.id, organization, now: change.keep.now };
    let opened = vouched::by_connection(change.tx, place, (from, &to.settings)).await?;
    may_open(change, organization, &opened, "an owner of the organization decides this").await
}

async fn relink(
    change: &mut Change<'_, '_>,
    id: ConnectionId,
    wanted: &RelinkBody,
) -> Result<Relinked, Refused> {
    let unknown =
        || Refused::value("/from", "is no such connection of this organization, or is not switched off");
    let from: ConnectionId = wanted.from.parse().map_err(|_| unknown())?;
    let to = held(change, id).await?.connection;
    if to.state == ConnectionState::Disabled {
        return Err(Refused::new(Code::ConnectionNotActive, "nobody could come by it"));
    }
    let all = left(change.tx, &to).await?;
    let plan = all.into_iter().find(|left| left.from == from).ok_or_else(unknown)?;
    if plan.taken > 0 {
        let detail = format!("{} have come by the new connection as somebody else already", plan.taken);
        return Err(Refused::new(Code::RelinkConflict, detail));
    }
    if plan.identities != wanted.identities {
        let detail = format!("they are {} by now: look at the plan again", plan.identities);
        return Err(Refused::new(Code::PlanChanged, detail));
    }
    may_be_led(change, from, &to).await?;
    identities::relink(change.tx, (from, to.id), to.settings.upstream.issuer(), change.keep.now).await?;
    let told = event(change, "organization.connection.relinked", &to)
        .with("from", from.to_string())
        .with("issuer", to.settings.upstream.issuer())
        .with("identities", plan.identities);
    change.record(&told).await?;
    notices::relinked(change.tx, change.keep, &to).await?;
    let (connection_id, from) = (to.id.to_string(), from.to_string());
    Ok(Relinked { connection_id, from, identities: plan.identities })
}
