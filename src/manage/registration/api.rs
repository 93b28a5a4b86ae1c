//! `/registration-tokens`: the operator's.

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::CreateRegistrationToken;
use super::view::{RegistrationTokenMade, RegistrationTokenView};
use super::{create, revoke};
use crate::foundation::id::RegistrationTokenId;
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::permission::Permission;
use crate::model::registration::RegistrationToken;
use crate::store::durable::registrations;

const READ: Need = Need::Operator(Permission::ApplicationsRead);
const WRITE: Need = Need::Operator(Permission::ApplicationsWrite);

/// `GET /registration-tokens`
pub struct List;

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
    const PATH: &'static str = "/registration-tokens";
    const NAME: &'static str = "list_registration_tokens";
    const SUMMARY: &'static str = "The tokens by which clients register themselves, ended ones too.";
    const NEED: Need = READ;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<RegistrationTokenView>;

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let (db, project) = (&mut desk.db(), desk.project().id);
        let found = registrations::page(db, project, &slice.text(), slice.most()).await?;
        let (found, next_cursor) = slice.page(found, |last: &RegistrationToken| last.id);
        let items = found.iter().map(|token| RegistrationTokenView::of(token, desk.now)).collect();
        Answer::new(200, &Page { items, next_cursor })
    }
}

/// `POST /registration-tokens`
pub struct Create;

impl Operation for Create {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/registration-tokens";
    const NAME: &'static str = "create_registration_token";
    const SUMMARY: &'static str = "Makes a token by which clients register themselves, and shows it once.";
    const NEED: Need = WRITE;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = &[Code::InvalidValue];
    type Query = NoQuery;
    type Body = Json<CreateRegistrationToken>;
    type Answer = RegistrationTokenMade;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let wanted = body.0.checked(desk.now)?;
        desk.change(async move |change| {
            let (token, text) = create(change, &wanted).await?;
            let location = format!("{BASE}/registration-tokens/{}", token.id);
            let made = RegistrationTokenMade::of(&token, &text, change.keep.now);
            Ok(Answer::new(201, &made)?.location(location))
        })
        .await
    }
}

/// `GET /registration-tokens/{registration_token_id}`
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/registration-tokens/{registration_token_id}";
    const NAME: &'static str = "read_registration_token";
    const SUMMARY: &'static str = "One token, without its secret.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::RegistrationToken);
    const STATUS: &'static [u16] = &[200];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = RegistrationTokenView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id: RegistrationTokenId = desk.params.id("registration_token_id")?;
        let found = registrations::by_id(&mut desk.db(), desk.project().id, id).await?;
        Answer::new(200, &RegistrationTokenView::of(&found.ok_or_else(Refused::hidden)?, desk.now))
    }
}

/// `DELETE /registration-tokens/{registration_token_id}`
pub struct Revoke;

impl Operation for Revoke {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/registration-tokens/{registration_token_id}";
    const NAME: &'static str = "revoke_registration_token";
    const SUMMARY: &'static str = "Ends the token at once; the clients that came by it stay.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::RegistrationToken);
    const STATUS: &'static [u16] = &[204];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let id: RegistrationTokenId = desk.params.id("registration_token_id")?;
        desk.change(async move |change| {
            revoke(change, id).await?;
            Answer::new(204, &())
        })
        .await
    }
}
