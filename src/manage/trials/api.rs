//! `/connections/{connection_id}/tests`

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::make;
use super::view::{TestMade, TestView};
use crate::foundation::id::ConnectionId;
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, MaybeJson, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::permission::Permission;
use crate::store::durable::connection_tests;

const READ: Need = Need::Permitted(Permission::ConnectionsRead);
/// Links that an organization may make in an hour.
const LINKS: u64 = 30;
const HOUR: Duration = Duration::from_secs(3_600);

/// What is to be tried. The body may be left out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTest {
    /// Absent: the draft, or what is live where there is none.
    #[schemars(range(min = 1))]
    pub version: Option<i64>,
}

/// `POST /connections/{connection_id}/tests` (S1-P6)
pub struct Create;

impl Operation for Create {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/connections/{connection_id}/tests";
    const NAME: &'static str = "create_connection_test";
    const SUMMARY: &'static str =
        "Makes a link by which somebody tries the connection as it is now, or as its draft has it.";
    const NEED: Need = Need::Permitted(Permission::ConnectionsTest);
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = &[Code::ConnectionIncomplete, Code::InvalidValue];
    type Query = NoQuery;
    type Body = MaybeJson<CreateTest>;
    type Answer = TestMade;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let id: ConnectionId = desk.params.id("connection_id")?;
        let of =
            desk.organization.as_ref().map_or_else(|| desk.project().id.to_string(), |of| of.id.to_string());
        let told = || format!("{LINKS} links in an hour are enough");
        desk.at_most(&format!("tests {of}"), (LINKS, HOUR), told).await?;
        let issuer = desk.visitor.issuer();
        desk.change(async move |change| {
            let (test, token) = make(change, id, body.0.version).await?;
            let link = format!("{issuer}/try/{}", token.expose());
            let location = format!("{BASE}/connections/{id}/tests/{}", test.id);
            let made = TestMade { test: TestView::of(&test, change.keep.now), link };
            Ok(Answer::new(201, &made)?.location(location))
        })
        .await
    }
}

/// `GET /connections/{connection_id}/tests`
pub struct List;

/// The place in the list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for List {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/connections/{connection_id}/tests";
    const NAME: &'static str = "list_connection_tests";
    const SUMMARY: &'static str = "Sign-ins on trial, newest first, with what came of each.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<TestView>;

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let id: ConnectionId = desk.params.id("connection_id")?;
        let found = connection_tests::page(&mut desk.db(), id, slice.after, slice.most()).await?;
        let (found, next_cursor) = slice.page(found, |last| last.id);
        let items = found.iter().map(|test| TestView::of(test, desk.now)).collect();
        Answer::new(200, &Page { items, next_cursor })
    }
}

/// `GET /connections/{connection_id}/tests/{test_id}`
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/connections/{connection_id}/tests/{test_id}";
    const NAME: &'static str = "read_connection_test";
    const SUMMARY: &'static str = "One sign-in on trial, with what came of it.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::Connection);
    const STATUS: &'static [u16] = &[200];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = TestView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let (connection, id) = (desk.params.id("connection_id")?, desk.params.id("test_id")?);
        let found = connection_tests::of(&mut desk.db(), connection, id).await?;
        Answer::new(200, &TestView::of(&found.ok_or_else(Refused::hidden)?, desk.now))
    }
}
