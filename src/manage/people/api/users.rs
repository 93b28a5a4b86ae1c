//! Users: found by whoever may see them, read and disabled by the operator.

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::members::refuse_short;
use crate::foundation::id::{OrganizationId, UserId};
use crate::manage::api::route::{At, MergePatch, NoBody, NoQuery, Operation};
use crate::manage::authority::{Need, Standing, Target};
use crate::manage::desk::{Answer, Desk, Wanted};
use crate::manage::last_way::Sure;
use crate::manage::people::body::refuse_moving;
use crate::manage::people::view::{FoundUser, FoundUsers, UserView, tag_of_user};
use crate::manage::people::{disable, enable, give};
use crate::manage::refused::{Code, Refused};
use crate::model::permission::Permission;
use crate::model::user::User;
use crate::store::durable::engine::Read as Reader;
use crate::store::durable::{organizations, people, user_roles, users};

/// People that a search shows.
const MOST: usize = 20;

/// `GET /users?search=` (S2-38)
pub struct Search;

/// Who is searched for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchQuery {
    /// Words that names or addresses begin with, in any case: at least two characters; the first four words count.
    #[schemars(extend("minLength" = 2))]
    pub search: String,
    /// For the operator: of which organization to say who is a member. Others search their own organization.
    pub organization_id: Option<String>,
}

impl Operation for Search {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/users";
    const NAME: &'static str = "search_users";
    const SUMMARY: &'static str = "At most 20 people whose names or addresses begin so: of the project for the operator, else members of the caller's organization.";
    const NEED: Need = Need::Any;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] =
        &[Code::SearchTooShort, Code::PermissionMissing, Code::OrganizationFunctionMissing, Code::NotFound];
    type Query = SearchQuery;
    type Body = NoBody;
    type Answer = FoundUsers;

    fn organization<'a>(query: &'a SearchQuery, _: &'a NoBody) -> Option<&'a str> {
        query.organization_id.as_deref()
    }

    async fn run(desk: Desk, query: SearchQuery, _: NoBody) -> Result<Answer<FoundUsers>, Refused> {
        refuse_short(&query.search)?;
        let (organization, members_only) = reach(&desk, query.organization_id.as_deref()).await?;
        let (db, project) = (&mut desk.db(), desk.project().id);
        let found = people::search(db, project, (organization, members_only), &query.search, MOST).await?;
        Answer::new(200, &FoundUsers { items: found.iter().map(FoundUser::of).collect() })
    }
}

/// Whom the caller may find: the operator everybody, others the members of the organization that they act for, if they
/// may see those.
async fn reach(desk: &Desk, named: Option<&str>) -> Result<(Option<OrganizationId>, bool), Refused> {
    let named = match named {
        Some(text) if text.contains('\0') => return Err(Refused::hidden()),
        Some(text) => {
            let found = organizations::named(&mut desk.db(), desk.project().id, text).await?;
            let found = found.filter(|found| found.deleted_at.is_none()).ok_or_else(Refused::hidden)?;
            Some(found.id)
        }
        None => None,
    };
    if let Standing::Operator(_) = desk.caller.standing {
        return Ok((named, false));
    }
    let organization = named.or(desk.caller.organization());
    let missing = || Refused::new(Code::PermissionMissing, "act for an organization");
    let organization = organization.ok_or_else(missing)?;
    let (need, target) = (Need::Permitted(Permission::MembersRead), Target::Organization(organization));
    Wanted { need, fresh: None, target }.of(&desk.caller.standing, desk.now)?;
    Ok((Some(organization), true))
}

async fn found(desk: &Desk) -> Result<User, Refused> {
    let id: UserId = desk.params.id("user_id")?;
    users::by_id(&mut desk.db(), desk.project().id, id).await?.ok_or_else(Refused::hidden)
}

async fn told(db: &mut impl Reader, user: &User) -> Result<Answer<UserView>, Refused> {
    let roles: Vec<_> = user_roles::of(db, user.id).await?.into_keys().collect();
    let tag = tag_of_user(user, &roles);
    Ok(Answer::new(200, &UserView::of(user, roles))?.etag(tag))
}

/// `GET /users/{user_id}`
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/users/{user_id}";
    const NAME: &'static str = "read_user";
    const SUMMARY: &'static str = "One user of the project.";
    const NEED: Need = Need::Operator(Permission::MembersRead);
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = UserView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<UserView>, Refused> {
        told(&mut desk.db(), &found(&desk).await?).await
    }
}

/// What shall change of a user. Address and name are their identity provider's to say.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchUser {
    /// Whether they may sign in nowhere any more; everything that was issued to them ends.
    pub disabled: Option<bool>,
    /// What they are where they act for no organization: names of roles of scope `project`, at most 20. What they are in an
    /// organization is said there.
    pub roles: Option<Vec<String>>,
    /// Never changes: whoever names it is refused.
    #[schemars(with = "Option<serde_json::Value>")]
    pub home_organization_id: Option<serde_json::Value>,
}

/// `PATCH /users/{user_id}` (S3-06)
pub struct Patch;

impl Operation for Patch {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/users/{user_id}";
    const NAME: &'static str = "patch_user";
    const SUMMARY: &'static str =
        "Disables a user, or lets them sign in again; gives and takes roles of the project.";
    const NEED: Need = Need::Operator(Permission::MembersWrite);
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::LastOwner,
        Code::OperatorRequired,
        Code::PolicyLocksOut,
        Code::InvalidValue,
        Code::RoleUnknown,
        Code::UserNotMovable,
        Code::PreconditionFailed,
    ];
    const ETAG: bool = true;
    type Query = Sure;
    type Body = MergePatch<PatchUser>;
    type Answer = UserView;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<UserView>, Refused> {
        refuse_moving(body.0.home_organization_id.as_ref())?;
        let (id, forced) = (found(&desk).await?.id, query.insists(&desk)?);
        desk.change(async move |change| {
            let project = change.keep.project.id;
            let before = users::by_id(change.tx, project, id).await?.ok_or_else(Refused::hidden)?;
            let roles: Vec<_> = user_roles::of(change.tx, id).await?.into_keys().collect();
            change.matches(&tag_of_user(&before, &roles))?;
            if let Some(wanted) = &body.0.roles {
                give(change, id, wanted).await?;
            }
            match (body.0.disabled, before.disabled_at) {
                (Some(true), None) => disable(change, id, forced).await?,
                (Some(false), Some(_)) => enable(change, id).await?,
                _ => {}
            }
            let after = users::by_id(change.tx, project, id).await?.ok_or_else(Refused::hidden)?;
            told(change.tx, &after).await
        })
        .await
    }
}
