//! Somebody accepts an invitation (threats C18): they have proved the address that it is bound to, the organization is
//! active, and whoever invited them may still give what it gives.

use std::collections::BTreeSet;

use serde_json::json;

use super::owners::{self, NotChanged};
use super::{Joined, Joining, join, keys};
use crate::audit::Keep;
use crate::foundation::id::{OrganizationId, UserId};
use crate::foundation::secret::Digest;
use crate::model::api_key::{ApiKey, Holder};
use crate::model::invitation::{Invitation, Inviter, State};
use crate::model::membership::{Membership, MembershipSource, MembershipStatus};
use crate::model::permission::Permission;
use crate::model::role;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{
    api_keys, domains, invitations, memberships, organizations, people, role_rules, roles, users,
};

/// Why an invitation was not accepted; the transaction is to be taken back, and the invitation is as it was. Of
/// [`Self::AlreadyMember`] nothing was written.
#[derive(Debug)]
pub enum NotAccepted {
    Unknown,
    /// Used, revoked, run out, or the organization is not active.
    Gone,
    /// It is for another address, or they have not proved it.
    WrongAccount,
    InviterLostRights,
    AlreadyMember,
    /// They were removed after it was written, or are suspended or blocked.
    Blocked,
    /// They belong somewhere else, and the project is exclusive.
    Elsewhere,
    Store(StoreError),
}

impl From<StoreError> for NotAccepted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<NotChanged> for NotAccepted {
    fn from(why: NotChanged) -> Self {
        match why {
            NotChanged::LastOwner(_) => Self::Blocked,
            NotChanged::Store(error) => Self::Store(error),
        }
    }
}

/// Makes a member of whoever holds the token and is meant by it.
pub async fn accept(
    tx: &mut Tx<'_>,
    keep: &Keep,
    token: Digest,
    user: UserId,
) -> Result<Membership, NotAccepted> {
    let project = keep.project.id;
    let found = invitations::by_token(tx, project, token).await?.ok_or(NotAccepted::Unknown)?;
    tx.lock(Lock::Shared, "organizations", &found.organization_id.to_string()).await?;
    let organization = organizations::by_id(tx, project, found.organization_id).await?;
    let is_active = organization
        .is_some_and(|organization| organization.is_active() && organization.deleted_at.is_none());
    if !is_active || found.state(keep.now) != State::Pending {
        return Err(NotAccepted::Gone);
    }
    if !has_proved(tx, keep, &found, user).await? {
        return Err(NotAccepted::WrongAccount);
    }
    // Before anything is written: who signs in by an invitation that they do not need goes on.
    let before = memberships::find(tx, found.organization_id, user).await?;
    let before = before.filter(|before| before.status == MembershipStatus::Active);
    let raised = match &before {
        Some(before) => raised(tx, before, &found).await?,
        None => None,
    };
    if before.is_some() && raised.is_none() {
        // Of many who come at once, those who were late are members by this very invitation.
        let now = invitations::by_token(tx, project, token).await?;
        let waits = now.is_some_and(|now| now.state(keep.now) == State::Pending);
        return Err(if waits { NotAccepted::AlreadyMember } else { NotAccepted::Gone });
    }
    if !may_still_give(tx, keep, &found).await? {
        return Err(NotAccepted::InviterLostRights);
    }
    if !invitations::accept(tx, project, token, user, keep.now).await? {
        return Err(NotAccepted::Gone);
    }
    let membership = match before.zip(raised) {
        Some((before, after)) => changed(tx, keep, before, after).await?,
        None => joined(tx, keep, &found, user).await?,
    };
    let event = keep.event("organization.invitation.accepted", found.organization_id).subject(user);
    keep.record(tx, &event.with("invitation", found.id.to_string())).await?;
    Ok(membership)
}

/// The address is theirs by the domain's present holder: what an earlier one proved is nobody's proof (threats C16, C25).
/// Where nobody holds the domain, the link proves that they read the mailbox, if it went there and nowhere else; the
/// address does not count as proved by that.
async fn has_proved(
    tx: &mut Tx<'_>,
    keep: &Keep,
    invitation: &Invitation,
    user: UserId,
) -> Result<bool, StoreError> {
    let project = keep.project.id;
    let found = users::by_id(tx, project, user).await?.filter(|user| user.disabled_at.is_none());
    let Some(found) = found.filter(|found| found.email.as_ref() == Some(&invitation.email)) else {
        return Ok(false);
    };
    match domains::held(tx, project, invitation.email.domain()).await? {
        Some(_) if found.proved_email().is_none() => Ok(false),
        Some(domain) => Ok(people::of_claim(tx, project, domain.id, &invitation.email).await? == Some(user)),
        None => Ok(invitation.mail.is_some()),
    }
}

/// What the inviter may now, not when they wrote it.
async fn may_still_give(tx: &mut Tx<'_>, keep: &Keep, invitation: &Invitation) -> Result<bool, StoreError> {
    let (project, organization) = (keep.project.id, invitation.organization_id);
    let custom = roles::permissions(tx, project, organization).await?;
    let exists = |name: &String| role::built_in(name).is_some() || custom.contains_key(name);
    if !invitation.roles.iter().all(exists) {
        return Ok(false);
    }
    let gives = |granted: &BTreeSet<String>, owns: bool| {
        let one = |name: &String| match name == role::OWNER {
            true => owns,
            false => role::granted(std::slice::from_ref(name), &custom).is_subset(granted),
        };
        granted.contains(Permission::InvitationsWrite.word()) && invitation.roles.iter().all(one)
    };
    match invitation.invited_by {
        Inviter::Operator => Ok(true),
        // By whichever of its secrets that still works: which one it was is not known any more.
        Inviter::Key(id) => {
            let found = api_keys::by_id(tx, project, id, keep.now).await?;
            let found = found.filter(|(key, _)| key.is_alive(keep.now) && is_of(key, organization));
            let Some((key, secrets)) = found else { return Ok(false) };
            for secret in &secrets {
                let granted = keys::granted(tx, project, (&key, secret), keep.now).await?;
                if granted.is_some_and(|one| gives(&one, false)) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Inviter::User(id) => {
            let alive = users::by_id(tx, project, id).await?.is_some_and(|user| user.disabled_at.is_none());
            let member = memberships::find(tx, organization, id).await?;
            let Some(member) = member.filter(|member| alive && member.status == MembershipStatus::Active)
            else {
                return Ok(false);
            };
            // As when they sign in: with what their provider's word gives them.
            let by_rule = role_rules::held_by(tx, project, organization, (id, keep.now), &custom).await?;
            let all: Vec<_> = member.roles.iter().cloned().chain(by_rule).collect();
            let owns = member.roles.iter().any(|name| name == role::OWNER);
            Ok(gives(&role::granted(&all, &custom), owns))
        }
    }
}

fn is_of(key: &ApiKey, organization: OrganizationId) -> bool {
    matches!(key.holder, Holder::Organization(own, _) if own == organization)
}

/// Who is a member because anybody of theirs becomes one was invited as more, and needs no other way to it than to sign in:
/// they keep what they hold. Who was given their roles by somebody is as that one said, and by no invitation that was
/// written before (threats H05).
async fn raised(
    tx: &mut Tx<'_>,
    before: &Membership,
    invitation: &Invitation,
) -> Result<Option<Membership>, StoreError> {
    let by_themselves = matches!(before.source, MembershipSource::Jit | MembershipSource::AutoJoin);
    let more: Vec<_> = invitation.roles.iter().filter(|role| !before.roles.contains(role)).cloned().collect();
    let is_over = memberships::is_changed_since(tx, before.id, invitation.created_at).await?;
    if !by_themselves || more.is_empty() || is_over {
        return Ok(None);
    }
    let roles = [before.roles.as_slice(), &more].concat();
    Ok(Some(Membership { source: MembershipSource::Invitation, roles, ..before.clone() }))
}

async fn changed(
    tx: &mut Tx<'_>,
    keep: &Keep,
    before: Membership,
    after: Membership,
) -> Result<Membership, NotAccepted> {
    owners::change(tx, keep, &after).await?;
    let roles = |of: &Membership| Some(json!({ "roles": of.roles }));
    let event = keep.event("organization.member.role_changed", after.organization_id).subject(after.user_id);
    keep.record(tx, &event.changing(roles(&before), roles(&after))).await?;
    Ok(after)
}

async fn joined(
    tx: &mut Tx<'_>,
    keep: &Keep,
    invitation: &Invitation,
    user: UserId,
) -> Result<Membership, NotAccepted> {
    let (organization, kind) = (invitation.organization_id, invitation.kind);
    let (source, roles) = (MembershipSource::Invitation, invitation.roles.as_slice());
    let joining = Joining { user, organization, kind, source, roles };
    match join(tx, keep, &joining).await? {
        Joined::Now(made) => Ok(made),
        Joined::Elsewhere => Err(NotAccepted::Elsewhere),
        Joined::Already(before) => returned(tx, keep, invitation, before).await,
    }
}

/// Who was removed comes back by an invitation that was written after that, and by no earlier one (threats H05).
async fn returned(
    tx: &mut Tx<'_>,
    keep: &Keep,
    invitation: &Invitation,
    before: Membership,
) -> Result<Membership, NotAccepted> {
    match before.status {
        MembershipStatus::Active => return Err(NotAccepted::AlreadyMember),
        MembershipStatus::Removed => {}
        _ => return Err(NotAccepted::Blocked),
    }
    let removed_at = memberships::removed_at(tx, before.id).await?;
    if removed_at.is_none_or(|at| invitation.created_at <= at) {
        return Err(NotAccepted::Blocked);
    }
    let after = Membership {
        status: MembershipStatus::Active,
        source: MembershipSource::Invitation,
        kind: invitation.kind,
        roles: invitation.roles.clone(),
        ..before
    };
    owners::change(tx, keep, &after).await?;
    let event = keep.event("organization.member.added", after.organization_id).subject(after.user_id);
    let event = event.with("source", after.source.word()).with("restored", true);
    keep.record(tx, &event.with("roles", after.roles.clone())).await?;
    Ok(after)
}
