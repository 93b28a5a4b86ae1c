//! What ended, and what an application is to be told of it (OpenID Connect Back-Channel Logout 1.0).

use std::time::Duration;

use crate::foundation::clock::Moment;
use crate::foundation::id::{
    ApplicationId, DelegationId, NoticeId, OrganizationId, ProjectId, SessionId, UserId,
};

/// What ended: whatever applications have got by it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A browser is not signed in any more.
    Session(SessionId),
    /// Somebody is let in nowhere any more.
    User(UserId),
    /// Somebody is no active member any more: of theirs, or of the one that lets them act for others.
    Member(UserId, OrganizationId),
    /// Nobody acts for it any more, or for others because they are its people.
    Organization(OrganizationId),
    /// Nobody acts by it any more.
    Delegation(DelegationId),
}

impl Ended {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::User(_) => "user",
            Self::Member(..) => "member",
            Self::Organization(_) => "organization",
            Self::Delegation(_) => "delegation",
        }
    }

    /// Of which thing, and in which other one.
    pub fn of(self) -> (String, Option<String>) {
        match self {
            Self::Session(id) => (id.to_string(), None),
            Self::User(id) => (id.to_string(), None),
            Self::Member(user, organization) => (user.to_string(), Some(organization.to_string())),
            Self::Organization(id) => (id.to_string(), None),
            Self::Delegation(id) => (id.to_string(), None),
        }
    }

    /// The same again; nothing for what is none of these.
    pub fn read(word: &str, of: &str, within: Option<&str>) -> Option<Self> {
        let organization = within.and_then(|within| within.parse().ok());
        Some(match word {
            "session" => Self::Session(of.parse().ok()?),
            "user" => Self::User(of.parse().ok()?),
            "member" => Self::Member(of.parse().ok()?, organization?),
            "organization" => Self::Organization(of.parse().ok()?),
            "delegation" => Self::Delegation(of.parse().ok()?),
            _ => return None,
        })
    }

    /// Whether the browser is not signed in any more, whomever it acted for.
    pub const fn ends_the_session(self) -> bool {
        matches!(self, Self::Session(_) | Self::User(_))
    }
}

/// An application that got tokens in a session, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    pub session: SessionId,
    pub application: ApplicationId,
    pub user: UserId,
    pub organization: Option<OrganizationId>,
    pub delegation: Option<DelegationId>,
    /// Whose people may act by that delegation.
    pub home: Option<OrganizationId>,
}

/// What one application is told: that this session of this person is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub id: NoticeId,
    pub project_id: ProjectId,
    pub application_id: ApplicationId,
    pub session_id: SessionId,
    pub user_id: UserId,
    /// Only what they had for this organization is over.
    pub organization_id: Option<OrganizationId>,
    pub created_at: Moment,
    /// After this it is told no more.
    pub expires_at: Moment,
}

impl Notice {
    /// How long an application is told (threats M03).
    pub const TRIED_FOR: Duration = Duration::from_secs(24 * 3_600);

    /// How long to wait after so many tries: from five seconds up to an hour.
    pub fn pause(tries: i64) -> Duration {
        let doublings = u32::try_from(tries.clamp(1, 16) - 1).unwrap_or(0);
        Duration::from_secs((5_u64 << doublings).min(3_600))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn m03_an_application_is_told_soon_again_and_then_less_and_less_often() {
        let pauses: Vec<_> = (0..=12).map(|tries| Notice::pause(tries).as_secs()).collect();
        assert_eq!(pauses[..5], [5, 5, 10, 20, 40]);
        assert_eq!(pauses[12], 3_600);
        assert_eq!(Notice::pause(i64::MAX).as_secs(), 3_600);
    }

    #[test]
    fn what_ended_is_read_as_it_was_written() {
        let (one, two) = (7, 8);
        for ended in [
            Ended::Session(SessionId::from_u128(one)),
            Ended::User(UserId::from_u128(one)),
            Ended::Member(UserId::from_u128(one), OrganizationId::from_u128(two)),
            Ended::Organization(OrganizationId::from_u128(two)),
            Ended::Delegation(DelegationId::from_u128(two)),
        ] {
            let (of, within) = ended.of();
            assert_eq!(Ended::read(ended.word(), &of, within.as_deref()), Some(ended));
        }
        let of = UserId::from_u128(one).to_string();
        assert_eq!(Ended::read("member", &of, None), None);
        let of = SessionId::from_u128(one).to_string();
        assert_eq!(Ended::read("user", &of, None), None);
    }
}
