//! `/connections`

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::relied_on::Force;
use super::said::body::{Part, Scope, Whole};
use super::view::{ConnectionListed, ConnectionView, Teller, tag};
use super::written::{Goes, changed, made, removed};
use super::{Held, beside, held};
use crate::foundation::id::ConnectionId;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::connection::{Connection, Lifecycle};
use crate::model::permission::Permission;
use crate::store::durable::{connection_versions, connections};

pub use super::versions::api::{
    Activate, Disable, Discard, Enable, MakePrimary, ReadVersion, RollBack, Versions,
};

pub(super) const READ: Need = Need::Permitted(Permission::ConnectionsRead);
pub(super) const WRITE: Need = Need::Permitted(Permission::ConnectionsWrite);
/// Whoever says who somebody is says it of everything that they may.
pub(super) const OWNERS: Need = Need::Owners(Permission::ConnectionsWrite);
/// A stolen session leads nobody to another identity provider (threats C02).
pub(super) const FRESH: Option<Duration> = Some(Duration::from_secs(15 * 60));
/// Metadata comes along.
pub(super) const LARGEST: Option<usize> = Some(1 << 20);
/// What a body is refused for.
const OF_BODIES: [Code; 12] = [
    Code::InvalidValue,
    Code::DiscoveryFailed,
    Code::IssuerMismatch,
    Code::MetadataInvalid,
    Code::AddressNotAllowed,
    Code::RoleUnknown,
    Code::RoleNotAllowed,
    Code::RoleCeiling,
    Code::OperatorRequired,
    Code::OwnerRequired,
    Code::DraftUnread,
    Code::ChangedMeanwhile,
];

pub(super) fn teller(desk: &Desk) -> Teller {
    Teller { issuer: desk.visitor.issuer(), keyring: desk.visitor.broker().keyring.clone(), now: desk.now }
}

pub(super) fn shown(status: u16, teller: &Teller, held: &Held) -> Result<Answer<ConnectionView>, Refused> {
    Ok(Answer::new(status, &teller.connection(held))?.etag(tag(held, &teller.keyring, teller.now)))
}

/// `GET /connections` (S1-O6)
pub struct List;

/// Whose connections, and the place in the list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// By id, UUID or slug. Absent: the caller's own; for the operator, all.
    pub organization_id: Option<String>,
    /// `project`: the project's own, for the operator.
    #[schemars(with = "Option<String>", extend("enum" = ["organization", "project"]))]
    pub scope: Option<Scope>,
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for List {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/connections";
    const NAME: &'static str = "list_connections";
    const SUMMARY: &'static str = "Connections to identity providers, disabled ones too.";
    const NEED: Need = READ;
    const AT: At = At::AskedOrProjects;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid, Code::OperatorRequired];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<ConnectionListed>;

    fn organization<'a>(query: &'a ListQuery, _: &'a NoBody) -> Option<&'a str> {
        query.organization_id.as_deref()
    }

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let scope = query.scope.unwrap_or_default();
        refuse_scope(&desk, scope)?;
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let of = desk.organization.as_ref().map(|organization| organization.id);
        let (db, project, after) = (&mut desk.db(), desk.project().id, slice.text());
        let found = match (of, scope) {
            (None, Scope::Organization) => {
                connections::page_of_all(db, project, &after, slice.most()).await?
            }
            (of, _) => connections::page(db, project, of, &after, slice.most()).await?,
        };
        let (found, next_cursor) = slice.page(found, |last: &(Connection, _)| last.0.id);
        let drafts = drafts(&desk, &found).await?;
        let view = |(connection, lifecycle): &(Connection, Lifecycle)| {
            let draft = drafts.iter().find(|(id, _)| *id == connection.id).map(|(_, number)| *number);
            ConnectionListed::of(connection, lifecycle, draft)
        };
        Answer::new(200, &Page { items: found.iter().map(view).collect(), next_cursor })
    }
}

/// The drafts of one page.
async fn drafts(desk: &Desk, found: &[(Connection, Lifecycle)]) -> Result<Vec<(ConnectionId, i64)>, Refused> {
    match (found.first(), found.last()) {
        (Some((first, _)), Some((last, _))) => {
            Ok(connection_versions::drafts_between(&mut desk.db(), first.id, last.id).await?)
        }
        _ => Ok(Vec::new()),
    }
}

/// What is the project's own is the operator's alone.
fn refuse_scope(desk: &Desk, scope: Scope) -> Result<(), Refused> {
    if scope == Scope::Project && !desk.caller.is_operator() {
        return Err(Refused::new(Code::OperatorRequired, "connections of the project are the operator's"));
    }
    Ok(())
}

/// `POST /connections` (S1-P1 to S1-P4)
pub struct Create;

impl Operation for Create {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/connections";
    const NAME: &'static str = "create_connection";
    const SUMMARY: &'static str = "Makes a connection: a draft, unless it is to be active at once.";
    const NEED: Need = WRITE;
    const AT: At = At::AskedOrProjects;
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = &of_bodies::<_, 18>([
        Code::OrganizationRequired,
        Code::LimitReached,
        Code::ConnectionExists,
        Code::ConnectionIncomplete,
        Code::NoVersion,
        Code::Untested,
    ]);
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    const LARGEST: Option<usize> = LARGEST;
    type Query = NoQuery;
    type Body = Whole;
    type Answer = ConnectionView;

    fn organization<'a>(_: &'a NoQuery, body: &'a Whole) -> Option<&'a str> {
        body.0.meta.organization_id.as_deref()
    }

    async fn run(desk: Desk, _: NoQuery, body: Whole) -> Result<Answer<Self::Answer>, Refused> {
        let scope = body.0.meta.scope.unwrap_or_default();
        refuse_scope(&desk, scope)?;
        match (&desk.organization, scope) {
            (Some(_), Scope::Project) => {
                return Err(Refused::value("/scope", "a connection of the project is no organization's"));
            }
            (None, Scope::Organization) => {
                let detail = "name it as organization_id, or say scope project";
                return Err(Refused::new(Code::OrganizationRequired, detail));
            }
            _ => {}
        }
        made(desk, body.0, false).await
    }
}

/// Codes of an operation that takes a connection.
const fn of_bodies<const MORE: usize, const ALL: usize>(more: [Code; MORE]) -> [Code; ALL] {
    let mut all = [Code::InvalidValue; ALL];
    let mut place = 0;
    while place < all.len() {
        all[place] = if place < OF_BODIES.len() { OF_BODIES[place] } else { more[place - OF_BODIES.len()] };
        place += 1;
    }
    all
}

/// `GET /connections/{connection_id}`
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/connections/{connection_id}";
    const NAME: &'static str = "read_connection";
    const SUMMARY: &'static str = "One connection, with its draft and our own addresses, without secrets.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ConnectionView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        shown(200, &teller(&desk), &asked(&desk).await?)
    }
}

/// The connection of the path, for who only looks.
async fn asked(desk: &Desk) -> Result<Held, Refused> {
    let id: ConnectionId = desk.params.id("connection_id")?;
    let db = &mut desk.db();
    let found = connections::by_id(db, desk.project().id, id).await?.ok_or_else(Refused::hidden)?;
    Ok(beside(db, found).await?)
}

/// `PUT /connections/{connection_id}`
pub struct Replace;

impl Operation for Replace {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = "/connections/{connection_id}";
    const NAME: &'static str = "replace_connection";
    const SUMMARY: &'static str = "Makes what is sent the draft; secrets, and who a SAML provider is, stay where nothing is said of them.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &CHANGES;
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    const LARGEST: Option<usize> = LARGEST;
    type Query = NoQuery;
    type Body = Whole;
    type Answer = ConnectionView;

    async fn run(desk: Desk, _: NoQuery, body: Whole) -> Result<Answer<Self::Answer>, Refused> {
        let base = asked(&desk).await?;
        let goes_live = Goes::only_if(body.0.meta.activate);
        changed(desk, base, (body.0, false), goes_live).await
    }
}

/// What a change of a connection is refused for.
pub(super) const CHANGES: [Code; 20] = of_bodies([
    Code::NotMovable,
    Code::ConnectionIncomplete,
    Code::NoVersion,
    Code::Untested,
    Code::PolicyLocksOut,
    Code::PreconditionFailed,
    Code::ConnectionNotActive,
    Code::DraftOutdated,
]);

/// `PATCH /connections/{connection_id}`
pub struct Patch;

impl Operation for Patch {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/connections/{connection_id}";
    const NAME: &'static str = "patch_connection";
    const SUMMARY: &'static str = "Makes a draft of what there is with what is sent.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &CHANGES;
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    const LARGEST: Option<usize> = LARGEST;
    type Query = NoQuery;
    type Body = Part;
    type Answer = ConnectionView;

    async fn run(desk: Desk, _: NoQuery, body: Part) -> Result<Answer<Self::Answer>, Refused> {
        let base = asked(&desk).await?;
        let goes_live = Goes::only_if(body.0.meta.activate);
        changed(desk, base, (body.0, true), goes_live).await
    }
}

/// `DELETE /connections/{connection_id}` (S1-R25)
pub struct Delete;

impl Operation for Delete {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/connections/{connection_id}";
    const NAME: &'static str = "delete_connection";
    const SUMMARY: &'static str = "Disables the connection and throws its draft away; one that never was live stays a draft. Who came by it stays known.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] =
        &[Code::EnforcementDepends, Code::PolicyLocksOut, Code::PreconditionFailed];
    const FRESH: Option<Duration> = FRESH;
    type Query = Force;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, query: Force, _: NoBody) -> Result<Answer<()>, Refused> {
        let id: ConnectionId = desk.params.id("connection_id")?;
        desk.change_with_guests(async move |change| {
            let before = held(change, id).await?;
            removed(change, before, query).await
        })
        .await
    }
}
