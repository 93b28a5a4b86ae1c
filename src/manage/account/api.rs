//! `/me/sessions`, `/me/applications`, `/me/consents`, and the sessions of a member.

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::view::{MemberSession, MyApplication, MyConsent, MySession};
use super::{end_session, end_within, take_back};
use crate::foundation::id::{ApplicationId, OrganizationId, SessionId, UserId};
use crate::join::sign_out::Within;
use crate::manage::api::page::{Keys, Page, Slice};
use crate::manage::api::route::{At, NoBody, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::caller::Acting;
use crate::manage::desk::{Answer, Desk};
use crate::manage::people::one;
use crate::manage::refused::{Code, Refused};
use crate::manage::session::person;
use crate::model::consent::Consent;
use crate::model::permission::Permission;
use crate::store::durable::consents;
use crate::store::durable::signed_in::{self, Holds, SignedIn};

/// The place in a list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

/// `GET /me/sessions`
pub struct MySessions;

impl Operation for MySessions {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/sessions";
    const NAME: &'static str = "list_my_sessions";
    const SUMMARY: &'static str = "The browsers in which the person is signed in, the latest sign-in first.";
    const NEED: Need = Need::Account;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = Paging;
    type Body = NoBody;
    type Answer = Page<MySession>;

    async fn run(desk: Desk, query: Paging, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let (acting, slice) = of_oneself(&desk, &query)?;
        let (db, before) = (&mut desk.db(), slice.text());
        let found = signed_in::sessions_of(db, acting.user, desk.now, &before, slice.most()).await?;
        let (found, next_cursor) = slice.page(found, |last: &SignedIn| last.session);
        let items = found.iter().map(|one| MySession::of(one, acting.session)).collect();
        Answer::new(200, &Page { items, next_cursor })
    }
}

/// `DELETE /me/sessions/{session_id}`
pub struct EndMySession;

impl Operation for EndMySession {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/me/sessions/{session_id}";
    const NAME: &'static str = "end_my_session";
    const SUMMARY: &'static str = "Ends a session of the person, as a sign-out there would: what was given for offline access goes on, and applications that want to be told are.";
    const NEED: Need = Need::Account;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] = &[Code::NotFound];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let (user, id): (_, SessionId) = (person(&desk)?.user, desk.params.id("session_id")?);
        desk.change(async move |change| {
            end_session(change, user, id).await?;
            Answer::new(204, &())
        })
        .await
    }
}

/// Whose list is read, and which part of it.
fn of_oneself<K: Keys>(desk: &Desk, query: &Paging) -> Result<(Acting, Slice<K>), Refused> {
    Ok((person(desk)?, desk.slice(query.limit, query.cursor.as_deref())?))
}

/// `GET /me/applications`
pub struct MyApplications;

impl Operation for MyApplications {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/applications";
    const NAME: &'static str = "list_my_applications";
    const SUMMARY: &'static str =
        "The applications that hold tokens of the person, each with the organization that those are for.";
    const NEED: Need = Need::Account;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = Paging;
    type Body = NoBody;
    type Answer = Page<MyApplication>;

    async fn run(desk: Desk, query: Paging, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let (acting, slice) = of_oneself(&desk, &query)?;
        let db = &mut desk.db();
        let found = signed_in::held_of(db, acting.user, desk.now, slice.after, slice.most()).await?;
        let (found, next_cursor) = slice.page(found, Holds::place);
        let items = found.iter().map(MyApplication::of).collect();
        Answer::new(200, &Page { items, next_cursor })
    }
}

/// `GET /me/consents`
pub struct MyConsents;

impl Operation for MyConsents {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/consents";
    const NAME: &'static str = "list_my_consents";
    const SUMMARY: &'static str = "What the person has allowed applications of others to be told of them, by application. It is taken back with whatever the application holds, by ending that application, for one organization or for all.";
    const NEED: Need = Need::Account;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = Paging;
    type Body = NoBody;
    type Answer = Page<MyConsent>;

    async fn run(desk: Desk, query: Paging, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let (acting, slice) = of_oneself(&desk, &query)?;
        let (db, after) = (&mut desk.db(), slice.text());
        let found = consents::of_user(db, acting.user, &after, slice.most()).await?;
        let (found, next_cursor) = slice.page(found, |last: &Consent| last.application);
        Answer::new(200, &Page { items: found.iter().map(MyConsent::of).collect(), next_cursor })
    }
}

/// `DELETE /me/applications/{application_id}`
pub struct EndMyApplication;

/// How much of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HowMuch {
    /// Only what is for this organization, by its id; an empty text: what is for none. Absent: everything.
    pub organization: Option<String>,
}

impl Operation for EndMyApplication {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/me/applications/{application_id}";
    const NAME: &'static str = "end_my_application";
    const SUMMARY: &'static str = "Takes back what an application holds of the person, for offline access or not, and what they have allowed it. Their sessions go on.";
    const NEED: Need = Need::Account;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] = &[Code::NotFound];
    type Query = HowMuch;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, query: HowMuch, _: NoBody) -> Result<Answer<()>, Refused> {
        let (user, id): (_, ApplicationId) = (person(&desk)?.user, desk.params.id("application_id")?);
        let within = match &query.organization {
            None => Within::Everything,
            Some(text) if text.is_empty() => Within::Personal,
            Some(text) => {
                let organization: OrganizationId = text.parse().map_err(|_| Refused::hidden())?;
                Within::Organization(organization)
            }
        };
        desk.change(async move |change| {
            take_back(change, user, id, within).await?;
            Answer::new(204, &())
        })
        .await
    }
}

/// `GET /organizations/{organization_id}/members/{user_id}/sessions`
pub struct MemberSessions;

impl Operation for MemberSessions {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/members/{user_id}/sessions";
    const NAME: &'static str = "list_member_sessions";
    const SUMMARY: &'static str = "The sessions in which applications hold something of a member for this organization. What the member does for others, and where from, is not among it.";
    const NEED: Need = Need::Permitted(Permission::MembersRead);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = Paging;
    type Body = NoBody;
    type Answer = Page<MemberSession>;

    async fn run(desk: Desk, query: Paging, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let (id, user): (_, UserId) = (desk.organization()?.id, desk.params.id("user_id")?);
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let (db, before) = (&mut desk.db(), slice.text());
        one(db, id, user).await?;
        let found = signed_in::within(db, (id, user), desk.now, &before, slice.most()).await?;
        let (found, next_cursor) = slice.page(found, |last: &signed_in::Within| last.session);
        Answer::new(200, &Page { items: found.iter().map(MemberSession::of).collect(), next_cursor })
    }
}

/// `DELETE /organizations/{organization_id}/members/{user_id}/sessions/{session_id}`
pub struct EndMemberSession;

impl Operation for EndMemberSession {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/organizations/{organization_id}/members/{user_id}/sessions/{session_id}";
    const NAME: &'static str = "end_member_session";
    const SUMMARY: &'static str = "Ends what a member's session has for this organization, for offline access or not. The session goes on, and so does what it has for others; to keep somebody out, suspend them.";
    const NEED: Need = Need::Permitted(Permission::MembersWrite);
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] = &[Code::BeyondConsent, Code::ReauthenticationRequired, Code::RoleCeiling];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let (id, user) = (desk.organization()?.id, desk.params.id("user_id")?);
        let session = desk.params.id("session_id")?;
        desk.change(async move |change| {
            end_within(change, (id, user), session).await?;
            Answer::new(204, &())
        })
        .await
    }
}
