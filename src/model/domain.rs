//! A domain: an email domain that an organization claims, and proves by DNS or by a file on its web server.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::words;
use crate::foundation::clock::Moment;
use crate::foundation::domain_name::DomainName;
use crate::foundation::id::{DomainId, OrganizationId, ProjectId};

#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    pub id: DomainId,
    pub project_id: ProjectId,
    pub organization_id: OrganizationId,
    pub name: DomainName,
    pub state: DomainState,
    pub method: Method,
    /// What is to be published, or was: see [`Domain::proof_of`].
    pub challenge: String,
    /// Until when it proves a claim that is pending; whoever comes later needs a fresh one (threats C15).
    pub challenge_until: Moment,
    /// A fresh one that a verified domain must prove in time, because much time has passed or its name servers are
    /// others (threats C16).
    pub next_challenge: Option<NextChallenge>,
    /// When the present challenge was first proved.
    pub proved_at: Option<Moment>,
    /// Three separate switches; verification alone turns none on.
    pub routing_since: Option<Moment>,
    pub trust_since: Option<Moment>,
    pub auto_join_since: Option<Moment>,
    /// What the third switch does while it is on.
    pub auto_join: AutoJoin,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub verified_at: Option<Moment>,
    pub lapsed_at: Option<Moment>,
    pub removed_at: Option<Moment>,
    pub checked_at: Option<Moment>,
    pub next_check_at: Moment,
    /// Authoritative answers in a row without the proof, and when the last one counted.
    pub misses: i64,
    pub missed_at: Option<Moment>,
    /// What the last look found.
    pub answer: Option<Found>,
    /// Of what was registered, sorted.
    pub nameservers: Option<Vec<String>>,
}

words! {
    /// Pending confers nothing; at most one organization holds a domain verified.
    DomainState { Pending = "pending", Verified = "verified", Lapsed = "lapsed", Removed = "removed" }
}

words! {
    /// How it goes with a claim.
    Status {
        Pending = "pending",
        /// Somebody has asked for its proof, which was not there; it is still looked for.
        Failed = "failed",
        /// Its challenge has run out.
        Expired = "expired",
        Verified = "verified",
        Lapsed = "lapsed",
        Removed = "removed",
    }
}

words! {
    /// How a claim is proved.
    #[derive(Default)]
    Method {
        /// A TXT record at a name below the domain.
        #[default] DnsTxt = "dns_txt",
        /// A file at a well-known address of the domain.
        HttpFile = "http_file",
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextChallenge {
    pub challenge: String,
    pub since: Moment,
}

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    pub at: Moment,
    /// Since when every look has been of this kind.
    pub since: Moment,
    pub kind: FoundKind,
    /// What was published there: at most ten texts of at most 255 characters.
    pub texts: Vec<String>,
    /// Why nothing is known.
    pub why: Option<String>,
    /// Whether somebody has asked for a look at this challenge, and not we alone.
    pub is_asked: bool,
}

words! {
    FoundKind {
        /// The proof.
        Proof = "proof",
        /// Something else, said with authority.
        Other = "other",
        /// Nothing, said with authority.
        Absent = "absent",
        /// Nobody can say.
        Error = "error",
        /// The proof, but another organization holds the domain.
        Taken = "taken",
    }
}

/// Who joins by their address alone, and as what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoJoin {
    /// Absent: nobody joins.
    pub role: Option<String>,
    /// Parts before the `@` that stay outside; `*` at one end stands for anything.
    pub exclude: Vec<String>,
    /// How many may join in an hour before it pauses. Absent: [`AutoJoin::USUAL_CAP`].
    pub cap_per_hour: Option<u32>,
    /// When so many had come: until somebody turns it on again.
    pub paused_at: Option<Moment>,
}

impl AutoJoin {
    pub const USUAL_CAP: u32 = 500;

    pub fn cap(&self) -> u32 {
        self.cap_per_hour.unwrap_or(Self::USUAL_CAP)
    }

    /// Whether somebody of this local part stays outside.
    pub fn excludes(&self, local: &str) -> bool {
        self.exclude.iter().any(|pattern| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (Some(end), _) => local.ends_with(end),
            (None, Some(start)) => local.starts_with(start),
            (None, None) => local == pattern,
        })
    }
}

impl Domain {
    /// How long a challenge proves a claim.
    pub const CHALLENGE_LASTS: Duration = Duration::from_secs(7 * 86_400);
    /// How old a proof may be before a fresh one is demanded, and how long that one may take: 90 days together (C16).
    pub const PROOF_LASTS: Duration = Duration::from_secs(83 * 86_400);
    pub const RENEWAL_TAKES: Duration = Duration::from_secs(7 * 86_400);

    /// A new claim, which confers nothing, with a challenge that nobody has had before.
    pub fn claimed(
        id: DomainId,
        (project_id, organization_id): (ProjectId, OrganizationId),
        name: DomainName,
        challenge: String,
        now: Moment,
    ) -> Self {
        Self {
            id,
            project_id,
            organization_id,
            name,
            state: DomainState::Pending,
            method: Method::default(),
            challenge,
            challenge_until: now.plus(Self::CHALLENGE_LASTS),
            next_challenge: None,
            proved_at: None,
            routing_since: None,
            trust_since: None,
            auto_join_since: None,
            auto_join: AutoJoin::default(),
            created_at: now,
            updated_at: now,
            verified_at: None,
            lapsed_at: None,
            removed_at: None,
            checked_at: None,
            next_check_at: now,
            misses: 0,
            missed_at: None,
            answer: None,
            nameservers: None,
        }
    }

    /// The same claim, to be proved anew: what was published for it before is stale (threats C16). Whether it was
    /// ever verified stays known.
    #[must_use]
    pub fn restarted(&self, challenge: String, now: Moment) -> Self {
        let it = self.clone();
        Self {
            state: DomainState::Pending,
            method: it.method,
            routing_since: it.routing_since,
            trust_since: it.trust_since,
            auto_join_since: it.auto_join_since,
            auto_join: it.auto_join,
            created_at: it.created_at,
            verified_at: it.verified_at,
            ..Self::claimed(it.id, (it.project_id, it.organization_id), it.name, challenge, now)
        }
    }

    /// Whether it can become verified by nothing but a fresh challenge.
    pub fn is_over(&self, now: Moment) -> bool {
        match self.state {
            DomainState::Lapsed | DomainState::Removed => true,
            DomainState::Pending => self.challenge_until <= now,
            DomainState::Verified => false,
        }
    }

    /// What is told of it: its state, and of a claim that is pending how it goes (S1-D3).
    pub fn status(&self, now: Moment) -> Status {
        let looked_for_in_vain = self.answer.as_ref().is_some_and(|answer| {
            answer.is_asked && matches!(answer.kind, FoundKind::Other | FoundKind::Absent)
        });
        match self.state {
            DomainState::Pending if self.is_over(now) => Status::Expired,
            DomainState::Pending if looked_for_in_vain => Status::Failed,
            DomainState::Pending => Status::Pending,
            DomainState::Verified => Status::Verified,
            DomainState::Lapsed => Status::Lapsed,
            DomainState::Removed => Status::Removed,
        }
    }

    /// Until when a fresh challenge is to be proved, if the domain is to stay verified.
    pub fn renew_by(&self) -> Option<Moment> {
        let proved = self.proved_at.or(self.verified_at).filter(|_| self.state == DomainState::Verified)?;
        let next = self.next_challenge.as_ref().map(|next| next.since.plus(Self::RENEWAL_TAKES));
        Some(next.unwrap_or_else(|| proved.plus(Self::PROOF_LASTS).plus(Self::RENEWAL_TAKES)))
    }

    /// What is to be published now: the fresh challenge, if there is one.
    pub fn wanted(&self) -> &str {
        self.next_challenge.as_ref().map_or(&self.challenge, |next| &next.challenge)
    }

    /// Where the record is published.
    pub fn txt_name(&self) -> String {
        format!("_behalf-challenge.{}", self.name)
    }

    /// Where the file is published.
    pub fn file_url(&self) -> String {
        format!("https://{}/.well-known/behalf-challenge.txt", self.name)
    }

    /// What is published, there or there.
    pub fn txt_value(&self) -> String {
        Self::proof_of(self.wanted())
    }

    /// What a record says, or a file, for a challenge.
    pub fn proof_of(challenge: &str) -> String {
        format!("behalf-verify={challenge}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_d7_patterns_stand_for_themselves_or_for_one_end() {
        let exclude = ["contractor.*", "*-ext", "bob"].map(str::to_owned).to_vec();
        let rule = AutoJoin { exclude, ..AutoJoin::default() };
        for out in ["contractor.ann", "ann-ext", "bob", "contractor."] {
            assert!(rule.excludes(out), "{out}");
        }
        for fine in ["ann", "contractor", "ann-external", "bobby", "x.contractor.ann", ""] {
            assert!(!rule.excludes(fine), "{fine}");
        }
    }
}
