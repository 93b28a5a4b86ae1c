//! What a look at a domain means: a pure rule over the claim, what was seen and a moment.

use std::time::Duration;

use super::{NEVER, Published, Sight};
use crate::foundation::clock::Moment;
use crate::model::domain::{Domain, DomainState, Found, FoundKind, NextChallenge};

const HOUR: Duration = Duration::from_secs(3_600);
/// A verified domain is looked up once a day.
const DAY: Duration = Duration::from_secs(86_400);
const ALMOST_A_DAY: Duration = Duration::from_secs(20 * 3_600);
/// Misses, a day apart, before a verified domain lapses.
const MISSES: i64 = 7;
/// After this time without any answer the owner is told.
const UNREACHABLE: Duration = Duration::from_secs(48 * 3_600);
/// What is kept of what was found.
const TEXTS: usize = 10;
const TEXT: usize = 255;

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What is wanted is there.
    Proof,
    /// It is not, said with authority.
    Miss,
    /// Nobody can say.
    Unknown,
    /// Only a fresh challenge can prove anything.
    Stale,
    /// It is there, but another organization holds the domain.
    Taken,
    /// The claim has become another one while the network was asked.
    Moot,
}

pub struct Judged {
    pub domain: Domain,
    pub verdict: Verdict,
    /// What the audit trail is told.
    pub events: Vec<&'static str>,
}

/// `fresh` makes a challenge.
pub fn judge(
    before: &Domain,
    sight: &Sight,
    by_somebody: bool,
    now: Moment,
    fresh: impl Fn() -> String,
) -> Judged {
    let mut domain = before.clone();
    domain.checked_at = Some(now);
    let mut verdict = verdict(before, &sight.published);
    domain.answer = Some(found(before, &sight.published, verdict, by_somebody, now));
    let mut events = Vec::new();
    if before.is_over(now) {
        verdict = Verdict::Stale;
        domain.next_check_at = NEVER;
    } else if before.state == DomainState::Pending {
        pending(&mut domain, verdict, sight, now, &mut events);
    } else {
        held(&mut domain, before.checked_at, sight, now, fresh, &mut events);
    }
    let is_other = domain.state != before.state
        || domain.challenge != before.challenge
        || domain.next_challenge != before.next_challenge;
    if is_other {
        domain.updated_at = now;
    }
    Judged { domain, verdict, events }
}

/// The claim of somebody who has proved what another one holds, and whether that is news.
pub fn contested(before: &Domain, now: Moment) -> (Domain, bool) {
    let mut domain = before.clone();
    let is_news = before.answer.as_ref().is_none_or(|answer| answer.kind != FoundKind::Taken);
    let texts = vec![before.txt_value()];
    let since = before.answer.as_ref().filter(|_| !is_news).map_or(now, |answer| answer.since);
    domain.answer = Some(Found { at: now, since, kind: FoundKind::Taken, texts, why: None, is_asked: true });
    domain.checked_at = Some(now);
    domain.next_check_at = now.plus(pause(before, now));
    (domain, is_news)
}

fn verdict(domain: &Domain, published: &Published) -> Verdict {
    match published {
        Published::Unknown(_) => Verdict::Unknown,
        Published::Texts(texts) if texts.contains(&domain.txt_value()) => Verdict::Proof,
        Published::Texts(_) => Verdict::Miss,
    }
}

fn found(before: &Domain, published: &Published, verdict: Verdict, by_somebody: bool, now: Moment) -> Found {
    let (kind, texts, why) = match published {
        Published::Unknown(error) => (FoundKind::Error, &[][..], Some(error.to_string())),
        Published::Texts(texts) if verdict == Verdict::Proof => (FoundKind::Proof, &texts[..], None),
        Published::Texts(texts) if texts.is_empty() => (FoundKind::Absent, &[][..], None),
        Published::Texts(texts) => (FoundKind::Other, &texts[..], None),
    };
    // Of many, the one that counts is never left out.
    let wanted = before.txt_value();
    let (right, others): (Vec<_>, Vec<_>) = texts.iter().partition(|text| **text == wanted);
    let last = before.answer.as_ref();
    Found {
        at: now,
        since: last.filter(|last| last.kind == kind).map_or(now, |last| last.since),
        kind,
        texts: right
            .iter()
            .chain(&others)
            .take(TEXTS)
            .map(|text| text.chars().take(TEXT).collect())
            .collect(),
        why,
        is_asked: by_somebody || last.is_some_and(|last| last.is_asked),
    }
}

fn pending(
    domain: &mut Domain,
    verdict: Verdict,
    sight: &Sight,
    now: Moment,
    events: &mut Vec<&'static str>,
) {
    domain.next_check_at = now.plus(pause(domain, now));
    if verdict == Verdict::Proof {
        domain.state = DomainState::Verified;
        (domain.verified_at, domain.proved_at) = (Some(now), Some(now));
        (domain.misses, domain.missed_at) = (0, None);
        domain.nameservers.clone_from(&sight.nameservers);
        domain.next_check_at = now.plus(DAY);
        events.push("organization.domain.verified");
    }
}

/// Often at first, then less and less.
fn pause(domain: &Domain, now: Moment) -> Duration {
    let age = now.since(domain.challenge_until.minus(Domain::CHALLENGE_LASTS));
    (age / 4).clamp(Duration::from_secs(10), HOUR)
}

/// `last`: when it was looked at before.
fn held(
    domain: &mut Domain,
    last: Option<Moment>,
    sight: &Sight,
    now: Moment,
    fresh: impl Fn() -> String,
    events: &mut Vec<&'static str>,
) {
    domain.next_check_at = now.plus(DAY);
    let Published::Texts(texts) = &sight.published else { return unanswered(domain, last, now, events) };
    let shows = |challenge: &str| texts.contains(&Domain::proof_of(challenge));
    let next = domain.next_challenge.take_if(|next| shows(&next.challenge));
    if let Some(next) = next {
        domain.challenge = next.challenge;
        domain.proved_at = Some(now);
        (domain.misses, domain.missed_at) = (0, None);
        events.push("organization.domain.renewed");
    } else if shows(&domain.challenge) {
        (domain.misses, domain.missed_at) = (0, None);
    } else {
        missed(domain, now, events);
    }
    let is_late =
        domain.next_challenge.as_ref().is_some_and(|next| now.since(next.since) >= Domain::RENEWAL_TAKES);
    if is_late || domain.misses >= MISSES {
        domain.state = DomainState::Lapsed;
        domain.lapsed_at = Some(now);
        (domain.next_challenge, domain.next_check_at) = (None, NEVER);
        events.push("organization.domain.lost");
        return;
    }
    demand(domain, sight, now, fresh, events);
}

/// However often somebody asks, a miss counts once a day.
fn missed(domain: &mut Domain, now: Moment, events: &mut Vec<&'static str>) {
    if domain.missed_at.is_some_and(|at| now.since(at) < ALMOST_A_DAY) {
        return;
    }
    domain.misses += 1;
    domain.missed_at = Some(now);
    if domain.misses == 1 {
        events.push("organization.domain.missed");
    }
}

/// Nothing is lost by silence; when it has lasted, its owner is told once.
fn unanswered(domain: &mut Domain, last: Option<Moment>, now: Moment, events: &mut Vec<&'static str>) {
    let since = domain.answer.as_ref().map_or(now, |answer| answer.since);
    if now.since(since) < DAY {
        domain.next_check_at = now.plus(HOUR);
    }
    let was_told = last.is_some_and(|last| last >= since.plus(UNREACHABLE));
    if now.since(since) >= UNREACHABLE && !was_told {
        events.push("organization.domain.unreachable");
    }
}

/// A fresh challenge, when the proof is old or somebody else may run the domain now. One that was made for the old
/// name servers is known to who ran them; its time goes on.
fn demand(
    domain: &mut Domain,
    sight: &Sight,
    now: Moment,
    fresh: impl Fn() -> String,
    events: &mut Vec<&'static str>,
) {
    let moved = match (&sight.nameservers, &domain.nameservers) {
        (Some(new), Some(old)) => new != old,
        _ => false,
    };
    if sight.nameservers.is_some() {
        domain.nameservers.clone_from(&sight.nameservers);
    }
    let proved = domain.proved_at.or(domain.verified_at).unwrap_or(domain.created_at);
    let is_old = domain.next_challenge.is_none() && now.since(proved) >= Domain::PROOF_LASTS;
    if moved || is_old {
        let since = domain.next_challenge.as_ref().map_or(now, |next| next.since);
        domain.next_challenge = Some(NextChallenge { challenge: fresh(), since });
        events.push("organization.domain.renewal_due");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::egress::dns::DnsError;
    use crate::foundation::domain_name::DomainName;
    use crate::foundation::id::{DomainId, OrganizationId, ProjectId};

    const START: Moment = Moment::from_seconds(1_000_000);

    fn claim() -> Domain {
        let of = (ProjectId::from_u128(1), OrganizationId::from_u128(1));
        let name = DomainName::parse("a.test").unwrap();
        Domain::claimed(DomainId::from_u128(1), of, name, "first".into(), START)
    }

    fn day(number: u32) -> Moment {
        START.plus(DAY * number)
    }

    fn texts(challenges: &[&str]) -> Sight {
        let texts = challenges.iter().map(|challenge| Domain::proof_of(challenge)).collect();
        Sight { published: Published::Texts(texts), nameservers: Some(vec!["ns.a.test.".into()]) }
    }

    fn silence() -> Sight {
        Sight { published: Published::Unknown(DnsError::Timeout.into()), nameservers: None }
    }

    fn told(before: &Domain, sight: &Sight, now: Moment) -> (Domain, Verdict, Vec<&'static str>) {
        let judged = judge(before, sight, false, now, || "fresh".into());
        (judged.domain, judged.verdict, judged.events)
    }

    fn verified() -> Domain {
        told(&claim(), &texts(&["first"]), START).0
    }

    #[test]
    fn s1_d3_a_pending_claim_becomes_verified_by_proof_alone_and_turns_no_switch_on() {
        for sight in [texts(&[]), texts(&["second"]), silence()] {
            assert_eq!(told(&claim(), &sight, START).0.state, DomainState::Pending);
        }
        let (proved, verdict, events) = told(&claim(), &texts(&["other", "first"]), day(6));
        assert_eq!((proved.state, verdict), (DomainState::Verified, Verdict::Proof));
        assert_eq!(events, ["organization.domain.verified"]);
        assert_eq!((proved.routing_since, proved.trust_since, proved.auto_join_since), (None, None, None));
    }

    #[test]
    fn c16_the_proof_is_told_among_however_many_others() {
        let many: Vec<_> = (0..40).map(|number| format!("a{number:02}")).chain(["first".into()]).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let (proved, verdict, _) = told(&claim(), &texts(&many), START);
        let found = proved.answer.unwrap().texts;
        assert_eq!((verdict, found.len(), &*found[0]), (Verdict::Proof, TEXTS, &*Domain::proof_of("first")));
    }

    #[test]
    fn c15_a_claim_that_nobody_proved_in_a_week_is_proved_by_nothing_old() {
        let (late, verdict, events) = told(&claim(), &texts(&["first"]), day(7));
        assert_eq!((late.state, verdict, events.len()), (DomainState::Pending, Verdict::Stale, 0));
        assert_eq!(late.next_check_at, NEVER);
        let again = late.restarted("second".into(), day(8));
        assert_eq!(told(&again, &texts(&["first"]), day(8)).1, Verdict::Miss);
        assert_eq!(told(&again, &texts(&["second"]), day(8)).1, Verdict::Proof);
    }

    #[test]
    fn c16_only_authoritative_misses_lapse_a_domain() {
        let mut held = verified();
        let mut alarms = 0;
        for number in 1..=30 {
            let (next, _, events) = told(&held, &silence(), day(number));
            alarms += events.len();
            held = next;
        }
        assert_eq!((held.state, held.misses, alarms), (DomainState::Verified, 0, 1), "told once");
        let mut all = Vec::new();
        for number in 31..=37 {
            assert_eq!(held.state, DomainState::Verified);
            for later in [0, 60, 3_600] {
                let (next, _, events) =
                    told(&held, &texts(&[]), day(number).plus(Duration::from_secs(later)));
                all.extend(events);
                held = next;
            }
        }
        assert_eq!(held.state, DomainState::Lapsed);
        assert_eq!(all, ["organization.domain.missed", "organization.domain.lost"], "4.10");
        // The old proof, published again, is stale: it proves nothing.
        assert_eq!(told(&held, &texts(&["first"]), day(38)).0.state, DomainState::Lapsed);
    }

    #[test]
    fn c16_a_miss_that_was_mended_counts_no_more() {
        let mut held = verified();
        for number in 1..=6 {
            held = told(&held, &texts(&[]), day(number)).0;
        }
        held = told(&held, &texts(&["first"]), day(7)).0;
        assert_eq!((held.misses, held.missed_at), (0, None));
    }

    #[test]
    fn c16_after_83_days_a_fresh_challenge_has_a_week() {
        let (due, _, events) = told(&verified(), &texts(&["first"]), day(83));
        assert_eq!(events, ["organization.domain.renewal_due"]);
        assert_eq!(due.wanted(), "fresh");
        let waits = told(&due, &texts(&["first"]), day(89)).0;
        assert_eq!((waits.state, waits.misses), (DomainState::Verified, 0));
        let (renewed, verdict, events) = told(&waits, &texts(&["fresh"]), day(89));
        assert_eq!((verdict, &*renewed.challenge), (Verdict::Proof, "fresh"));
        assert_eq!((renewed.proved_at, events), (Some(day(89)), vec!["organization.domain.renewed"]));
        assert_eq!(told(&waits, &silence(), day(95)).0.state, DomainState::Verified, "nobody can say");
        assert_eq!(told(&waits, &texts(&["first"]), day(90)).0.state, DomainState::Lapsed);
    }

    #[test]
    fn c16_other_name_servers_demand_a_fresh_challenge_that_their_predecessors_never_saw() {
        let mut elsewhere = texts(&["first"]);
        elsewhere.nameservers = Some(vec!["ns.other.test.".into()]);
        let (due, _, events) = told(&verified(), &elsewhere, day(1));
        assert_eq!((due.wanted(), events), ("fresh", vec!["organization.domain.renewal_due"]));
        let mut back = texts(&["first"]);
        let again = judge(&due, &back, false, day(2), || "third".into()).domain;
        let since = again.next_challenge.as_ref().map(|next| next.since);
        assert_eq!((again.wanted(), since), ("third", Some(day(1))), "its time goes on");
        back.nameservers = None;
        assert!(told(&verified(), &back, day(1)).2.is_empty(), "not known is not another");
    }
}
