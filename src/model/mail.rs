//! A mail that waits to be sent. What it says is put together when it is sent, in the words and colours of its project.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{MailId, OrganizationId, ProjectId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub id: MailId,
    pub project_id: ProjectId,
    pub organization_id: Option<OrganizationId>,
    pub to: Email,
    /// A language tag; absent: the first that there are messages in.
    pub language: Option<String>,
    pub letter: Letter,
    pub created_at: Moment,
    /// After this it helps nobody.
    pub expires_at: Moment,
}

/// What a mail tells. Names and texts are those of strangers; a link's secret part is no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    pub kind: Kind,
    /// The organization's name.
    pub organization: String,
    /// Who invites or offers, as they call themselves.
    pub person: Option<String>,
    /// The domain, the connection, the other organization or the day that it is about.
    pub thing: Option<String>,
    /// As what somebody is invited, as people call it.
    #[serde(default)]
    pub roles: Vec<String>,
    /// What whoever invites wants to say.
    pub message: Option<String>,
    /// Until when its link or offer counts, or what it is about.
    pub counts_until: Option<Moment>,
}

words! {
    /// What it is about. Each has four messages: `mail-<kind>-subject`, `-title`, `-text` and `-next`.
    Kind {
        Invitation = "invitation",
        OwnershipOffered = "ownership_offered",
        OwnershipGiven = "ownership_given",
        OwnershipHandedOver = "ownership_handed_over",
        /// The proof of a verified domain was not found.
        DomainMissed = "domain_missed",
        DomainLost = "domain_lost",
        /// Somebody else can prove it, too.
        DomainContested = "domain_contested",
        /// It is to be proved anew.
        DomainChallenge = "domain_challenge",
        /// Nobody can say whether its proof is there.
        DomainUnreachable = "domain_unreachable",
        AutoJoinPaused = "auto_join_paused",
        ConnectionActivated = "connection_activated",
        ConnectionRolledBack = "connection_rolled_back",
        /// Nobody gets in by what is live, and only they can go back.
        ConnectionFailing = "connection_failing",
        /// What the provider says of itself runs out, and nobody gets in then.
        MetadataEnding = "metadata_ending",
        /// It could not be read any more for days.
        MetadataUnreadable = "metadata_unreadable",
        /// The last certificate of the provider that is known.
        CertificateEnding = "certificate_ending",
        /// One of ours that the provider knows us by.
        OwnCertificateEnding = "own_certificate_ending",
        /// Other keys of the provider are believed, or people are sent to another address of it: it said so itself.
        MetadataChanged = "metadata_changed",
        /// What the provider says of itself is different, and waits for somebody.
        MetadataOffered = "metadata_offered",
        /// Somebody has said by what name of a provider they are known: the connection is what it is about.
        PersonRelinked = "person_relinked",
        /// Who made them belongs to the organization no more: their names are what it is about.
        ApiKeysRevoked = "api_keys_revoked",
        /// Who answered for them owns the organization no more: the roles that they gave are what it is about.
        RoleRulesUnapproved = "role_rules_unapproved",
        /// Both have agreed on it, or on other terms. Of each of these, the organization is the target, and the home is what
        /// it is about.
        DelegationActive = "delegation_active",
        /// It is not what both have agreed on any more.
        DelegationChanged = "delegation_changed",
        DelegationPaused = "delegation_paused",
        DelegationResumed = "delegation_resumed",
        DelegationRevoked = "delegation_revoked",
        /// Until when it can be restored is what it is about.
        OrganizationDeleted = "organization_deleted",
    }
}

words! {
    /// What has become of a mail.
    Fate { Queued = "queued", Sent = "sent", Failed = "failed" }
}

impl Mail {
    /// How long a mail is tried.
    pub const TRIED_FOR: Duration = Duration::from_secs(24 * 3_600);
    /// How often.
    pub const MOST_TRIES: i64 = 12;

    /// How long it waits after so many tries: longer each time, up to six hours.
    pub fn pause(tries: i64) -> Duration {
        let doublings = u32::try_from(tries.clamp(1, 16) - 1).unwrap_or(0);
        Duration::from_secs((60_u64 << doublings).min(6 * 3_600))
    }
}

impl Letter {
    pub fn new(kind: Kind, organization: &str) -> Self {
        let organization = organization.to_owned();
        let roles = Vec::new();
        Self { kind, organization, person: None, thing: None, roles, message: None, counts_until: None }
    }

    /// The same about something.
    #[must_use]
    pub fn about(self, thing: &str) -> Self {
        Self { thing: Some(thing.to_owned()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_tried_less_and_less_often() {
        let minutes: Vec<_> = (0..=16).map(|tries| Mail::pause(tries).as_secs() / 60).collect();
        assert_eq!(minutes[..5], [1, 1, 2, 4, 8]);
        assert_eq!(minutes[16], 360);
        let all: u64 = (1..Mail::MOST_TRIES).map(|tries| Mail::pause(tries).as_secs()).sum();
        assert!(all < Mail::TRIED_FOR.as_secs(), "the last try comes within the day: {all}");
    }
}
