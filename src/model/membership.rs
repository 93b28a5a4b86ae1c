//! A membership: a user in an organization.

use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::id::{MembershipId, OrganizationId, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub id: MembershipId,
    pub organization_id: OrganizationId,
    pub user_id: UserId,
    pub kind: MembershipKind,
    pub status: MembershipStatus,
    pub source: MembershipSource,
    /// Names of roles.
    pub roles: Vec<String>,
    pub created_at: Moment,
}

words! {
    MembershipKind { Home = "home", Member = "member", Guest = "guest", Delegate = "delegate" }
}

words! {
    /// A removed membership stays as a tombstone: nothing silently adds it again.
    MembershipStatus {
        Invited = "invited",
        Active = "active",
        Suspended = "suspended",
        Blocked = "blocked",
        Removed = "removed",
    }
}

words! {
    MembershipSource {
        Manual = "manual",
        Invitation = "invitation",
        Jit = "jit",
        Scim = "scim",
        AutoJoin = "auto_join",
    }
}
