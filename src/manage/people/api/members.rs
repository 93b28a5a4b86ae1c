//! Members: listed, added, given other roles, suspended, removed.

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::foundation::id::{MembershipId, UserId};
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, MergePatch, NoBody, NoQuery, Operation};
use crate::manage::authority::{Need, Target};
use crate::manage::caller::Who;
use crate::manage::desk::{Answer, Desk, Wanted};
use crate::manage::last_way::Sure;
use crate::manage::people::body::{AddMember, AskedRoles, GiveRole, PatchMember};
use crate::manage::people::view::{MemberListed, MemberView, tag_of};
use crate::manage::people::{Going, add, csv, give_roles, one, patch, remove};
use crate::manage::refused::{Code, Refused};
use crate::model::membership::{MembershipKind, MembershipSource, MembershipStatus};
use crate::model::permission::Permission;
use crate::model::policy::MemberList;
use crate::store::durable::people::{self, Listing, Member};

const READ: Need = Need::Permitted(Permission::MembersRead);
const WRITE: Need = Need::Permitted(Permission::MembersWrite);
/// To give somebody a place, and roles with it.
const ADD: Need = Need::OwnRight(Permission::MembersWrite);

/// Filters of a list of members.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filters {
    /// Absent: all but the removed ones.
    #[schemars(with = "Option<String>", extend("enum" = ["invited", "active", "suspended", "blocked", "removed"]))]
    pub status: Option<MembershipStatus>,
    #[schemars(with = "Option<String>", extend("enum" = ["manual", "invitation", "jit", "scim", "auto_join"]))]
    pub source: Option<MembershipSource>,
    #[schemars(with = "Option<String>", extend("enum" = ["home", "member", "guest", "delegate"]))]
    pub kind: Option<MembershipKind>,
    /// The name of a role that they have.
    pub role: Option<String>,
    /// Words that their names or addresses begin with, in any case.
    #[schemars(extend("minLength" = 2))]
    pub search: Option<String>,
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

/// Filters of a whole list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportFilters {
    /// Absent: all but the removed ones.
    #[schemars(with = "Option<String>", extend("enum" = ["invited", "active", "suspended", "blocked", "removed"]))]
    pub status: Option<MembershipStatus>,
    #[schemars(with = "Option<String>", extend("enum" = ["manual", "invitation", "jit", "scim", "auto_join"]))]
    pub source: Option<MembershipSource>,
    #[schemars(with = "Option<String>", extend("enum" = ["home", "member", "guest", "delegate"]))]
    pub kind: Option<MembershipKind>,
    /// The name of a role that they have.
    pub role: Option<String>,
    /// Words that their names or addresses begin with, in any case.
    #[schemars(extend("minLength" = 2))]
    pub search: Option<String>,
}

impl From<ExportFilters> for Filters {
    fn from(of: ExportFilters) -> Self {
        let ExportFilters { status, source, kind, role, search } = of;
        Self { status, source, kind, role, search, limit: None, cursor: None }
    }
}

impl Filters {
    fn listing(self, desk: &Desk, after: Option<MembershipId>, most: u32) -> Result<Listing, Refused> {
        let Self { status, source, kind, role, search, .. } = self;
        let organization = desk.organization()?.id;
        if let Some(search) = &search {
            refuse_short(search)?;
        }
        if role.iter().chain(&search).any(|text| text.contains('\0')) {
            return Err(Refused::parameter("role", "holds a NUL"));
        }
        let project = desk.project().id;
        Ok(Listing { project, organization, status, source, kind, role, search, after, most })
    }
}

/// One letter leads to half of the people there are.
pub fn refuse_short(search: &str) -> Result<(), Refused> {
    if search.trim().chars().count() < 2 {
        return Err(Refused::new(Code::SearchTooShort, Code::SearchTooShort.title()));
    }
    Ok(())
}

/// `GET /organizations/{organization_id}/members` (S1-R06, S1-L7)
pub struct List;

impl Operation for List {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/members";
    const NAME: &'static str = "list_members";
    const SUMMARY: &'static str = "Members, in the order in which they joined. Other members see who is active by name, where the policy says so.";
    // Who may see nothing of it is told so below.
    const NEED: Need = Need::Any;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::CursorInvalid,
        Code::OrganizationFunctionMissing,
        Code::PermissionMissing,
        Code::SearchTooShort,
    ];
    type Query = Filters;
    type Body = NoBody;
    type Answer = Page<MemberListed>;

    async fn run(desk: Desk, mut query: Filters, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let shown = match may_read(&desk) {
            Ok(()) => MemberListed::whole,
            Err(why) if sees_names(&desk, &query)? => {
                drop(why);
                query.status = Some(MembershipStatus::Active);
                MemberListed::named
            }
            Err(why) => return Err(why),
        };
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let listing = query.listing(&desk, slice.after, slice.most())?;
        let found = people::page(&mut desk.db(), &listing).await?;
        let (found, next_cursor) = slice.page(found, |last: &Member| last.membership.id);
        Answer::new(200, &Page { items: found.iter().map(shown).collect(), next_cursor })
    }
}

/// Whether all of it is for this caller.
fn may_read(desk: &Desk) -> Result<(), Refused> {
    let target = Target::Organization(desk.organization()?.id);
    Wanted { need: READ, fresh: None, target }.of(&desk.caller.standing, desk.now)
}

/// Whether they are one of its own people, and the organization lets those see each other's names; no filter tells them
/// more than that.
fn sees_names(desk: &Desk, query: &Filters) -> Result<bool, Refused> {
    let id = desk.organization()?.id;
    let own = matches!(desk.caller.who, Who::Person(acting) if acting.delegation.is_none())
        && desk.caller.standing.may(Permission::OrganizationRead, id);
    let Filters { status, source, kind, role, search, .. } = query;
    let filters =
        status.is_some() || source.is_some() || kind.is_some() || role.is_some() || search.is_some();
    Ok(own && !filters && desk.organization()?.policy.member_list == MemberList::Names)
}

/// Members of one file.
const MOST_EXPORTED: usize = 200_000;
const STEP: u32 = 1_000;

/// `GET /organizations/{organization_id}/members/export` (S2-39, S1-L7)
pub struct Export;

impl Operation for Export {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/members/export";
    const NAME: &'static str = "export_members";
    const SUMMARY: &'static str = "Members as a table, at most 200000.";
    const NEED: Need = READ;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::SearchTooShort];
    const KIND: &'static str = "text/csv; charset=utf-8";
    type Query = ExportFilters;
    type Body = NoBody;
    type Answer = String;

    async fn run(desk: Desk, query: ExportFilters, _: NoBody) -> Result<Answer<String>, Refused> {
        let mut listing = Filters::from(query).listing(&desk, None, STEP)?;
        let mut table = csv::line([
            "user_id",
            "email",
            "email_verified",
            "name",
            "roles",
            "kind",
            "status",
            "source",
            "created_at",
            "last_sign_in_at",
            "last_active_at",
        ]);
        let mut rows = 0;
        while rows < MOST_EXPORTED {
            let found = people::page(&mut desk.db(), &listing).await?;
            let Some(last) = found.last() else { break };
            listing.after = Some(last.membership.id);
            rows += found.len();
            table.extend(found.iter().map(|member| exported(&MemberView::of(member))));
            // Others have their turn between two pages, whichever the engine.
            tokio::task::yield_now().await;
        }
        Ok(Answer::new(200, &table)?.file(desk.file_name("members", "csv")))
    }
}

fn exported(view: &MemberView) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    csv::line([
        &*view.user_id,
        &*text(&view.email),
        if view.email_verified { "true" } else { "false" },
        &*text(&view.name),
        &*view.roles.join(" "),
        view.kind,
        view.status,
        view.source,
        &*view.created_at,
        &*text(&view.last_sign_in_at),
        &*text(&view.last_active_at),
    ])
}

/// `POST /organizations/{organization_id}/members` (S1-R07, S1-L3, S2-35, S2-40)
pub struct Add;

impl Operation for Add {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/members";
    const NAME: &'static str = "add_member";
    const SUMMARY: &'static str = "Adds somebody who is known here; who is not is to be invited.";
    const NEED: Need = ADD;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = &[
        Code::UserNotFound,
        Code::AlreadyMember,
        Code::MembershipExclusive,
        Code::MembershipBlocked,
        Code::LastOwner,
        Code::OwnerRequired,
        Code::RoleUnknown,
        Code::ReauthenticationRequired,
        Code::RoleCeiling,
        Code::InvalidValue,
    ];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = Json<AddMember>;
    type Answer = MemberView;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<MemberView>, Refused> {
        let adding = body.0.checked(desk.caller.is_system())?;
        let id = desk.organization()?.id;
        desk.change(async move |change| {
            let member = add(change, id, &adding).await?;
            let location = format!("{BASE}/organizations/{id}/members/{}", member.membership.user_id);
            Ok(told(201, &member)?.location(location))
        })
        .await
    }
}

fn told(status: u16, member: &Member) -> Result<Answer<MemberView>, Refused> {
    Ok(Answer::new(status, &MemberView::of(member))?.etag(tag_of(&member.membership)))
}

/// `GET /organizations/{organization_id}/members/{user_id}`
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/members/{user_id}";
    const NAME: &'static str = "read_member";
    const SUMMARY: &'static str = "One member.";
    const NEED: Need = READ;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const ETAG: bool = true;
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = MemberView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<MemberView>, Refused> {
        let (id, user) = (desk.organization()?.id, desk.params.id("user_id")?);
        told(200, &one(&mut desk.db(), id, user).await?)
    }
}

/// `PATCH /organizations/{organization_id}/members/{user_id}` (S3-06)
pub struct Patch;

impl Operation for Patch {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/organizations/{organization_id}/members/{user_id}";
    const NAME: &'static str = "patch_member";
    const SUMMARY: &'static str =
        "Suspends, blocks or activates a member, or says what kind of member they are.";
    const NEED: Need = WRITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::BeyondConsent,
        Code::LastOwner,
        Code::OperatorRequired,
        Code::OwnerRequired,
        Code::PolicyLocksOut,
        Code::ReauthenticationRequired,
        Code::RoleCeiling,
        Code::UserNotMovable,
        Code::PreconditionFailed,
        Code::InvalidValue,
    ];
    const ETAG: bool = true;
    type Query = Sure;
    type Body = MergePatch<PatchMember>;
    type Answer = MemberView;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<MemberView>, Refused> {
        let wanted = (body.0.checked(desk.caller.is_system())?, query.insists(&desk)?);
        let (id, user) = (desk.organization()?.id, desk.params.id("user_id")?);
        desk.change(async move |change| told(200, &patch(change, id, user, wanted).await?)).await
    }
}

/// `PATCH /organizations/{organization_id}/members/{user_id}/role` (S1-R09)
pub struct ChangeRole;

impl Operation for ChangeRole {
    const METHOD: Method = Method::PATCH;
    const PATH: &'static str = "/organizations/{organization_id}/members/{user_id}/role";
    const NAME: &'static str = "change_member_role";
    const SUMMARY: &'static str = "Gives a member these roles in place of those that they have.";
    const NEED: Need = WRITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::BeyondConsent,
        Code::LastOwner,
        Code::OperatorRequired,
        Code::PolicyLocksOut,
        Code::RoleUnknown,
        Code::ReauthenticationRequired,
        Code::RoleCeiling,
        Code::PreconditionFailed,
        Code::InvalidValue,
    ];
    const ETAG: bool = true;
    type Query = Sure;
    type Body = MergePatch<GiveRole>;
    type Answer = MemberView;

    async fn run(desk: Desk, query: Sure, body: Self::Body) -> Result<Answer<MemberView>, Refused> {
        let GiveRole { role, roles } = body.0;
        let (wanted, forced) = (AskedRoles { role, roles }.checked()?, query.insists(&desk)?);
        let (id, user) = (desk.organization()?.id, desk.params.id("user_id")?);
        desk.change(async move |change| told(200, &give_roles(change, id, user, (&wanted, forced)).await?))
            .await
    }
}

/// `DELETE /organizations/{organization_id}/members/{user_id}` (S1-R08)
pub struct Remove;

/// How sure the caller is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HowSure {
    /// Removes also whom a directory manages; for the operator: also where no owner could sign in any more.
    pub force: Option<bool>,
}

impl Operation for Remove {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/organizations/{organization_id}/members/{user_id}";
    const NAME: &'static str = "remove_member";
    const SUMMARY: &'static str =
        "Removes a member, which needs `members:write`, or oneself: everybody may leave.";
    const NEED: Need = Need::Any;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] = &[
        Code::PermissionMissing,
        Code::OrganizationFunctionMissing,
        Code::BeyondConsent,
        Code::LastOwner,
        Code::PolicyLocksOut,
        Code::ReauthenticationRequired,
        Code::RoleCeiling,
        Code::ManagedByDirectory,
        Code::PreconditionFailed,
    ];
    type Query = HowSure;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, query: HowSure, _: NoBody) -> Result<Answer<()>, Refused> {
        let (id, user): (_, UserId) = (desk.organization()?.id, desk.params.id("user_id")?);
        let others = Wanted { need: WRITE, ..desk.asked.wanted };
        let force = query.force.unwrap_or(false);
        let is_self = matches!(desk.caller.who, Who::Person(acting) if acting.user == user);
        let going = if is_self && !force { Going::Leaving } else { Going::Removed { force } };
        desk.change(async move |change| {
            if going != Going::Leaving {
                others.of(&change.standing, change.keep.now)?;
            }
            remove(change, id, user, going).await?;
            Answer::new(204, &())
        })
        .await
    }
}
