//! An invitation: a pending request to join. It is used once, bound to a proved address, and runs out.

use std::time::Duration;

use super::mail::Fate;
use super::membership::MembershipKind;
use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{
    ApiKeyId, ApplicationId, InvitationId, MailId, OrganizationId, ProjectId, UserId,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub id: InvitationId,
    pub project_id: ProjectId,
    pub organization_id: OrganizationId,
    /// Who may accept it: nobody else, whoever has the link.
    pub email: Email,
    pub kind: MembershipKind,
    pub roles: Vec<String>,
    pub message: Option<String>,
    /// Where who has accepted it is led to, and at which of its addresses.
    pub application_id: Option<ApplicationId>,
    pub redirect_uri: Option<String>,
    /// A language tag that its mail is written in.
    pub language: Option<String>,
    /// The mail that alone holds its link; absent: the link was handed over to who invited.
    pub mail: Option<MailId>,
    /// What has become of that, while it is known.
    pub fate: Option<Fate>,
    pub invited_by: Inviter,
    pub created_at: Moment,
    /// How long it counts from whenever it is given a token.
    pub term: Duration,
    pub expires_at: Moment,
    pub accepted_at: Option<Moment>,
    pub accepted_by: Option<UserId>,
    pub revoked_at: Option<Moment>,
}

/// Who invited: what they may at the moment of acceptance decides what the invitation gives (threats C18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inviter {
    Operator,
    Key(ApiKeyId),
    User(UserId),
}

words! {
    State { Pending = "pending", Accepted = "accepted", Revoked = "revoked", Expired = "expired" }
}

impl Invitation {
    /// However often it is sent again, nobody is let in by it later than this after it was written: who invites them then
    /// has long forgotten why.
    pub const MOST: Duration = Duration::from_secs(90 * 86_400);

    /// Until when it counts if it is sent again; nothing, if it has had its time.
    pub fn renewed_until(&self, now: Moment) -> Option<Moment> {
        let end = now.plus(self.term).min(self.created_at.plus(Self::MOST));
        (now < end).then_some(end)
    }

    /// As much of the address as its owner knows it by: `a•••@a.test`.
    pub fn masked_email(&self) -> String {
        let first = self.email.as_str().chars().next().unwrap_or_default();
        format!("{first}•••@{}", self.email.domain())
    }

    pub fn state(&self, now: Moment) -> State {
        match (self.accepted_at, self.revoked_at) {
            (Some(_), _) => State::Accepted,
            (None, Some(_)) => State::Revoked,
            (None, None) if now >= self.expires_at => State::Expired,
            _ => State::Pending,
        }
    }
}

impl Inviter {
    /// As a table holds it: an id, or `operator`.
    pub fn text(self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::Key(id) => id.to_string(),
            Self::User(id) => id.to_string(),
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        // A prefix tells one kind of id from another; a UUID alone would not.
        match text {
            "operator" => Some(Self::Operator),
            _ if text.starts_with(ApiKeyId::PREFIX) => text.parse().ok().map(Self::Key),
            _ if text.starts_with(UserId::PREFIX) => text.parse().ok().map(Self::User),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inviter_is_written_and_read() {
        for inviter in
            [Inviter::Operator, Inviter::Key(ApiKeyId::from_u128(1)), Inviter::User(UserId::from_u128(2))]
        {
            assert_eq!(Inviter::parse(&inviter.text()), Some(inviter));
        }
        assert_eq!(Inviter::parse("org_00000000000000000000000001"), None);
    }
}
