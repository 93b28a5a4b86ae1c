//! `/roles`

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{CreateRole, PatchRole};
use super::view::{self, RoleView};
use super::{create, delete, update};
use crate::foundation::id::RoleId;
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, MergePatch, NoBody, NoQuery, Operation, Thing};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::last_way::Sure;
use crate::manage::refused::{Code, Refused};
use crate::model::permission::Permission;
use crate::model::role::{self, Role, RoleScope};
use crate::store::durable::roles;

/// `GET /roles` (S1-L6)
pub struct List;

/// Whose roles, and the place in the list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// By id, UUID or slug. Absent: the caller's own; for the operator, what every organization has.
    pub organization_id: Option<String>,
    /// `project`: the project's own, for the operator.
    #[schemars(with = "Option<String>", extend("enum" = ["organization", "project"]))]
    pub scope: Option<RoleScope>,
    /// 1 to 200; absent: 50. Built-in roles come first, and are not counted.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for List {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/roles";
    const NAME: &'static str = "list_roles";
    const SUMMARY: &'static str = "The roles that an organization has: built in, the project's and its own.";
    const NEED: Need = Need::Permitted(Permission::RolesRead);
    const AT: At = At::AskedOrProjects;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid, Code::OperatorRequired];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<RoleView>;

    fn organization<'a>(query: &'a ListQuery, _: &'a NoBody) -> Option<&'a str> {
        query.organization_id.as_deref()
    }

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let scope = query.scope.unwrap_or(RoleScope::Organization);
        refuse_scope(&desk, scope)?;
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let organization = desk.organization.as_ref().map(|organization| organization.id);
        let (db, project, after) = (&mut desk.db(), desk.project().id, slice.text());
        let found = roles::page(db, project, organization, scope, &after, slice.most()).await?;
        let (found, next_cursor) = slice.page(found, |last: &Role| last.id);
        let mut items = Vec::new();
        if slice.after.is_none() && scope == RoleScope::Organization {
            let every = [(role::OWNER, "Owner"), (role::ADMIN, "Admin"), (role::MEMBER, "Member")];
            items.extend(every.map(|(name, shown)| RoleView::built_in(name, shown)));
        }
        items.extend(found.iter().map(RoleView::of));
        Answer::new(200, &Page { items, next_cursor })
    }
}

/// What is the project's own is the operator's alone.
fn refuse_scope(desk: &Desk, scope: RoleScope) -> Result<(), Refused> {
    if scope == RoleScope::Project && !desk.caller.is_operator() {
        return Err(Refused::new(Code::OperatorRequired, "roles of the project are the operator's"));
    }
    Ok(())
}

/// `POST /roles` (S1-L6)
pub struct Create;

impl Operation for Create {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/roles";
    const NAME: &'static str = "create_role";
    const SUMMARY: &'static str = "Makes a role; nobody puts more into it than they may themselves.";
    const NEED: Need = Need::Permitted(Permission::RolesWrite);
    const AT: At = At::AskedOrProjects;
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = &[
        Code::CustomRolesDisabled,
        Code::InvalidValue,
        Code::LimitReached,
        Code::OperatorRequired,
        Code::RoleCeiling,
        Code::RoleExists,
        Code::RoleInUse,
    ];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = Json<CreateRole>;
    type Answer = RoleView;

    fn organization<'a>(_: &'a NoQuery, body: &'a Self::Body) -> Option<&'a str> {
        body.0.organization_id.as_deref()
    }

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let scope = body.0.scope.unwrap_or(RoleScope::Organization);
        refuse_scope(&desk, scope)?;
        let organization = desk.organization.as_ref().map(|organization| organization.id);
        if scope == RoleScope::Project && organization.is_some() {
            return Err(Refused::value("/scope", "a role of the project is no organization's"));
        }
        let wanted = body.0.checked()?;
        desk.change_alone(async move |change| {
            let made = create(change, organization, &wanted).await?;
            let location = format!("{BASE}/roles/{}", made.id);
            Ok(Answer::new(201, &RoleView::of(&made))?.etag(view::tag(&made)).location(location))
        })
        .await
    }
}

/// `GET /roles/{role_id}`
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/roles/{role_id}";
    const NAME: &'static str = "read_role";
    const SUMMARY: &'static str = "One custom role.";
    const NEED: Need = Need::Permitted(Permission::RolesRead);
    const AT: At = At::Thing(Thing::Role);
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = RoleView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id = desk.params.id("role_id")?;
        let found = roles::by_id(&mut desk.db(), desk.project().id, id).await?;
        shown(&found.ok_or_else(Refused::hidden)?)
    }
}

fn shown(role: &Role) -> Result<Answer<RoleView>, Refused> {
    Ok(Answer::new(200, &RoleView::of(role))?.etag(view::tag(role)))
}

/// The role as it is in this transaction.
async fn found(change: &mut Change<'_, '_>, id: RoleId) -> Result<Role, Refused> {
    let found = roles::by_id(change.tx, change.keep.project.id, id).await?.ok_or_else(Refused::hidden)?;
    change.matches(&view::tag(&found))?;
    Ok(found)
}

/// `PATCH /roles/{role_id}` (S1-RO4)
pub struct Patch;

impl Operation for Patch {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/roles/{role_id}";
    const NAME: &'static str = "patch_role";
    const SUMMARY: &'static str = "Gives a role another name for people, or other permissions.";
    const NEED: Need = Need::Permitted(Permission::RolesWrite);
    const AT: At = At::Thing(Thing::Role);
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::CustomRolesDisabled,
        Code::InvalidValue,
        Code::OperatorRequired,
        Code::PolicyLocksOut,
        Code::PreconditionFailed,
        Code::RoleCeiling,
    ];
    const ETAG: bool = true;
    type Query = Sure;
    type Body = MergePatch<PatchRole>;
    type Answer = RoleView;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let (id, forced) = (desk.params.id("role_id")?, query.insists(&desk)?);
        desk.change_alone(async move |change| {
            let before = found(change, id).await?;
            let (display_name, permissions) = body.0.clone().checked(&before.name)?;
            shown(&update(change, &before, display_name, permissions, forced).await?)
        })
        .await
    }
}

/// `DELETE /roles/{role_id}`
pub struct Delete;

/// Beside the path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteQuery {
    /// Deletes it even where somebody has it, and takes it from them.
    pub force: Option<bool>,
}

impl Operation for Delete {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/roles/{role_id}";
    const NAME: &'static str = "delete_role";
    const SUMMARY: &'static str = "Deletes a role that nobody has, or with `force` one that people have.";
    const NEED: Need = Need::Permitted(Permission::RolesWrite);
    const AT: At = At::Thing(Thing::Role);
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] = &[Code::PreconditionFailed, Code::RoleCeiling, Code::RoleInUse];
    type Query = DeleteQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, query: DeleteQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let (id, forced) = (desk.params.id("role_id")?, query.force == Some(true));
        desk.change_alone(async move |change| {
            let before = found(change, id).await?;
            delete(change, &before, forced).await?;
            Answer::new(204, &())
        })
        .await
    }
}
