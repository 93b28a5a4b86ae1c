//! An organization that has had an owner keeps an active one (invariant 5; threats H02). Whatever may leave it without one
//! locks the organization, changes, and looks whether there is one still: of two who take the last two owners away at
//! once, the second waits for the first, and fails.

use crate::audit::Keep;
use crate::foundation::id::OrganizationId;
use crate::model::membership::{Membership, MembershipStatus};
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{grants, memberships};

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
    /// Whether it has an active owner still, if it had one.
    pub async fn keeps_one(self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        Ok(!self.had_one || memberships::has_owner(tx, self.organization).await?)
    }
}

/// Why a membership cannot be as it should; the transaction is to be taken back.
#[derive(Debug)]
pub enum NotChanged {
    LastOwner,
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
    memberships::update(tx, after, keep.now).await?;
    if after.status != MembershipStatus::Active {
        grants::revoke_of_member(tx, after.organization_id, after.user_id, keep.now).await?;
    }
    if owned.keeps_one(tx).await? { Ok(()) } else { Err(NotChanged::LastOwner) }
}
