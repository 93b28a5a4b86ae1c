//! `/me`, `/session` and `/organizations/switch`

use std::collections::BTreeSet;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::view::{
    MeView, MyOrganization, OrganizationNamed, PermissionsView, SessionView, SwitchedToken, SwitchedView,
    UserView,
};
use super::{current, holder, mine, person, reasons, refused, standing_of, switch};
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, NoBody, NoQuery, Operation};
use crate::manage::authority::{Need, Standing};
use crate::manage::caller::{Who, audience};
use crate::manage::desk::{Answer, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::organization::Organization;
use crate::store::durable::choices::Choice;
use crate::store::durable::{organizations, role_rules, roles, user_roles};
use crate::web::holder::NotActing;

/// `GET /me`
pub struct Me;

impl Operation for Me {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me";
    const NAME: &'static str = "read_me";
    const SUMMARY: &'static str = "Who the caller is, and for whom they act.";
    const NEED: Need = Need::Person;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = MeView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let (holder, standing) = (holder(&desk).await?, standing_of(&desk).await?);
        let organization = match holder.organization {
            Some(id) => organizations::by_id(&mut desk.db(), desk.project().id, id).await?,
            None => None,
        };
        let session = standing.session;
        Answer::new(
            200,
            &MeView {
                user: UserView::of(&standing.user),
                organization: organization.as_ref().map(OrganizationNamed::of),
                delegation_id: holder.delegation.map(|(id, _)| id.to_string()),
                roles: holder.roles,
                authenticated_at: session.authenticated_at.rfc3339(),
                amr: session.assurance.amr,
                acr: session.assurance.acr.word().to_owned(),
            },
        )
    }
}

/// `GET /me/organizations` (threats 4.19)
pub struct MyOrganizations;

/// What is looked for, and the place in the list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MineQuery {
    /// What the name begins with, in any case.
    pub search: Option<String>,
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

impl Operation for MyOrganizations {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/organizations";
    const NAME: &'static str = "list_my_organizations";
    const SUMMARY: &'static str = "The organizations that the person may act for: their own, then by delegation. An application that they had to allow is told of the one that it acts for.";
    const NEED: Need = Need::Person;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = MineQuery;
    type Body = NoBody;
    type Answer = Page<MyOrganization>;

    async fn run(desk: Desk, query: MineQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let search = query.search.unwrap_or_default();
        if search.contains('\0') {
            return Err(Refused::parameter("search", "holds a NUL"));
        }
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let standing = standing_of(&desk).await?;
        let (provider, user) = (standing.provider.as_ref().map(|provider| provider.id), &standing.user);
        let by_rule = role_rules::given(&mut desk.db(), desk.project().id, &standing).await?;
        let (found, next_cursor) =
            mine(desk.db(), (user, desk.told().await?, desk.now), &search, &slice).await?;
        let shown = |choice: &Choice| {
            let own = choice.delegation.is_none() && provider == Some(choice.organization);
            MyOrganization::of(choice, if own { &by_rule } else { &[] })
        };
        Answer::new(200, &Page { items: found.iter().map(shown).collect(), next_cursor })
    }
}

/// `GET /me/permissions` (S0-14, S0-27)
pub struct MyPermissions;

/// Where.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionsQuery {
    /// By id, UUID or slug: the one that the caller acts for. Absent: that one.
    pub organization: Option<String>,
}

impl Operation for MyPermissions {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/permissions";
    const NAME: &'static str = "list_my_permissions";
    const SUMMARY: &'static str =
        "What the caller may do, by which role of which layer, and what takes it away.";
    const NEED: Need = Need::Any;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::NotFound];
    type Query = PermissionsQuery;
    type Body = NoBody;
    type Answer = PermissionsView;

    fn organization<'a>(query: &'a PermissionsQuery, _: &'a NoBody) -> Option<&'a str> {
        query.organization.as_deref()
    }

    async fn run(desk: Desk, query: PermissionsQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let named = match &query.organization {
            Some(name) => Some(known(&desk, name).await?),
            None => None,
        };
        let organization = named.map(|found| found.id).or(desk.caller.organization());
        let project = desk.project().id;
        let permissions = match (&desk.caller.standing, desk.caller.who) {
            (Standing::Operator(role), _) => reasons::of_operator(&desk.caller.standing, role.word()),
            (Standing::Within { granted, masked, .. }, Who::Key(id)) => {
                reasons::of_key(granted, masked, &id.to_string())
            }
            (Standing::Within { granted, masked, is_delegate, .. }, _) => {
                let left = reasons::Left { granted, masked, is_delegate: *is_delegate };
                let holder = holder(&desk).await?;
                let held = (&holder.roles[..], &holder.by_rule[..]);
                match organization {
                    Some(id) => {
                        let custom = roles::permissions(&mut desk.db(), project, id).await?;
                        reasons::of_roles(held, &custom, left)
                    }
                    // Nothing cuts what is of the project.
                    None => {
                        let own = user_roles::of(&mut desk.db(), holder.user).await?;
                        let all: BTreeSet<_> = own.values().flatten().cloned().collect();
                        let left = reasons::Left { granted: &all, masked: &all, ..left };
                        reasons::of_roles(held, &own, left)
                    }
                }
            }
            _ => Vec::new(),
        };
        let organization_id = organization.map(|id| id.to_string());
        Answer::new(200, &PermissionsView { organization_id, permissions })
    }
}

/// The organization of this name, if it is the one that the caller acts for, or they are the operator (S0-24).
async fn known(desk: &Desk, name: &str) -> Result<Organization, Refused> {
    if name.contains('\0') {
        return Err(Refused::hidden());
    }
    let found = organizations::named(&mut desk.db(), desk.project().id, name).await?;
    let theirs = |found: &Organization| {
        found.deleted_at.is_none()
            && (desk.caller.is_operator() || desk.caller.organization() == Some(found.id))
    };
    found.filter(theirs).ok_or_else(Refused::hidden)
}

/// `GET /session` (S0-21)
pub struct ReadSession;

impl Operation for ReadSession {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/session";
    const NAME: &'static str = "read_session";
    const SUMMARY: &'static str =
        "The person's session, with what they have switched to, as far as their application is told of that.";
    const NEED: Need = Need::Person;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = SessionView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let standing = standing_of(&desk).await?;
        let current = current(&desk, &standing).await?;
        let session = standing.session;
        Answer::new(
            200,
            &SessionView {
                id: session.id.to_string(),
                user_id: session.user_id.to_string(),
                created_at: session.created_at.rfc3339(),
                expires_at: session.expires_at.rfc3339(),
                authenticated_at: session.authenticated_at.rfc3339(),
                amr: session.assurance.amr,
                acr: session.assurance.acr.word().to_owned(),
                current_organization: current.as_ref().map(OrganizationNamed::of_choice),
            },
        )
    }
}

/// `POST /organizations/switch` (S1-R10, S0-22)
pub struct Switch;

/// Where to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchTo {
    /// By id, UUID or slug.
    pub organization_id: String,
}

impl Operation for Switch {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/switch";
    const NAME: &'static str = "switch_organization";
    const SUMMARY: &'static str = "Makes another organization the session's current one, and gives a token for it to call this API by, which lives no longer than the one that was shown. Tokens that there are go on for the one they were made for.";
    const NEED: Need = Need::Person;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] =
        &[Code::MfaRequired, Code::NotAMember, Code::ReauthenticationRequired, Code::SsoRequired];
    type Query = NoQuery;
    type Body = Json<SwitchTo>;
    type Answer = SwitchedView;

    fn organization<'a>(_: &'a NoQuery, body: &'a Self::Body) -> Option<&'a str> {
        Some(&body.0.organization_id)
    }

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<Self::Answer>, Refused> {
        let (acting, to) = (person(&desk)?, body.0.organization_id);
        // What nobody can be called reads like what is not theirs.
        let Some(shown) = desk.caller.shown.clone().filter(|_| !to.contains('\0')) else {
            return Err(refused(NotActing::NotAMember));
        };
        let (visitor, audience) = (&desk.visitor, audience(&desk.visitor));
        let switching = (visitor.front.switching)(visitor, &shown, &to, &audience).await?;
        desk.change(async move |change| {
            let (acts, issued) = switch(change, acting, (&to, &switching)).await?;
            let view = SwitchedView {
                organization: OrganizationNamed::of(&acts.organization),
                roles: acts.roles,
                delegation_id: acts.delegation.map(|id| id.to_string()),
                token: SwitchedToken::of(issued),
            };
            Answer::new(200, &view)
        })
        .await
    }
}
