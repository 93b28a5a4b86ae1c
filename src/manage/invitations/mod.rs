//! Invitations: written, renewed, taken back, accepted.

pub mod api;
mod body;
mod view;

use std::time::Duration;

use super::caller::{Caller, Who};
use super::desk::Change;
use super::people::refuse_roles;
use super::refused::{Code, Refused};
use crate::foundation::email::Email;
use crate::foundation::id::{InvitationId, OrganizationId};
use crate::foundation::secret::Secret;
use crate::join::invited::NotAccepted;
use crate::model::invitation::{Invitation, Inviter, State};
use crate::model::membership::{MembershipKind, MembershipStatus};
use crate::model::role;
use crate::store::durable::{domains, invitations, memberships, people};

pub use view::InvitationMade;

/// Who is invited, and as what.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub email: Email,
    pub roles: Vec<String>,
    pub kind: MembershipKind,
    pub message: Option<String>,
    pub lives: Duration,
}

/// A new invitation, and the only copy of its token.
struct Made {
    invitation: Invitation,
    token: Secret,
}

/// The caller, if they can answer for what they give when it is accepted: a delegate's rights are another
/// organization's to end.
fn inviter(caller: &Caller) -> Result<Inviter, Refused> {
    match caller.who {
        Who::Operator(_) => Ok(Inviter::Operator),
        Who::Key(id) => Ok(Inviter::Key(id)),
        Who::Person(acting) if acting.delegation.is_none() => Ok(Inviter::User(acting.user)),
        _ => Err(Refused::new(Code::RoleCeiling, "who acts for another organization invites nobody to it")),
    }
}

/// Whether it may be written (S1-R20). What is told of an address is only what the organization knows itself.
async fn refuse(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    wanted: &Wanted,
) -> Result<(), Refused> {
    refuse_roles(change, organization, &wanted.roles).await?;
    let told = |code: Code| Err(Refused::new(code, code.title()));
    if is_member(change, organization, &wanted.email).await? {
        return told(Code::AlreadyMember);
    }
    if invitations::waits(change.tx, organization, &wanted.email, change.keep.now).await? {
        return told(Code::InvitationPending);
    }
    Ok(())
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
    let keep = change.keep;
    let token = keep.random.token();
    let invitation = Invitation {
        id: InvitationId::new(&keep.random, keep.now),
        project_id: keep.project.id,
        organization_id: organization,
        email: wanted.email.clone(),
        kind: wanted.kind,
        roles: wanted.roles.clone(),
        message: wanted.message.clone(),
        invited_by: inviter,
        created_at: keep.now,
        expires_at: keep.now.plus(wanted.lives),
        accepted_at: None,
        accepted_by: None,
        revoked_at: None,
    };
    invitations::insert(change.tx, &invitation, token.digest()).await?;
    let event = keep.event("organization.invitation.created", organization).subject(invitation.id);
    let event = event.with("email", invitation.email.as_str()).with("roles", invitation.roles.clone());
    change.record(&event).await?;
    Ok(Made { invitation, token })
}

/// Invites somebody to own an organization that has just been made, as the operator (S1-L2): the token is theirs to hand
/// over.
pub async fn invite_owner(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    email: &Email,
) -> Result<InvitationMade, Refused> {
    let wanted = Wanted {
        email: email.clone(),
        roles: vec![role::OWNER.to_owned()],
        kind: MembershipKind::Member,
        message: None,
        lives: body::USUAL_LIFE,
    };
    let made = write(change, organization, Inviter::Operator, &wanted).await?;
    Ok(InvitationMade::of(&made, change.keep.now))
}

/// Gives it another token, under the rights of who does so (threats H01); the token before is dead.
async fn renew(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    id: InvitationId,
    inviter: Inviter,
) -> Result<Made, Refused> {
    let before = waiting(change, organization, id).await?;
    refuse_roles(change, organization, &before.roles).await?;
    let (keep, token) = (change.keep, change.keep.random.token());
    let lives = before.expires_at.since(before.created_at);
    let expires_at = keep.now.plus(lives);
    if !invitations::renew(change.tx, id, token.digest(), (inviter, expires_at)).await? {
        return Err(Refused::hidden());
    }
    let event = keep.event("organization.invitation.renewed", organization).subject(id);
    change.record(&event).await?;
    Ok(Made { invitation: Invitation { invited_by: inviter, expires_at, ..before }, token })
}

/// Takes it back (S1-R22).
async fn revoke(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    id: InvitationId,
) -> Result<(), Refused> {
    waiting(change, organization, id).await?;
    let keep = change.keep;
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
