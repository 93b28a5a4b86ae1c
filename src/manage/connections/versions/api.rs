//! `/connections/{connection_id}/…`: its draft and versions, and which of them is live.

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::draft::discard;
use super::{activate, roll_back};
use crate::foundation::id::ConnectionId;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::Need;
use crate::manage::connections::api::{FRESH, READ, WRITE, shown, teller};
use crate::manage::connections::primary::make_primary;
use crate::manage::connections::relied_on::{Force, released};
use crate::manage::connections::switched::{disable, enable, look_first};
use crate::manage::connections::view::{ConnectionView, VersionView};
use crate::manage::connections::{Held, held, is_as_read};
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::connection::Version;
use crate::store::durable::{connection_versions, connections};

/// `DELETE /connections/{connection_id}/draft`
pub struct Discard;

impl Operation for Discard {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/connections/{connection_id}/draft";
    const NAME: &'static str = "discard_connection_draft";
    const SUMMARY: &'static str = "Throws the draft away: what is live stays as it is, and is what is changed next. Its number is given to no other one.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] = &[Code::NoVersion, Code::PreconditionFailed];
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let id: ConnectionId = desk.params.id("connection_id")?;
        desk.change(async move |change| {
            let before = held(change, id).await?;
            is_as_read(change, &before)?;
            discard(change, &before).await?;
            Answer::new(204, &())
        })
        .await
    }
}

/// `GET /connections/{connection_id}/versions`
pub struct Versions;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionsQuery {
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for Versions {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/connections/{connection_id}/versions";
    const NAME: &'static str = "list_connection_versions";
    const SUMMARY: &'static str = "What was made of the connection, the newest first.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = VersionsQuery;
    type Body = NoBody;
    type Answer = Page<VersionView>;

    async fn run(desk: Desk, query: VersionsQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id: ConnectionId = desk.params.id("connection_id")?;
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let before = slice.after.unwrap_or(i64::MAX);
        let found = connection_versions::page(&mut desk.db(), id, before, slice.most()).await?;
        let (found, next_cursor) = slice.page(found, |last: &Version| last.number);
        Answer::new(200, &Page { items: found.iter().map(VersionView::of).collect(), next_cursor })
    }
}

/// `GET /connections/{connection_id}/versions/{version}`
pub struct ReadVersion;

impl Operation for ReadVersion {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/connections/{connection_id}/versions/{version}";
    const NAME: &'static str = "read_connection_version";
    const SUMMARY: &'static str = "What the connection was, or is to be, under this number.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = VersionView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let (id, number) = (desk.params.id::<ConnectionId>("connection_id")?, desk.params.id("version")?);
        let found = connection_versions::by_number(&mut desk.db(), id, number).await?;
        Answer::new(200, &VersionView::of(&found.ok_or_else(Refused::hidden)?))
    }
}

/// `POST /connections/{connection_id}/activate`
pub struct Activate;

/// What is to be live.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivateBody {
    /// The draft's number, for who wants no other. A draft of somebody else's, or of an application that somebody has allowed,
    /// by which more is believed, or more are let in, is named by it, or by `If-Match`; the operator, and of any other draft
    /// everybody, may leave both out. One that undoes what was changed since it was begun goes live by `If-Match` alone,
    /// whoever makes it so (`draft_outdated`).
    pub version: Option<i64>,
    /// Also where people sign in by the connection, and nobody has tried the draft: for an owner who has just signed in, and
    /// the operator; for the operator, also where no owner could sign in any more.
    pub force: Option<bool>,
}

impl Operation for Activate {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/connections/{connection_id}/activate";
    const NAME: &'static str = "activate_connection";
    const SUMMARY: &'static str =
        "Makes the draft live. Whoever is on the way by the connection begins anew.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::NoVersion,
        Code::DraftOutdated,
        Code::DraftUnread,
        Code::Untested,
        Code::ConnectionIncomplete,
        Code::InvalidValue,
        Code::OwnerRequired,
        Code::PolicyLocksOut,
        Code::PreconditionFailed,
        Code::RoleCeiling,
        Code::RoleNotAllowed,
        Code::RoleUnknown,
    ];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = Json<ActivateBody>;
    type Answer = ConnectionView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let ActivateBody { version, force } = body.0;
        acted(desk, Act::Activate(version, force == Some(true))).await
    }
}

/// What is done with a connection that is there.
#[derive(Clone, Copy, Debug)]
enum Act {
    Activate(Option<i64>, bool),
    RollBack(Option<i64>, bool),
    Disable(Force),
    Enable,
    MakePrimary,
}

impl Act {
    /// Whether people may sign in by what was read, and not looked at since.
    const fn opens(self) -> bool {
        matches!(self, Self::Activate(..) | Self::RollBack(..) | Self::Enable)
    }

    async fn on(self, change: &mut Change<'_, '_>, before: Held) -> Result<Held, Refused> {
        match self {
            Self::Activate(version, forced) => activate(change, before, version, forced).await,
            Self::RollBack(version, forced) => roll_back(change, before, version, forced).await,
            Self::Disable(force) => {
                released(change, &before, force).await?;
                disable(change, before, force.force == Some(true)).await
            }
            Self::Enable => enable(change, before).await,
            Self::MakePrimary => make_primary(change, before).await,
        }
    }
}

/// Does it with the connection of the path, and shows what that is then.
async fn acted(desk: Desk, act: Act) -> Result<Answer<ConnectionView>, Refused> {
    let (id, teller) = (desk.params.id::<ConnectionId>("connection_id")?, teller(&desk));
    let found = match act.opens() {
        true => connections::by_id(&mut desk.db(), desk.project().id, id).await?,
        false => None,
    };
    if let Some(found) = &found {
        look_first(desk.visitor.broker(), found).await?;
    }
    desk.change_with_guests(async move |change| {
        let before = held(change, id).await?;
        is_as_read(change, &before)?;
        shown(200, &teller, &act.on(change, before).await?)
    })
    .await
}

/// `POST /connections/{connection_id}/rollback`
pub struct RollBack;

/// What is to be live again.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBackBody {
    /// One that was live; absent: the last one that worked.
    pub version: Option<i64>,
    /// For the operator: also where no owner could sign in any more.
    pub force: Option<bool>,
}

impl Operation for RollBack {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/connections/{connection_id}/rollback";
    const NAME: &'static str = "roll_connection_back";
    const SUMMARY: &'static str = "Brings back what was live before, under a new number.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::NoVersion,
        Code::ConnectionNotActive,
        Code::ConnectionIncomplete,
        Code::InvalidValue,
        Code::OperatorRequired,
        Code::OwnerRequired,
        Code::PolicyLocksOut,
        Code::PreconditionFailed,
        Code::RoleCeiling,
        Code::RoleNotAllowed,
        Code::RoleUnknown,
    ];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = Json<RollBackBody>;
    type Answer = ConnectionView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let RollBackBody { version, force } = body.0;
        acted(desk, Act::RollBack(version, force == Some(true))).await
    }
}

/// `POST /connections/{connection_id}/disable`
pub struct Disable;

impl Operation for Disable {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/connections/{connection_id}/disable";
    const NAME: &'static str = "disable_connection";
    const SUMMARY: &'static str = "Nobody signs in by it from now on.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] =
        &[Code::EnforcementDepends, Code::PolicyLocksOut, Code::PreconditionFailed];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = Force;
    type Body = NoBody;
    type Answer = ConnectionView;

    async fn run(desk: Desk, query: Force, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        acted(desk, Act::Disable(query)).await
    }
}

/// `POST /connections/{connection_id}/enable`
pub struct Enable;

impl Operation for Enable {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/connections/{connection_id}/enable";
    const NAME: &'static str = "enable_connection";
    const SUMMARY: &'static str = "What was disabled is as it was before.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::ConnectionIncomplete,
        Code::DraftUnread,
        Code::LimitReached,
        Code::OwnerRequired,
        Code::PreconditionFailed,
        Code::RoleCeiling,
    ];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ConnectionView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        acted(desk, Act::Enable).await
    }
}

/// `POST /connections/{connection_id}/primary` (S3-11)
pub struct MakePrimary;

impl Operation for MakePrimary {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/connections/{connection_id}/primary";
    const NAME: &'static str = "make_connection_primary";
    const SUMMARY: &'static str =
        "Makes it the one that is meant where none is named, in the place of the one before.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::NotMovable, Code::ConnectionNotActive, Code::PreconditionFailed];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ConnectionView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        acted(desk, Act::MakePrimary).await
    }
}
