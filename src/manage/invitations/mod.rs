//! Invitations: written, renewed, taken back, accepted.

pub mod api;
mod body;
mod limits;
mod view;

use std::time::Duration;

use super::authority::may_touch;
use super::caller::Who;
use super::desk::Change;
use super::people::refuse_roles;
use super::refused::{Code, Refused};
use crate::broker::Broker;
use crate::foundation::email::Email;
use crate::foundation::id::{ApplicationId, InvitationId, MailId, OrganizationId};
use crate::foundation::secret::Secret;
use crate::join::invited::NotAccepted;
use crate::keys::mail_secret;
use crate::model::invitation::{Invitation, Inviter, State};
use crate::model::mail::{self, Fate, Letter, Mail};
use crate::model::membership::{MembershipKind, MembershipStatus};
use crate::model::role;
use crate::store::durable::{
    applications, domains, invitations, mails, memberships, organizations, people, roles, users,
};

pub use view::InvitationMade;

/// Who is invited, and as what.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub email: Email,
    pub roles: Vec<String>,
    pub kind: MembershipKind,
    pub message: Option<String>,
    pub lives: Duration,
    /// By `client_id` or id.
    pub application: Option<String>,
    pub redirect_uri: Option<String>,
    pub language: Option<String>,
    /// Whether a mail is sent.
    pub send: bool,
}

/// A new invitation, and its token where nobody is sent it.
struct Made {
    invitation: Invitation,
    token: Option<Secret>,
}

/// Who answers for what is given when it is accepted.
fn inviter(who: Who) -> Result<Inviter, Refused> {
    match who {
        Who::Operator(_) => Ok(Inviter::Operator),
        Who::Key(id) => Ok(Inviter::Key(id)),
        Who::Person(acting) => Ok(Inviter::User(acting.user)),
        Who::Nobody => Err(Refused::by(Code::Unauthenticated)),
    }
}

/// Whether it may be written (S1-R20). What is told of an address is only what the organization knows itself.
async fn refuse(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    wanted: &Wanted,
) -> Result<(), Refused> {
    refuse_shared(change).await?;
    refuse_roles(change, organization, &wanted.roles).await?;
    let told = |code: Code| Err(Refused::new(code, code.title()));
    if is_member(change, organization, &wanted.email).await? {
        return told(Code::AlreadyMember);
    }
    if invitations::waits(change.tx, organization, &wanted.email, change.keep.now).await? {
        return told(Code::InvitationPending);
    }
    application(change, organization, wanted).await.map(drop)
}

/// Nobody is invited in the name of whoever reads a shared mailbox, be it by a key of theirs (S1-D8).
async fn refuse_shared(change: &mut Change<'_, '_>) -> Result<(), Refused> {
    for person in change.persons().await? {
        let found = users::by_id(change.tx, change.keep.project.id, person).await?;
        if found.and_then(|user| user.email).is_some_and(|email| email.is_role_address()) {
            let detail = "it is a shared mailbox: somebody invites by an address of their own";
            return Err(Refused::new(Code::PermissionMissing, detail));
        }
    }
    Ok(())
}

/// The application that who has accepted is led to. One that the organization may not use reads like one that there is
/// not.
async fn application(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    wanted: &Wanted,
) -> Result<Option<ApplicationId>, Refused> {
    let Some(name) = &wanted.application else { return Ok(None) };
    let project = change.keep.project.id;
    let found = match applications::by_client_id(change.tx, project, name).await? {
        None => match name.parse() {
            Ok(id) => applications::by_id(change.tx, project, id).await?,
            Err(_) => None,
        },
        found => found,
    };
    let unknown = || Refused::value("/application", "names none that people of the organization may use");
    let found = found.filter(|found| found.is_enabled()).ok_or_else(unknown)?;
    let limited = found.settings.organizations_limited;
    if limited && !applications::is_listed(change.tx, found.id, organization).await? {
        return Err(unknown());
    }
    let registered = |uri: &String| found.settings.redirect_uris.iter().any(|known| known.as_str() == uri);
    if wanted.redirect_uri.as_ref().is_some_and(|uri| !registered(uri)) {
        return Err(Refused::value("/redirect_uri", "must be a redirect URI of the application"));
    }
    Ok(Some(found.id))
}

/// Whether the proved address is that of a member.
async fn is_member(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    email: &Email,
) -> Result<bool, Refused> {
    let project = change.keep.project.id;
    let Some(domain) = domains::held(change.tx, project, email.domain()).await? else { return Ok(false) };
    let Some(user) = people::of_claim(change.tx, project, domain.id, email).await? else { return Ok(false) };
    let found = memberships::find(change.tx, organization, user).await?;
    Ok(found.is_some_and(|found| found.status != MembershipStatus::Removed))
}

/// Writes one that nothing speaks against.
async fn write(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    inviter: Inviter,
    wanted: &Wanted,
) -> Result<Made, Refused> {
    let application_id = application(change, organization, wanted).await?;
    let keep = change.keep;
    let token = keep.random.token();
    let mail = wanted.send.then(|| MailId::new(&keep.random, keep.now));
    let invitation = Invitation {
        id: InvitationId::new(&keep.random, keep.now),
        project_id: keep.project.id,
        organization_id: organization,
        email: wanted.email.clone(),
        kind: wanted.kind,
        roles: wanted.roles.clone(),
        message: wanted.message.clone(),
        application_id,
        redirect_uri: wanted.redirect_uri.clone(),
        language: wanted.language.clone(),
        mail,
        fate: mail.map(|_| Fate::Queued),
        invited_by: inviter,
        created_at: keep.now,
        term: wanted.lives,
        expires_at: keep.now.plus(wanted.lives),
        accepted_at: None,
        accepted_by: None,
        revoked_at: None,
    };
    invitations::insert(change.tx, &invitation, token.digest()).await?;
    let event = keep.event("organization.invitation.created", organization).subject(invitation.id);
    let event = event.with("email", invitation.email.as_str()).with("roles", invitation.roles.clone());
    change.record(&event.with("mailed", mail.is_some())).await?;
    handed(change, invitation, token).await
}

/// Queues the mail that holds the token, if there is to be one; otherwise it goes back to who invited.
async fn handed(change: &mut Change<'_, '_>, invitation: Invitation, token: Secret) -> Result<Made, Refused> {
    let Some(id) = invitation.mail else { return Ok(Made { invitation, token: Some(token) }) };
    let keep = change.keep;
    let (project, organization) = (keep.project.id, invitation.organization_id);
    let found = organizations::by_id(change.tx, project, organization).await?.ok_or_else(Refused::hidden)?;
    let person = match invitation.invited_by {
        Inviter::User(id) => users::by_id(change.tx, project, id).await?.and_then(|user| user.profile.name),
        Inviter::Operator | Inviter::Key(_) => None,
    };
    let letter = Letter {
        person,
        roles: roles::called(change.tx, project, organization, &invitation.roles).await?,
        message: invitation.message.clone(),
        counts_until: Some(invitation.expires_at),
        ..Letter::new(mail::Kind::Invitation, &found.display_name)
    };
    let mail = Mail {
        id,
        project_id: project,
        organization_id: Some(organization),
        to: invitation.email.clone(),
        language: invitation.language.clone(),
        letter,
        created_at: keep.now,
        expires_at: invitation.expires_at.min(keep.now.plus(Mail::TRIED_FOR)),
    };
    let sealed = mail_secret::seal(change.keyring, &keep.random, id, &token);
    mails::queue(change.tx, &mail, Some(&sealed)).await?;
    Ok(Made { invitation, token: None })
}

/// Invites somebody to own an organization that has just been made, as the operator (S1-L2): the token is theirs to hand
/// over.
pub async fn invite_owner(
    change: &mut Change<'_, '_>,
    at: &Broker,
    organization: OrganizationId,
    email: &Email,
) -> Result<InvitationMade, Refused> {
    let wanted = Wanted {
        email: email.clone(),
        roles: vec![role::OWNER.to_owned()],
        kind: MembershipKind::Member,
        message: None,
        lives: body::USUAL_LIFE,
        application: None,
        redirect_uri: None,
        language: None,
        send: false,
    };
    let made = write(change, organization, Inviter::Operator, &wanted).await?;
    Ok(InvitationMade::of(&made, at, &change.keep.project, change.keep.now))
}

/// Gives it another token, under the rights of who does so (threats H01), for as long as at first, and within
/// [`Invitation::MOST`]; the token before is dead.
async fn renew(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    id: InvitationId,
    (inviter, send): (Inviter, bool),
) -> Result<Made, Refused> {
    let before = waiting(change, organization, id).await?;
    let Some(expires_at) = before.renewed_until(change.keep.now) else {
        return Err(Refused::new(Code::Gone, "it was written 90 days ago: invite them anew"));
    };
    refuse_shared(change).await?;
    refuse_roles(change, organization, &before.roles).await?;
    let (keep, token) = (change.keep, change.keep.random.token());
    if let Some(old) = before.mail {
        mails::take_back(change.tx, old).await?;
    }
    let mail = send.then(|| MailId::new(&keep.random, keep.now));
    let fate = mail.map(|_| Fate::Queued);
    let after = Invitation { invited_by: inviter, expires_at, mail, fate, ..before };
    if !invitations::renew(change.tx, &after, token.digest()).await? {
        return Err(Refused::hidden());
    }
    let event = keep.event("organization.invitation.renewed", organization).subject(id);
    change.record(&event.with("mailed", send)).await?;
    handed(change, after, token).await
}

/// Takes it back (S1-R22): nobody does so with what they could not give (threats H01).
async fn revoke(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    id: InvitationId,
) -> Result<(), Refused> {
    let before = waiting(change, organization, id).await?;
    let keep = change.keep;
    let custom = roles::permissions(change.tx, keep.project.id, organization).await?;
    let above = |code| Refused::ceiling(code, "it invites to a role that may change more here than you may");
    may_touch(&change.standing, &before.roles, &custom, keep.now).map_err(above)?;
    if let Some(mail) = before.mail {
        mails::take_back(change.tx, mail).await?;
    }
    if !invitations::revoke(change.tx, id, &keep.actor.to_string(), keep.now).await? {
        return Err(Refused::new(Code::InvitationAccepted, Code::InvitationAccepted.title()));
    }
    change.record(&keep.event("organization.invitation.revoked", organization).subject(id)).await
}

/// One that was neither accepted nor revoked; it may have run out.
async fn waiting(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    id: InvitationId,
) -> Result<Invitation, Refused> {
    let found = invitations::by_id(change.tx, organization, id).await?.ok_or_else(Refused::hidden)?;
    match found.state(change.keep.now) {
        State::Accepted => Err(Refused::new(Code::InvitationAccepted, Code::InvitationAccepted.title())),
        State::Revoked => Err(Refused::hidden()),
        State::Pending | State::Expired => Ok(found),
    }
}

impl From<NotAccepted> for Refused {
    fn from(why: NotAccepted) -> Self {
        let told = |code: Code| Self::new(code, code.title());
        match why {
            NotAccepted::Unknown => Self::hidden(),
            NotAccepted::Gone => told(Code::Gone),
            NotAccepted::WrongAccount => told(Code::WrongAccount),
            NotAccepted::InviterLostRights => told(Code::InviterLostRights),
            NotAccepted::AlreadyMember => told(Code::AlreadyMember),
            NotAccepted::Blocked => told(Code::MembershipBlocked),
            NotAccepted::Elsewhere => told(Code::MembershipExclusive),
            NotAccepted::Store(error) => error.into(),
        }
    }
}
