//! An organization that has had an owner keeps an active one (invariant 5; threats H02). Whatever may leave it without one
//! locks the organization, changes, and looks whether there is one still: of two who take the last two owners away at
//! once, the second waits for the first, and fails.

use super::approvals::Answered;
use super::{keys, sign_out};
use crate::audit::Keep;
use crate::foundation::id::{OrganizationId, UserId};
use crate::model::membership::{Membership, MembershipStatus};
use crate::model::sign_out::Ended;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{grants, memberships, users};

/// An organization whose owners nobody else changes until the transaction ends.
#[derive(Clone, Copy, Debug)]
pub struct Owned {
    organization: OrganizationId,
    had_one: bool,
}

/// Locks an organization. Of several, lock them in the order of their ids.
pub async fn locked(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<Owned, StoreError> {
    tx.lock(Lock::Exclusive, "organizations", &organization.to_string()).await?;
    Ok(Owned { organization, had_one: memberships::has_owner(tx, organization).await? })
}

impl Owned {
    /// Whether it has an active owner still, if it had one. Who is found is locked: nobody disables them meanwhile.
    pub async fn keeps_one(self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        if !self.had_one {
            return Ok(true);
        }
        let Some(owner) = memberships::an_owner(tx, self.organization).await? else { return Ok(false) };
        tx.lock(Lock::Shared, "users", &owner.to_string()).await?;
        memberships::has_owner(tx, self.organization).await
    }
}

/// Why a membership cannot be as it should; the transaction is to be taken back.
#[derive(Debug)]
pub enum NotChanged {
    /// Of this organization.
    LastOwner(OrganizationId),
    Store(StoreError),
}

impl From<StoreError> for NotChanged {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Writes a membership as it shall be. What was issued to somebody who is no active member any more ends with it
/// (threats H05).
pub async fn change(tx: &mut Tx<'_>, keep: &Keep, after: &Membership) -> Result<(), NotChanged> {
    let owned = locked(tx, after.organization_id).await?;
    let answered = Answered::before(tx, after.organization_id, after.user_id).await?;
    memberships::update(tx, after, keep.now).await?;
    if after.status != MembershipStatus::Active {
        grants::revoke_of_member(tx, after.organization_id, after.user_id, keep.now).await?;
        sign_out::ended(tx, keep, Ended::Member(after.user_id, after.organization_id)).await?;
    }
    if after.status == MembershipStatus::Removed {
        keys::revoke_of(tx, keep, after.organization_id, after.user_id).await?;
    }
    if !owned.keeps_one(tx).await? {
        return Err(NotChanged::LastOwner(after.organization_id));
    }
    Ok(answered.lapses(tx, keep).await?)
}

/// Lets a user in nowhere any more: all that was issued to them ends. Organizations come before people, as in
/// [`change`].
pub async fn disable(tx: &mut Tx<'_>, keep: &Keep, user: UserId) -> Result<(), NotChanged> {
    let mut owned = Vec::new();
    for organization in memberships::owned_by(tx, user).await? {
        owned.push(locked(tx, organization).await?);
    }
    tx.lock(Lock::Exclusive, "users", &user.to_string()).await?;
    // From here on nobody counts on them as an owner; who did so meanwhile is to be looked at, too.
    let now_owned = memberships::owned_by(tx, user).await?;
    if now_owned.iter().any(|id| owned.iter().all(|known| known.organization != *id)) {
        return Err(StoreError::Conflict.into());
    }
    let mut answered = Vec::new();
    for one in &owned {
        answered.push(Answered::before(tx, one.organization, user).await?);
    }
    users::disable(tx, user, Some(keep.now), keep.now).await?;
    grants::revoke_of_user(tx, user, keep.now).await?;
    sign_out::ended(tx, keep, Ended::User(user)).await?;
    for one in owned {
        if !one.keeps_one(tx).await? {
            return Err(NotChanged::LastOwner(one.organization));
        }
    }
    for one in answered {
        one.lapses(tx, keep).await?;
    }
    Ok(())
}
