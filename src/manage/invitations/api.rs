//! `/organizations/{organization_id}/invitations`, and `/invitations` for whoever is invited.

mod invited;
mod many;

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

pub use invited::{Accept, ByToken};
pub use many::Bulk;

use super::body::{Invite, SendAgain, refuse_mail};
use super::limits::{is_nothing, limit, limit_mails, not_mailed, taken_back};
use super::view::{InvitationMade, InvitationView};
use super::{inviter, refuse, renew, revoke, write};
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, NoBody, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::invitation::{Invitation, State};
use crate::model::permission::Permission;
use crate::store::durable::invitations;

const READ: Need = Need::Permitted(Permission::InvitationsRead);
const WRITE: Need = Need::Permitted(Permission::InvitationsWrite);
/// To answer for what somebody is given when they accept it.
const INVITE: Need = Need::OwnRight(Permission::InvitationsWrite);

/// Filters and the place in the list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[schemars(with = "Option<String>", extend("enum" = ["pending", "accepted", "revoked", "expired"]))]
    pub status: Option<State>,
    /// 1 to 200; absent: 50.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub cursor: Option<String>,
}

/// `GET /organizations/{organization_id}/invitations` (S1-R19, S3-10)
pub struct List;

impl Operation for List {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/invitations";
    const NAME: &'static str = "list_invitations";
    const SUMMARY: &'static str = "Invitations, in the order in which they were written; never their tokens.";
    const NEED: Need = READ;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::CursorInvalid];
    type Query = ListQuery;
    type Body = NoBody;
    type Answer = Page<InvitationView>;

    async fn run(desk: Desk, query: ListQuery, _: NoBody) -> Result<Answer<Self::Answer>, Refused> {
        let id = desk.organization()?.id;
        let slice = desk.slice(query.limit, query.cursor.as_deref())?;
        let most = (slice.most(), desk.now);
        let found = invitations::page(&mut desk.db(), id, query.status, slice.after, most).await?;
        let (found, next_cursor) = slice.page(found, |last: &Invitation| last.id);
        let items = found.iter().map(|one| InvitationView::of(one, desk.now)).collect();
        Answer::new(200, &Page { items, next_cursor })
    }
}

/// `GET /organizations/{organization_id}/invitations/{invitation_id}`
pub struct Read;

impl Operation for Read {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/organizations/{organization_id}/invitations/{invitation_id}";
    const NAME: &'static str = "read_invitation";
    const SUMMARY: &'static str = "One invitation; never its token.";
    const NEED: Need = READ;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = InvitationView;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<InvitationView>, Refused> {
        let (organization, id) = (desk.organization()?.id, desk.params.id("invitation_id")?);
        let found =
            invitations::by_id(&mut desk.db(), organization, id).await?.ok_or_else(Refused::hidden)?;
        Answer::new(200, &InvitationView::of(&found, desk.now))
    }
}

/// What a single one is refused for.
const REFUSES: &[Code] = &[
    Code::MailNotConfigured,
    Code::AlreadyMember,
    Code::InvitationPending,
    Code::RoleUnknown,
    Code::ReauthenticationRequired,
    Code::RoleCeiling,
    Code::InvalidValue,
];

/// Whether the house sends mails.
fn mails(desk: &Desk) -> bool {
    desk.visitor.broker().post.is_some()
}

/// `POST /organizations/{organization_id}/invitations` (S1-R20, S1-L3, S3-33)
pub struct Create;

impl Operation for Create {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/invitations";
    const NAME: &'static str = "create_invitation";
    const SUMMARY: &'static str = "Invites somebody by their address.";
    const NEED: Need = INVITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[201];
    const CODES: &'static [Code] = REFUSES;
    type Query = NoQuery;
    type Body = Json<Invite>;
    type Answer = InvitationMade;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<InvitationMade>, Refused> {
        let (organization, by) = (desk.organization()?.id, inviter(desk.caller.who)?);
        let wanted = body.0.checked(desk.caller.is_system(), mails(&desk))?;
        limit(&desk, organization, 1).await?;
        let mailed = wanted.send.then(|| wanted.email.clone());
        if let Some(to) = &mailed {
            limit_mails(&desk, to).await?;
        }
        let at = desk.visitor.broker().clone();
        let work = async move |change: &mut Change<'_, '_>| {
            refuse(change, organization, &wanted).await?;
            let made = write(change, organization, by, &wanted).await?;
            let location = format!("{BASE}/organizations/{organization}/invitations/{}", made.invitation.id);
            let view = InvitationMade::of(&made, &at, &change.keep.project, change.keep.now);
            Ok(Answer::new(201, &view)?.location(location))
        };
        let outcome = desk.change(work).await;
        if let Some(to) = mailed.filter(|_| is_nothing(&outcome)) {
            not_mailed(&desk, &to).await?;
        }
        outcome
    }
}

/// `POST /organizations/{organization_id}/invitations/{invitation_id}/resend`
pub struct Renew;

impl Operation for Renew {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/invitations/{invitation_id}/resend";
    const NAME: &'static str = "resend_invitation";
    const SUMMARY: &'static str = "Gives an invitation another token, under the caller's rights, for as long as at first, and until 90 days after it was written at most; the one before is dead.";
    const NEED: Need = INVITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::MailNotConfigured,
        Code::Gone,
        Code::InvitationAccepted,
        Code::InvitationPending,
        Code::RoleUnknown,
        Code::ReauthenticationRequired,
        Code::RoleCeiling,
    ];
    type Query = NoQuery;
    type Body = Json<SendAgain>;
    type Answer = InvitationMade;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<InvitationMade>, Refused> {
        let (organization, by) = (desk.organization()?.id, inviter(desk.caller.who)?);
        let id = desk.params.id("invitation_id")?;
        let send = body.0.send;
        refuse_mail(send, mails(&desk))?;
        limit(&desk, organization, 1).await?;
        let found = invitations::by_id(&mut desk.db(), organization, id).await?;
        let mailed = found.as_ref().filter(|_| send).map(|found| found.email.clone());
        if let Some(to) = &mailed {
            limit_mails(&desk, to).await?;
        }
        let at = desk.visitor.broker().clone();
        let work = async move |change: &mut Change<'_, '_>| {
            let made = renew(change, organization, id, (by, send)).await?;
            Answer::new(200, &InvitationMade::of(&made, &at, &change.keep.project, change.keep.now))
        };
        let outcome = desk.change(work).await;
        match (is_nothing(&outcome), mailed, found) {
            (true, Some(to), _) => not_mailed(&desk, &to).await?,
            (false, _, Some(before)) => taken_back(&desk, &before).await?,
            _ => {}
        }
        outcome
    }
}

/// `DELETE /organizations/{organization_id}/invitations/{invitation_id}` (S1-R22)
pub struct Revoke;

impl Operation for Revoke {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/organizations/{organization_id}/invitations/{invitation_id}";
    const NAME: &'static str = "revoke_invitation";
    const SUMMARY: &'static str = "Takes an invitation back: its token opens nothing any more.";
    const NEED: Need = WRITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[204];
    const CODES: &'static [Code] =
        &[Code::InvitationAccepted, Code::ReauthenticationRequired, Code::RoleCeiling];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = ();

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<()>, Refused> {
        let (organization, id) = (desk.organization()?.id, desk.params.id("invitation_id")?);
        let found = invitations::by_id(&mut desk.db(), organization, id).await?;
        let work = async move |change: &mut Change<'_, '_>| {
            revoke(change, organization, id).await?;
            Answer::new(204, &())
        };
        let outcome = desk.change(work).await;
        if let Some(found) = found.filter(|_| !is_nothing(&outcome)) {
            taken_back(&desk, &found).await?;
        }
        outcome
    }
}
