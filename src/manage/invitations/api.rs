//! `/organizations/{organization_id}/invitations`, and `/invitations` for whoever is invited.

use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{Invite, InviteMany, SendAgain, refuse_mail};
use super::limits::{is_nothing, limit, limit_mails, not_mailed, taken_back};
use super::view::{Accepted, InvitationMade, InvitationShown, InvitationView, RowResult, RowResults, WhyNot};
use super::{Wanted, inviter, refuse, renew, revoke, write};
use crate::broker::Broker;
use crate::foundation::id::OrganizationId;
use crate::foundation::secret::Digest;
use crate::join::invited;
use crate::manage::api::BASE;
use crate::manage::api::page::Page;
use crate::manage::api::route::{At, Json, NoBody, NoQuery, Operation};
use crate::manage::authority::Need;
use crate::manage::caller::Who;
use crate::manage::desk::{Answer, Change, Desk};
use crate::manage::refused::{Code, Refused};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::invitation::{Invitation, Inviter, State};
use crate::model::permission::Permission;
use crate::store::durable::{invitations, organizations};

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

/// `POST /organizations/{organization_id}/invitations/bulk` (S1-R21)
pub struct Bulk;

impl Operation for Bulk {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/organizations/{organization_id}/invitations/bulk";
    const NAME: &'static str = "create_invitations";
    const SUMMARY: &'static str = "Invites up to 50 people; each row has its own result.";
    const NEED: Need = INVITE;
    const AT: At = At::Organization;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] =
        &[Code::TooManyRows, Code::MailNotConfigured, Code::RoleCeiling, Code::InvalidValue];
    type Query = NoQuery;
    type Body = Json<InviteMany>;
    type Answer = RowResults;

    async fn run(desk: Desk, _: NoQuery, body: Self::Body) -> Result<Answer<RowResults>, Refused> {
        let (organization, by) = (desk.organization()?.id, inviter(desk.caller.who)?);
        let any_kind = desk.caller.is_system();
        let mails = mails(&desk);
        let mut rows: Vec<Row> = Vec::new();
        for row in body.0.rows(mails)? {
            let email = row.email.clone();
            let wanted = match row.checked(any_kind, mails) {
                Ok(wanted) => Ok(wanted),
                Err(refused) => Err(WhyNot::of(refused)?),
            };
            rows.push((email, wanted));
        }
        limit(&desk, organization, rows.len()).await?;
        let mut mailed = Vec::new();
        for place in 0..rows.len() {
            let (earlier, rest) = rows.split_at_mut(place);
            let Some((_, row)) = rest.first_mut() else { continue };
            let Some(wanted) = row.as_ref().ok().filter(|wanted| wanted.send) else { continue };
            // What stands there twice is sent once.
            if is_among(earlier, wanted) {
                continue;
            }
            let to = wanted.email.clone();
            match limit_mails(&desk, &to).await {
                Ok(()) => mailed.push((place, to)),
                Err(refused) => *row = Err(WhyNot::of(refused)?),
            }
        }
        let at = desk.visitor.broker().clone();
        let work = async move |change: &mut Change<'_, '_>| {
            let mut results = Vec::with_capacity(rows.len());
            for (place, (email, wanted)) in rows.iter().enumerate() {
                let earlier = &rows[..place];
                let result = row(change, (organization, by), (email, wanted), earlier, &at).await?;
                if let Some(code) = result.code {
                    // As of a single one.
                    let event = change.keep.event("api.refused", organization).reason(code);
                    let event = AuditEvent { outcome: Outcome::Refused, ..event };
                    change.record(&event.with("operation", Self::NAME).with("row", place)).await?;
                }
                results.push(result);
            }
            Answer::new(200, &RowResults { results })
        };
        let outcome = desk.change(work).await;
        let is_nothing = is_nothing(&outcome);
        let is_written = |place: usize| {
            let answer = outcome.as_ref().ok();
            answer.is_none_or(|answer| answer.reply.body["results"][place]["status"] == "created")
        };
        for (place, to) in &mailed {
            if is_nothing || !is_written(*place) {
                not_mailed(&desk, to).await?;
            }
        }
        outcome
    }
}

/// An address as it was written, and what is wanted for it, or why it cannot be.
type Row = (String, Result<Wanted, WhyNot>);

fn is_among(rows: &[Row], wanted: &Wanted) -> bool {
    rows.iter().any(|(_, other)| other.as_ref().is_ok_and(|other| other.email == wanted.email))
}

/// Writes one row, unless something speaks against it: that is told, and the others go on.
async fn row(
    change: &mut Change<'_, '_>,
    (organization, by): (OrganizationId, Inviter),
    (email, wanted): (&str, &Result<Wanted, WhyNot>),
    earlier: &[Row],
    at: &Broker,
) -> Result<RowResult, Refused> {
    let refused = |status, why: Option<&WhyNot>| Ok(RowResult::without(email, status, why));
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(why) if why.code == Code::RateLimited => return refused("limited", Some(why)),
        Err(why) => return refused("invalid", Some(why)),
    };
    if is_among(earlier, wanted) {
        return refused("duplicate", None);
    }
    match refuse(change, organization, wanted).await {
        Ok(()) => {}
        Err(told) => {
            let why = WhyNot::of(told)?;
            let status = match why.code {
                Code::AlreadyMember => "already_member",
                Code::InvitationPending => "pending",
                Code::RoleCeiling | Code::ReauthenticationRequired | Code::PermissionMissing => "forbidden",
                _ => "invalid",
            };
            return refused(status, Some(&why));
        }
    }
    let made = write(change, organization, by, wanted).await?;
    let made = InvitationMade::of(&made, at, &change.keep.project, change.keep.now);
    let InvitationMade { invitation, token, link } = made;
    let (id, email) = (Some(invitation.id), email.to_owned());
    let (code, detail, pointer) = (None, None, None);
    Ok(RowResult { email, status: "created", id, token, link, code, detail, pointer })
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

fn token(desk: &Desk) -> Digest {
    Digest::of(desk.params.get("token").as_bytes())
}

/// `GET /invitations/by-token/{token}` (S1-O4)
pub struct ByToken;

impl Operation for ByToken {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/invitations/by-token/{token}";
    const NAME: &'static str = "read_invitation_by_token";
    const SUMMARY: &'static str =
        "What somebody is invited to, for whoever has the token; it is not used up by that.";
    const NEED: Need = Need::Public;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[Code::Gone];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = InvitationShown;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<InvitationShown>, Refused> {
        let project = desk.project().id;
        let found = invitations::by_token(&mut desk.db(), project, token(&desk)).await?;
        let found = found.ok_or_else(Refused::hidden)?;
        let organization = organizations::by_id(&mut desk.db(), project, found.organization_id).await?;
        let active = organization.filter(|one| one.is_active() && one.deleted_at.is_none());
        match active {
            Some(organization) if found.state(desk.now) == State::Pending => {
                Answer::new(200, &InvitationShown::of(&found, &organization))
            }
            _ => Err(Refused::new(Code::Gone, Code::Gone.title())),
        }
    }
}

/// `POST /invitations/{token}/accept` (S1-O4)
pub struct Accept;

impl Operation for Accept {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/invitations/{token}/accept";
    const NAME: &'static str = "accept_invitation";
    const SUMMARY: &'static str = "Makes the caller a member, if the invitation is for their proved address.";
    const NEED: Need = Need::Account;
    const AT: At = At::Project;
    const STATUS: &'static [u16] = &[200];
    const CODES: &'static [Code] = &[
        Code::Gone,
        Code::WrongAccount,
        Code::InviterLostRights,
        Code::AlreadyMember,
        Code::MembershipBlocked,
        Code::MembershipExclusive,
    ];
    type Query = NoQuery;
    type Body = NoBody;
    type Answer = Accepted;

    async fn run(desk: Desk, _: NoQuery, _: NoBody) -> Result<Answer<Accepted>, Refused> {
        let Who::Person(acting) = desk.caller.who else {
            return Err(Refused::new(Code::PersonRequired, Code::PersonRequired.title()));
        };
        let token = token(&desk);
        desk.change(async move |change| {
            let made = invited::accept(change.tx, change.keep, token, acting.user).await?;
            Answer::new(200, &Accepted::of(&made))
        })
        .await
    }
}
