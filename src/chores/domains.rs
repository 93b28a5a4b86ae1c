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
use crate::store::durable::engine::StoreError;

/// A verified domain is looked up once a day.
const DAY: Duration = Duration::from_secs(86_400);
/// Misses in a row, a day apart, before a verified domain lapses.
const MISSES: i64 = 7;
/// A claim that is not proved in this time is no longer looked up unasked.
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
    let after = after(&domain, &seen, broker.now());
    let changed = after.state != domain.state;
    let (random, now, kept) = (broker.random.clone(), broker.now(), after.clone());
    let written = broker.db.write(async move |tx| {
        domains::update(tx, &kept).await?;
        if changed {
            let action = if kept.state == DomainState::Verified {
                "organization.domain.verified"
            } else {
                "organization.domain.lost"
            };
            let event = AuditEvent::new(kept.project_id, action, Outcome::Changed)
                .organization(Some(kept.organization_id))
                .actor("house")
                .subject(kept.id)
                .with("domain", kept.name.as_str());
            audit::record(tx, &random, now, &event).await?;
        }
        Ok(())
    });
    match written.await {
        Ok(()) => {
            if changed {
                tracing::info!(domain = %after.name, state = %after.state, "a domain changed");
            }
            Ok((after, seen))
        }
        // Another organization holds it: the proof does not take it away from them.
        Err(StoreError::Unique { .. }) => {
            let mut refused = domain.clone();
            refused.checked_at = Some(broker.now());
            refused.next_check_at = broker.now().plus(DAY);
            let kept = refused.clone();
            broker.db.write(async move |tx| domains::update(tx, &kept).await).await?;
            Ok((refused, Seen::Miss { found: Vec::new() }))
        }
        Err(error) => Err(error),
    }
}

/// The pure rule.
fn after(domain: &Domain, seen: &Seen, now: Moment) -> Domain {
    let mut next = domain.clone();
    next.checked_at = Some(now);
    next.next_check_at = now.plus(pause(domain, now));
    match (seen, domain.state) {
        (Seen::Proof, DomainState::Pending) => {
            next.state = DomainState::Verified;
            next.verified_at = Some(now);
            next.next_check_at = now.plus(DAY);
            next.misses = 0;
        }
        (Seen::Proof, _) => next.misses = 0,
        (Seen::Miss { .. }, DomainState::Verified) => {
            next.misses += 1;
            if next.misses >= MISSES {
                next.state = DomainState::Lapsed;
                next.lapsed_at = Some(now);
            }
        }
        (Seen::Miss { .. } | Seen::Unknown(_), _) => {}
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
            held = after(
                &held,
                &Seen::Unknown(DnsError::ServerFailure),
                Moment::from_seconds(1_000_000 + day * 86_400),
            );
        }
        assert_eq!((held.state, held.misses), (DomainState::Verified, 0));
        for day in 31..37 {
            held =
                after(&held, &Seen::Miss { found: vec![] }, Moment::from_seconds(1_000_000 + day * 86_400));
            assert_eq!(held.state, DomainState::Verified);
        }
        held = after(&held, &Seen::Miss { found: vec![] }, Moment::from_seconds(1_000_000 + 37 * 86_400));
        assert_eq!(held.state, DomainState::Lapsed);
        // The old proof, published again, is stale: it proves nothing.
        let again = after(&held, &Seen::Proof, Moment::from_seconds(1_000_000 + 38 * 86_400));
        assert_eq!(again.state, DomainState::Lapsed);
    }

    #[test]
    fn s1_d3_a_pending_claim_becomes_verified_by_proof_alone_and_turns_no_switch_on() {
        let now = Moment::from_seconds(1_000_100);
        let pending = domain(DomainState::Pending);
        assert_eq!(after(&pending, &Seen::Miss { found: vec![] }, now).state, DomainState::Pending);
        let proved = after(&pending, &Seen::Proof, now);
        assert_eq!(proved.state, DomainState::Verified);
        assert!(
            proved.routing_since.is_none()
                && proved.trust_since.is_none()
                && proved.auto_join_since.is_none()
        );
    }
}
