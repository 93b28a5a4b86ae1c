//! `/api-keys`

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{CreateApiKey, PatchApiKey, RotateApiKey};
use super::view::{ApiKeyMade, ApiKeyView, tag};
use super::{create, revoke, rotate, update};
use crate::foundation::clock::Moment;
use crate::foundation::id::ApiKeyId;
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, MergePatch, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::api_key::ApiKey;
use crate::model::permission::Permission;
use crate::store::durable::api_keys;

const READ: Need = Need::Permitted(Permission::ApiKeysRead);
const WRITE: Need = Need::Permitted(Permission::ApiKeysWrite);
/// A stolen session makes no key that outlives it.
const FRESH: Option<Duration> = Some(Duration::from_secs(15 * 60));

/// `GET /api-keys`
pub struct List;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// By id, UUID or slug; absent: the caller's own, or for the operator the operator tokens.
    pub organization_id: Option<String>,
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for List {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/api-keys";
    const NAME: &'static str = "list_api_keys";
    const SUMMARY: &'static str = "Keys to this API, ended ones too, without their secrets.";
    const NEED: Need = READ;
    const AT: At = At::AskedOrProjects;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<ApiKeyView>;

    fn organization<'a>(query: &'a ListQuery, _: &'a NoBody) -> Option<&'a str> {
        query.organization_id.as_deref()
    }

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let of = desk.organization.as_ref().map(|found| found.id);
        let (db, project) = (&mut desk.db(), desk.project().id);
        let found = api_keys::page(db, project, of, &slice.text(), slice.most()).await?;
        let (found, next_cursor) = slice.page(found, |last: &ApiKey| last.id);
        Answer::new(
            200,
            &Page { items: found.iter().map(|key| ApiKeyView::of(key, desk.now)).collect(), next_cursor },
        )
    }
}

/// `POST /api-keys`
pub struct Create;

impl Operation for Create {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/api-keys";
    const NAME: &'static str = "create_api_key";
    const SUMMARY: &'static str = "Makes a key of an organization, or an operator token, and shows it once.";
    const NEED: Need = WRITE;
    const AT: At = At::AskedOrProjects;
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = &[Code::InvalidValue, Code::RoleCeiling];
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = Json<CreateApiKey>;
    type Answer = ApiKeyMade;

    fn organization<'a>(_: &'a NoQuery, body: &'a Self::Body) -> Option<&'a str> {
        body.0.organization_id.as_deref()
    }

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let of = desk.organization.as_ref().map(|found| found.id);
        let wanted = body.0.checked()?;
        desk.change(async move |change| {
            let (key, text) = create(change, of, &wanted).await?;
            let location = format!("{BASE}/api-keys/{}", key.id);
            Ok(Answer::new(201, &ApiKeyMade::of((&key, change.keep.now), &text, None))?.location(location))
        })
        .await
    }
}

fn answered(key: &ApiKey, now: Moment) -> Result<Answer<ApiKeyView>, Refused> {
    Ok(Answer::new(200, &ApiKeyView::of(key, now))?.etag(tag(key)))
}

/// `GET /api-keys/{api_key_id}`
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/api-keys/{api_key_id}";
    const NAME: &'static str = "read_api_key";
    const SUMMARY: &'static str = "One key, without its secret.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::ApiKey);
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ApiKeyView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id = desk.params.id("api_key_id")?;
        let found = api_keys::by_id(&mut desk.db(), desk.project().id, id, desk.now).await?;
        let (key, _) = found.ok_or_else(Refused::hidden)?;
        answered(&key, desk.now)
    }
}

/// `PATCH /api-keys/{api_key_id}`
pub struct Patch;

impl Operation for Patch {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/api-keys/{api_key_id}";
    const NAME: &'static str = "patch_api_key";
    const SUMMARY: &'static str = "Gives the key another name, other networks or another end.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::ApiKey);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] =
        &[Code::InvalidValue, Code::RoleCeiling, Code::ApiKeyEnded, Code::PreconditionFailed];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = MergePatch<PatchApiKey>;
    type Answer = ApiKeyView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let id: ApiKeyId = desk.params.id("api_key_id")?;
        let wanted = body.0.checked()?;
        desk.change(async move |change| answered(&update(change, id, &wanted).await?, change.keep.now)).await
    }
}

/// `DELETE /api-keys/{api_key_id}`
pub struct Revoke;

impl Operation for Revoke {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/api-keys/{api_key_id}";
    const NAME: &'static str = "revoke_api_key";
    const SUMMARY: &'static str = "Ends the key, at once and for good.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::ApiKey);
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] = &[Code::PreconditionFailed];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let id: ApiKeyId = desk.params.id("api_key_id")?;
        desk.change(async move |change| {
            revoke(change, id).await?;
            Answer::new(204, &())
        })
        .await
    }
}

/// `POST /api-keys/{api_key_id}/rotate` (S0-09)
pub struct Rotate;

impl Operation for Rotate {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/api-keys/{api_key_id}/rotate";
    const NAME: &'static str = "rotate_api_key";
    const SUMMARY: &'static str = "Gives the key a new secret and shows it once; the one before works for a while, and earlier ones as promised.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::ApiKey);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::InvalidValue,
        Code::RoleCeiling,
        Code::ApiKeyEnded,
        Code::LimitReached,
        Code::PreconditionFailed,
    ];
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = Json<RotateApiKey>;
    type Answer = ApiKeyMade;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let id: ApiKeyId = desk.params.id("api_key_id")?;
        let overlap = body.0.checked()?;
        desk.change(async move |change| {
            let (key, text, until) = rotate(change, id, overlap).await?;
            Answer::new(200, &ApiKeyMade::of((&key, change.keep.now), &text, Some(until)))
        })
        .await
    }
}
