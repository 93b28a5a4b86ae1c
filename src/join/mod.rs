//! How somebody becomes a member, whoever asks for it: a login, an administrator, a directory; and how what they are
//! signed in to ends.

mod approvals;
pub mod auto;
pub mod invited;
pub mod keys;
pub mod notices;
pub mod owners;
pub mod sign_out;

use crate::audit::Keep;
use crate::foundation::id::{MembershipId, OrganizationId, UserId};
use crate::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use crate::model::project::MembershipMode;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::memberships;

/// Who is to join what, and as what.
#[derive(Clone, Debug)]
pub struct Joining<'a> {
    pub user: UserId,
    pub organization: OrganizationId,
    pub kind: MembershipKind,
    pub source: MembershipSource,
    pub roles: &'a [String],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joined {
    Now(Membership),
    /// There is a membership, of whatever status: what was removed stays removed.
    Already(Membership),
    /// The project is exclusive, and they belong somewhere else.
    Elsewhere,
}

/// Adds a membership where there is none of any status, and tells of it.
pub async fn join(tx: &mut Tx<'_>, keep: &Keep, joining: &Joining<'_>) -> Result<Joined, StoreError> {
    if let Some(found) = memberships::find(tx, joining.organization, joining.user).await? {
        return Ok(Joined::Already(found));
    }
    let mode = keep.project.settings.membership_mode;
    if mode == MembershipMode::Exclusive && memberships::any_of(tx, joining.user).await? {
        return Ok(Joined::Elsewhere);
    }
    let membership = Membership {
        id: MembershipId::new(&keep.random, keep.now),
        organization_id: joining.organization,
        user_id: joining.user,
        kind: joining.kind,
        status: MembershipStatus::Active,
        source: joining.source,
        roles: joining.roles.to_vec(),
        created_at: keep.now,
    };
    memberships::insert(tx, keep.project.id, mode, &membership).await?;
    let event = keep
        .event("organization.member.added", joining.organization)
        .subject(joining.user)
        .with("source", joining.source.word())
        .with("roles", joining.roles.to_vec());
    keep.record(tx, &event).await?;
    Ok(Joined::Now(membership))
}
