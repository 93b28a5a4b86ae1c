//! Looks domains up again: only DNS makes one verified, and only its authoritative silence makes one lapse
//! (threats C15, C16).

use std::time::Duration;

use crate::audit;
use crate::broker::Broker;
use crate::egress::dns::{DnsError, TxtAnswer};
use crate::foundation::clock::Moment;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::domain::{Domain, DomainState};
use crate::store::durable::domains;
use crate::store::durable::engine::{Lock, StoreError};

/// A verified domain is looked up once a day.
const DAY: Duration = Duration::from_secs(86_400);
const ALMOST_A_DAY: Duration = Duration::from_secs(20 * 3_600);
/// Misses in a row, a day apart, before a verified domain lapses.
const MISSES: i64 = 7;
/// A claim that is not proved in this time is looked up once a day.
const PENDING: Duration = Duration::from_secs(7 * 86_400);

/// What a look at DNS said.
#[derive(Debug)]
pub enum Seen {
    Proof,
    /// With authority: there is no such record, or not this one.
    Miss {
        found: Vec<String>,
    },
    /// Nobody can say: nothing changes.
    Unknown(DnsError),
    /// There is proof, but another organization holds the domain: that does not take it away from them.
    Taken,
}

impl Seen {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Proof => Verdict::Proof,
            Self::Miss { .. } => Verdict::Miss,
            Self::Unknown(_) | Self::Taken => Verdict::Unknown,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Proof,
    Miss,
    Unknown,
}

/// Looks at every claim that is due.
pub async fn look(broker: &Broker) -> Result<(), StoreError> {
    for domain in domains::due(&mut &broker.db, broker.now(), 50).await? {
        confirm(broker, domain).await?;
    }
    Ok(())
}

/// Asks DNS about one claim, now, and keeps what came of it.
pub async fn confirm(broker: &Broker, domain: Domain) -> Result<(Domain, Seen), StoreError> {
    let seen = match broker.dns.txt(&domain.txt_name()).await {
        Ok(TxtAnswer::Records(records)) if records.contains(&domain.txt_value()) => Seen::Proof,
        Ok(TxtAnswer::Records(found)) => Seen::Miss { found },
        Ok(TxtAnswer::Absent) => Seen::Miss { found: Vec::new() },
        Err(error) => Seen::Unknown(error),
    };
    match keep(broker, domain.clone(), seen.verdict()).await {
        // Only the verified claims of a domain are one in the whole project (threats C15).
        Err(StoreError::Unique { .. }) => Ok((keep(broker, domain, Verdict::Unknown).await?, Seen::Taken)),
        kept => Ok((kept?, seen)),
    }
}

/// Keeps what came of a look, unless the claim has another challenge by now.
async fn keep(broker: &Broker, asked: Domain, verdict: Verdict) -> Result<Domain, StoreError> {
    let (random, now) = (broker.random.clone(), broker.now());
    broker
        .db
        .write(async move |tx| {
            tx.lock(Lock::Exclusive, "domains", &asked.id.to_string()).await?;
            // As it is now: somebody may have changed its switches or its challenge while DNS was asked, and another
            // node may have looked too, so that one miss would count twice.
            let Some(present) = domains::by_id(tx, asked.id).await? else { return Ok(asked) };
            if present.challenge != asked.challenge || present.checked_at != asked.checked_at {
                return Ok(present);
            }
            let kept = after(&present, verdict, now);
            domains::update(tx, &kept).await?;
            if kept.state != present.state {
                tracing::info!(domain = %kept.name, state = %kept.state, "a domain changed");
                audit::record(tx, &random, now, &event(&kept)).await?;
            }
            Ok(kept)
        })
        .await
}

fn event(domain: &Domain) -> AuditEvent {
    let verified = domain.state == DomainState::Verified;
    let action = if verified { "organization.domain.verified" } else { "organization.domain.lost" };
    AuditEvent::new(domain.project_id, action, Outcome::Changed)
        .organization(Some(domain.organization_id))
        .actor("house")
        .subject(domain.id)
        .with("domain", domain.name.as_str())
}

/// The pure rule.
fn after(domain: &Domain, verdict: Verdict, now: Moment) -> Domain {
    let mut next = domain.clone();
    next.checked_at = Some(now);
    next.next_check_at = now.plus(pause(domain, now));
    match (verdict, domain.state) {
        (Verdict::Proof, DomainState::Pending) => {
            next.state = DomainState::Verified;
            next.verified_at = Some(now);
            next.next_check_at = now.plus(DAY);
            next.misses = 0;
        }
        (Verdict::Proof, _) => next.misses = 0,
        // However often somebody asks, a miss counts once a day.
        (Verdict::Miss, DomainState::Verified)
            if domain.checked_at.is_none_or(|at| now.since(at) >= ALMOST_A_DAY) =>
        {
            next.misses += 1;
            if next.misses >= MISSES {
                next.state = DomainState::Lapsed;
                next.lapsed_at = Some(now);
            }
        }
        (Verdict::Miss, DomainState::Verified) => next.checked_at = domain.checked_at,
        (Verdict::Miss | Verdict::Unknown, _) => {}
    }
    if next.state != domain.state {
        next.updated_at = now;
    }
    next
}

/// Pending claims are looked at often at first, then less and less; a lapsed one needs a fresh challenge first.
fn pause(domain: &Domain, now: Moment) -> Duration {
    match domain.state {
        DomainState::Pending => {
            let age = now.since(domain.created_at);
            if age > PENDING {
                DAY
            } else {
                (age / 4).clamp(Duration::from_secs(10), Duration::from_secs(3_600))
            }
        }
        _ => DAY,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::foundation::domain_name::DomainName;
    use crate::foundation::id::{DomainId, OrganizationId, ProjectId};

    fn domain(state: DomainState) -> Domain {
        let start = Moment::from_seconds(1_000_000);
        Domain {
            id: DomainId::from_u128(1),
            project_id: ProjectId::from_u128(1),
            organization_id: OrganizationId::from_u128(1),
            name: DomainName::parse("a.test").unwrap(),
            state,
            challenge: "x".into(),
            routing_since: None,
            trust_since: None,
            auto_join_since: None,
            created_at: start,
            updated_at: start,
            verified_at: None,
            lapsed_at: None,
            checked_at: None,
            next_check_at: start,
            misses: 0,
        }
    }

    #[test]
    fn c16_only_authoritative_misses_lapse_a_domain() {
        let mut held = domain(DomainState::Verified);
        for day in 1..=30 {
            held = after(&held, Verdict::Unknown, Moment::from_seconds(1_000_000 + day * 86_400));
        }
        assert_eq!((held.state, held.misses), (DomainState::Verified, 0));
        for day in 31..37 {
            held = after(&held, Verdict::Miss, Moment::from_seconds(1_000_000 + day * 86_400));
            assert_eq!(held.state, DomainState::Verified);
        }
        held = after(&held, Verdict::Miss, Moment::from_seconds(1_000_000 + 37 * 86_400));
        assert_eq!(held.state, DomainState::Lapsed);
        // The old proof, published again, is stale: it proves nothing.
        let again = after(&held, Verdict::Proof, Moment::from_seconds(1_000_000 + 38 * 86_400));
        assert_eq!(again.state, DomainState::Lapsed);
    }

    #[test]
    fn s1_d3_a_pending_claim_becomes_verified_by_proof_alone_and_turns_no_switch_on() {
        let now = Moment::from_seconds(1_000_100);
        let pending = domain(DomainState::Pending);
        assert_eq!(after(&pending, Verdict::Miss, now).state, DomainState::Pending);
        let proved = after(&pending, Verdict::Proof, now);
        assert_eq!(proved.state, DomainState::Verified);
        assert!(
            proved.routing_since.is_none()
                && proved.trust_since.is_none()
                && proved.auto_join_since.is_none()
        );
    }
}
