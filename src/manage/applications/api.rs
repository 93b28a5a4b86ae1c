//! `/applications`: the project's own are the operator's, others their organization's as well (S0-25).

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{ApplicationBody, RotateSecret};
use super::view::{ApplicationListed, ApplicationMade, ApplicationView, tag};
use super::{Whole, create, disable, rotate, update};
use crate::foundation::id::ApplicationId;
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, MergePatch, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::application::Application;
use crate::model::permission::Permission;
use crate::store::durable::{applications, organizations};

const READ: Need = Need::Permitted(Permission::ApplicationsRead);
const WRITE: Need = Need::Permitted(Permission::ApplicationsWrite);
/// A stolen session leads nobody's tokens elsewhere.
const FRESH: Option<Duration> = Some(Duration::from_secs(15 * 60));

const CHANGES: &[Code] = &[
    Code::InvalidValue,
    Code::AddressNotAllowed,
    Code::NotMovable,
    Code::OperatorRequired,
    Code::PreconditionFailed,
];

/// `GET /applications`
pub struct List;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// By id, UUID or slug. Absent: the caller's own; for the operator, all.
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
    const PATH: &'static str = "/applications";
    const NAME: &'static str = "list_applications";
    const SUMMARY: &'static str =
        "The applications of an organization, or of the project; disabled ones too.";
    const NEED: Need = READ;
    const AT: At = At::AskedOrProjects;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<ApplicationListed>;

    fn organization<'a>(query: &'a ListQuery, _: &'a NoBody) -> Option<&'a str> {
        query.organization_id.as_deref()
    }

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let (db, project) = (&mut desk.db(), desk.project().id);
        let found = match &desk.organization {
            Some(owner) => applications::page_of(db, owner.id, &slice.text(), slice.most()).await?,
            None => applications::page(db, project, &slice.text(), slice.most()).await?,
        };
        let (found, next_cursor) = slice.page(found, |last: &Application| last.id);
        Answer::new(200, &Page { items: found.iter().map(ApplicationListed::of).collect(), next_cursor })
    }
}

/// `POST /applications`
pub struct Create;

impl Operation for Create {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/applications";
    const NAME: &'static str = "create_application";
    const SUMMARY: &'static str =
        "Makes an application; its secret, if it has one, is made too and shown once.";
    const NEED: Need = WRITE;
    const AT: At = At::AskedOrProjects;
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = &[
        Code::InvalidValue,
        Code::AddressNotAllowed,
        Code::ClientIdTaken,
        Code::LimitReached,
        Code::OperatorRequired,
        Code::OrganizationFunctionMissing,
    ];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = Json<ApplicationBody>;
    type Answer = ApplicationMade;

    fn organization<'a>(_: &'a NoQuery, body: &'a Self::Body) -> Option<&'a str> {
        body.0.organization_id.as_deref()
    }

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let owner = desk.organization.as_ref().map(|owner| owner.id);
        let (broker, project) = (desk.visitor.broker(), desk.project().id);
        let wanted = body.0.checked()?.looked_at(broker, project, None).await?;
        desk.change(async move |change| {
            let (whole, secret) = create(change, owner, &wanted).await?;
            let answer = Answer::new(201, &ApplicationMade::of(&whole, secret.as_ref()))?;
            Ok(answer.etag(tag(&whole)).location(format!("{BASE}/applications/{}", whole.application.id)))
        })
        .await
    }
}

fn answered(whole: &Whole) -> Result<Answer<ApplicationView>, Refused> {
    Ok(Answer::new(200, &ApplicationView::of(whole))?.etag(tag(whole)))
}

/// `GET /applications/{application_id}`
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/applications/{application_id}";
    const NAME: &'static str = "read_application";
    const SUMMARY: &'static str = "One application, without its secrets.";
    const NEED: Need = READ;
    const AT: At = At::Thing(Thing::Application);
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ApplicationView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id: ApplicationId = desk.params.id("application_id")?;
        let db = &mut desk.db();
        let application =
            applications::by_id(db, desk.project().id, id).await?.ok_or_else(Refused::hidden)?;
        let listed = applications::listed(db, id).await?;
        let secrets = applications::secrets(db, id).await?.len();
        answered(&Whole { application, listed, secrets })
    }
}

/// `PUT /applications/{application_id}`
pub struct Replace;

impl Operation for Replace {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = "/applications/{application_id}";
    const NAME: &'static str = "replace_application";
    const SUMMARY: &'static str = "Makes the application what is sent; its secrets stay.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Application);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = CHANGES;
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = Json<ApplicationBody>;
    type Answer = ApplicationView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        changed(desk, body.0, true).await
    }
}

/// `PATCH /applications/{application_id}`
pub struct Patch;

impl Operation for Patch {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/applications/{application_id}";
    const NAME: &'static str = "patch_application";
    const SUMMARY: &'static str = "Changes what is sent of the application.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Application);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = CHANGES;
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = MergePatch<ApplicationBody>;
    type Answer = ApplicationView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        changed(desk, body.0, false).await
    }
}

/// It stays with whose it is (S0-04). Of whatever else there is nobody learns here.
async fn stays(desk: &Desk, named: Option<&str>) -> Result<(), Refused> {
    let Some(named) = named else { return Ok(()) };
    let found = organizations::named(&mut desk.db(), desk.project().id, named).await?;
    let own = desk.organization.as_ref().map(|owner| owner.id);
    match found.map(|found| found.id) {
        Some(found) if own == Some(found) => Ok(()),
        _ => Err(Refused::new(Code::NotMovable, "it stays with whose it is, the project or an organization")),
    }
}

async fn changed(
    desk: Desk,
    body: ApplicationBody,
    from_scratch: bool,
) -> Result<Answer<ApplicationView>, Refused> {
    let id: ApplicationId = desk.params.id("application_id")?;
    stays(&desk, body.organization_id.as_deref()).await?;
    let (broker, project) = (desk.visitor.broker(), desk.project().id);
    let wanted = body.checked()?.looked_at(broker, project, Some(id)).await?;
    desk.change(async move |change| answered(&update(change, id, &wanted, from_scratch).await?)).await
}

/// `DELETE /applications/{application_id}`
pub struct Disable;

impl Operation for Disable {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/applications/{application_id}";
    const NAME: &'static str = "disable_application";
    const SUMMARY: &'static str = "Ends the application; its client_id is never another one's.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Application);
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] = &[Code::PreconditionFailed];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let id: ApplicationId = desk.params.id("application_id")?;
        desk.change(async move |change| {
            disable(change, id).await?;
            Answer::new(204, &())
        })
        .await
    }
}

/// `POST /applications/{application_id}/secrets`
pub struct Rotate;

impl Operation for Rotate {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/applications/{application_id}/secrets";
    const NAME: &'static str = "rotate_application_secret";
    const SUMMARY: &'static str = "Gives the application a new secret and shows it once; two work at most.";
    const NEED: Need = WRITE;
    const AT: At = At::Thing(Thing::Application);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::NoSecrets, Code::PreconditionFailed];
    const ETAG: bool = true;
    const FRESH: Option<Duration> = FRESH;
    type Query = NoQuery;
    type Body = Json<RotateSecret>;
    type Answer = ApplicationMade;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let id: ApplicationId = desk.params.id("application_id")?;
        let keeps_one = body.0.keep_old.unwrap_or(true);
        desk.change(async move |change| {
            let (whole, secret) = rotate(change, id, keeps_one).await?;
            Ok(Answer::new(200, &ApplicationMade::of(&whole, Some(&secret)))?.etag(tag(&whole)))
        })
        .await
    }
}
