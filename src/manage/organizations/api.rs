//! `/organizations`

mod lifecycle;

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{CreateOrganization, PatchOrganization, ReplaceOrganization};
use super::view::{OrganizationListed, OrganizationNames};
use super::{OrganizationView, Owner, Wanted, create, make, owner, rewrite, view};
use crate::foundation::id::{OrganizationId, UserId};
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, MergePatch, NoBody, NoQuery, Operation};
use crate::manage::authority::{Need, Standing};
use crate::manage::caller::Who;
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::last_way::Sure;
use crate::manage::refused::{Code, Refused};
use crate::model::organization::{Organization, Status};
use crate::model::permission::Permission;
use crate::protocol::problem::Place;
use crate::store::durable::organizations::{self, Listing, Visible};
use crate::store::durable::{memberships, projects};

pub use lifecycle::{Deactivate, Delete, Reactivate, Restore};

/// `GET /organizations` (S1-R01, S0-12)
pub struct List;

/// Filters and the place in the list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// What the name begins with, in any case. The list is then in the order of the names.
    pub name: Option<String>,
    /// `active`, `deactivated` or, for the operator, `deleted`. Absent: all but the deleted ones.
    #[schemars(with = "Option<String>", extend("enum" = ["active", "deactivated", "deleted"]))]
    pub status: Option<Status>,
    /// Whether it has an active owner.
    pub has_owner: Option<bool>,
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for List {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations";
    const NAME: &'static str = "list_organizations";
    const SUMMARY: &'static str = "Organizations that the caller can see.";
    const NEED: Need = Need::Any;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<OrganizationListed>;

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let slice = desk.slice::<(OrganizationId, Vec<u8>)>(query.limit, query.cursor.as_deref())?;
        let listing = Listing {
            project: desk.project().id,
            visible: visible(&desk).await?,
            status: query.status,
            has_owner: query.has_owner,
            name: query.name,
            after: slice.after.clone(),
            most: slice.most(),
        };
        // What is deleted is the operator's to see.
        let hidden = listing.status == Some(Status::Deleted) && !desk.caller.is_operator();
        let found = if hidden { Vec::new() } else { organizations::page(&mut desk.db(), &listing).await? };
        let keys = |last: &organizations::Listed| (last.organization.id, last.name_key());
        let (found, next_cursor) = slice.page(found, keys);
        let shown = |listed: &organizations::Listed| listed_as(&desk, &listed.organization, listed.has_owner);
        Answer::new(200, &Page { items: found.iter().map(shown).collect(), next_cursor })
    }
}

async fn visible(desk: &Desk) -> Result<Visible, Refused> {
    Ok(match (&desk.caller.who, &desk.caller.standing) {
        (Who::Person(acting), _) => Visible::OfMember(acting.user, desk.told().await?),
        (_, Standing::Within { organization: Some(id), .. }) => Visible::Only(*id),
        _ => Visible::All,
    })
}

/// Whole for who may read it; of others that they belong to, people see the names.
fn listed_as(desk: &Desk, organization: &Organization, has_owner: bool) -> OrganizationListed {
    let caller = &desk.caller;
    if caller.is_operator() || caller.standing.may(Permission::OrganizationRead, organization.id) {
        OrganizationListed::Whole(Box::new(shown(desk, organization, has_owner)))
    } else {
        OrganizationListed::Named(OrganizationNames::of(organization))
    }
}

/// As this caller may see it.
fn shown(desk: &Desk, organization: &Organization, has_owner: bool) -> OrganizationView {
    let all =
        desk.caller.standing.may(Permission::OrganizationWrite, organization.id) || desk.caller.is_operator();
    OrganizationView::of(organization, has_owner, all)
}

/// `POST /organizations` (S1-R02, S0-16 to S0-19)
pub struct Create;

impl Operation for Create {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations";
    const NAME: &'static str = "create_organization";
    const SUMMARY: &'static str = "Makes an organization, with the id that is given or one of its own. Whoever makes it for themselves owns it.";
    const NEED: Need = Need::OperatorOrPerson(Permission::OrganizationWrite);
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = &[
        Code::InvalidValue,
        Code::UriInvalid,
        Code::MembershipExclusive,
        Code::NotFound,
        Code::OperatorRequired,
        Code::OrganizationExists,
        Code::SlugTaken,
        Code::UserNotFound,
    ];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = Json<CreateOrganization>;
    type Answer = OrganizationView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let owner = match desk.caller.who {
            Who::Person(acting) => {
                of_person(&desk, acting.user, body.0.operators()).await?;
                Some(Owner::User(acting.user))
            }
            _ => body.0.owner()?,
        };
        let written = body.0.id.clone();
        let id = written.as_deref().map(str::parse).transpose();
        let id =
            id.map_err(|_| Refused::value("/id", "must be a UUID with hyphens, or org_ and 26 characters"))?;
        let wanted = body.0.checked()?;
        let at = desk.visitor.broker().clone();
        desk.change_alone(async move |change| {
            refuse_unwanted(change).await?;
            let made = create(change, id, written.as_deref(), &wanted).await?;
            let mut view = OrganizationView::of(&made, false, true);
            if let Some(owner) = &owner {
                view.owner_invitation = owner::give(change, &at, made.id, owner).await?;
                view.has_owner = view.owner_invitation.is_none();
            }
            created(&made, view)
        })
        .await
    }
}

/// Organizations that one person makes in a day.
const A_DAY: u64 = 20;
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A person makes organizations for themselves, and not without end.
async fn of_person(desk: &Desk, user: UserId, operators: Option<&'static str>) -> Result<(), Refused> {
    if let Some(pointer) = operators {
        let detail = "is the operator's to say";
        return Err(Refused::at(Code::OperatorRequired, Place::Pointer(pointer.into()), detail));
    }
    if !desk.project().settings.organizations_by_members {
        return Err(Refused::new(Code::OperatorRequired, OPERATORS));
    }
    let what = format!("organizations of {user}");
    desk.at_most(&what, (A_DAY, DAY), || format!("{A_DAY} organizations a day")).await
}

const OPERATORS: &str = "people make no organizations in this project";

/// As the project is now, and not as it was when the request came in.
async fn refuse_unwanted(change: &mut Change<'_, '_>) -> Result<(), Refused> {
    if matches!(change.standing, Standing::Operator(_)) {
        return Ok(());
    }
    let project = projects::by_id(change.tx, change.keep.project.id).await?;
    match project.is_some_and(|project| project.settings.organizations_by_members) {
        true => Ok(()),
        false => Err(Refused::new(Code::OperatorRequired, OPERATORS)),
    }
}

fn created(made: &Organization, view: OrganizationView) -> Result<Answer<OrganizationView>, Refused> {
    let location = format!("{BASE}/organizations/{}", made.id);
    Ok(Answer::new(201, &view)?.etag(view::tag(made)).location(location))
}

/// `GET /organizations/{organization_id}` (S1-R03)
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}";
    const NAME: &'static str = "read_organization";
    const SUMMARY: &'static str = "One organization.";
    const NEED: Need = Need::Permitted(Permission::OrganizationRead);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = OrganizationView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let organization = desk.organization()?;
        let has_owner = memberships::has_owner(&mut desk.db(), organization.id).await?;
        let view = shown(&desk, organization, has_owner);
        Ok(Answer::new(200, &view)?.etag(view::tag(organization)))
    }
}

/// `PUT /organizations/{organization_id}` (S1-R04, S0-20)
pub struct Replace;

impl Operation for Replace {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = "/organizations/{organization_id}";
    const NAME: &'static str = "replace_organization";
    const SUMMARY: &'static str =
        "Gives the organization the fields that are sent; for the operator, makes it where there is none.";
    const NEED: Need = Need::Permitted(Permission::OrganizationWrite);
    const AT: At = At::OrganizationOrNew;
    const STATUS: &'static [u16] = &[200, 201];
    const CODES: &'static [Code] = &[
        Code::SlugTaken,
        Code::TooManyRenames,
        Code::PreconditionFailed,
        Code::InvalidValue,
        Code::UriInvalid,
        Code::OperatorRequired,
        Code::OrganizationExists,
        Code::PolicyLocksOut,
    ];
    const ETAG: bool = true;
    type Query = Sure;
    type Body = Json<ReplaceOrganization>;
    type Answer = OrganizationView;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let wanted = body.0.checked()?;
        refuse_functions(&desk, &wanted)?;
        let said = (wanted, query.insists(&desk)?);
        let sees = Sees::of(&desk);
        let Some(organization) = &desk.organization else {
            let id: OrganizationId = desk.params.id("organization_id")?;
            return desk.change_alone(async move |change| upsert(change, id, &said, sees).await).await;
        };
        rewritten(&desk, organization.id, said, sees).await
    }
}

/// Makes the organization, unless another one has been faster.
async fn upsert(
    change: &mut Change<'_, '_>,
    id: OrganizationId,
    said: &(Wanted, bool),
    sees: Sees,
) -> Result<Answer<OrganizationView>, Refused> {
    if organizations::by_id(change.tx, change.keep.project.id, id).await?.is_some() {
        return changed(change, id, said, sees).await;
    }
    change.matches_nothing()?;
    let made = make(change, id, &said.0).await?;
    // Only the operator makes one like this, and sees all of it; it has no members.
    let view = OrganizationView::of(&made, false, true);
    created(&made, view)
}

/// `PATCH /organizations/{organization_id}` (S2-29, S2-34)
pub struct Patch;

impl Operation for Patch {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/organizations/{organization_id}";
    const NAME: &'static str = "patch_organization";
    const SUMMARY: &'static str = "Gives the organization another name, slug, kind, description or logo.";
    const NEED: Need = Need::Permitted(Permission::OrganizationWrite);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::SlugTaken,
        Code::TooManyRenames,
        Code::PreconditionFailed,
        Code::InvalidValue,
        Code::UriInvalid,
        Code::OperatorRequired,
    ];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = MergePatch<PatchOrganization>;
    type Answer = OrganizationView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let wanted = body.0.checked()?;
        refuse_functions(&desk, &wanted)?;
        let (id, sees) = (desk.organization()?.id, Sees::of(&desk));
        rewritten(&desk, id, (wanted, false), sees).await
    }
}

async fn rewritten(
    desk: &Desk,
    id: OrganizationId,
    said: (Wanted, bool),
    sees: Sees,
) -> Result<Answer<OrganizationView>, Refused> {
    let (gives_slug, shuts) = (said.0.slug.is_some(), said.0.deactivate == Some(true));
    let work = async move |change: &mut Change<'_, '_>| changed(change, id, &said, sees).await;
    match shuts {
        _ if gives_slug => desk.change_alone(work).await,
        true => desk.change_with_guests(work).await,
        false => desk.change(work).await,
    }
}

/// Whether the caller is shown what the organization may do at all: who may change it is.
#[derive(Clone, Copy)]
struct Sees(bool);

impl Sees {
    fn of(desk: &Desk) -> Self {
        let own = desk.organization.as_ref().map(|organization| organization.id);
        let may = own.is_some_and(|id| desk.caller.standing.may(Permission::OrganizationWrite, id));
        Self(may || desk.caller.is_operator())
    }
}

/// An organization does not move its own boundary (S0-26).
fn refuse_functions(desk: &Desk, wanted: &Wanted) -> Result<(), Refused> {
    let operators = wanted.functional_roles.is_some() || wanted.deactivate.is_some();
    if operators && !desk.caller.is_system() {
        let detail = "functional_roles and deactivate are the operator's to change";
        return Err(Refused::new(Code::OperatorRequired, detail));
    }
    Ok(())
}

/// `forced`: the operator's word, whoever of others is locked out.
async fn changed(
    change: &mut Change<'_, '_>,
    id: OrganizationId,
    (wanted, forced): &(Wanted, bool),
    sees: Sees,
) -> Result<Answer<OrganizationView>, Refused> {
    let before = change.organization(id).await?;
    change.matches(&view::tag(&before))?;
    let after = rewrite(change, &before, wanted, *forced).await?;
    let has_owner = memberships::has_owner(change.tx, id).await?;
    Ok(Answer::new(200, &OrganizationView::of(&after, has_owner, sees.0))?.etag(view::tag(&after)))
}
