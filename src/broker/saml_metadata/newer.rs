//! What is known of a provider once a document has been judged. Nothing is asked or kept here.

use super::judge::{Verdict, Why};
use crate::foundation::clock::Moment;
use crate::model::connection::metadata::{Described, renewal, with_keys_of, withdrawn};
use crate::model::connection::{IdentityProvider, Metadata, Missed, Moving, SamlSettings, key_name};

/// The settings with the reading that a document leaves; the same if it changes nothing.
pub(super) fn newer(
    saml: &SamlSettings,
    (described, verdict): (Described, Verdict),
    now: Moment,
) -> SamlSettings {
    let Some(known) = &saml.metadata else { return saml.clone() };
    let (idp, metadata) = match verdict {
        Verdict::Taken if !described.signed => confirmed(saml, known, described, now),
        Verdict::Taken => taken(known, described, None),
        Verdict::Patiently => patiently(saml, known, described, now),
        Verdict::Partly => {
            let missed = missed(saml, known, &described, now);
            let idp = match &missed {
                Some(_) => saml.idp.clone(),
                None => with_listed_only(&saml.idp, &described.idp),
            };
            (with_keys_of(&idp, &described.idp), Metadata { missed, ..known.clone() })
        }
        Verdict::Offered(why) => offered(saml, known, &described, (why, now)),
    };
    if (&idp, &metadata) == (&saml.idp, known) {
        return saml.clone();
    }
    let dated_at = known.dated_so(metadata.valid_until);
    let withdrawn = withdrawn(saml, &idp, (now, true));
    let metadata = Some(Metadata { read_at: now, dated_at, ..metadata });
    SamlSettings { idp, metadata, withdrawn, ..saml.clone() }
}

/// It is signed, and counts as a whole, but for the keys that are kept although it misses them.
fn taken(known: &Metadata, described: Described, missed: Option<Missed>) -> (IdentityProvider, Metadata) {
    let metadata = Metadata {
        digest: described.digest,
        dropped: described.dropped,
        encryption: described.encryption,
        missed,
        moving: None,
        signed_until: described.ends,
        valid_until: described.valid_until,
        ..known.clone()
    };
    (described.idp, metadata)
}

/// It is signed and counts, but for what it misses and where it moves, until there has been nothing else for a day.
fn patiently(
    saml: &SamlSettings,
    known: &Metadata,
    described: Described,
    now: Moment,
) -> (IdentityProvider, Metadata) {
    let missed = missed(saml, known, &described, now);
    let all = with_keys_of(&saml.idp, &described.idp);
    // More than are tried are not kept: then the provider's word counts at once.
    let missed = missed.filter(|_| has_all_keys_of(&all, &described.idp));
    let certificates = if missed.is_some() { all.certificates } else { described.idp.certificates.clone() };
    let moving = Moving::of((&saml.idp, &described.idp), known.moving.as_ref(), now);
    let moving = moving.filter(|moving| !moving.is_over(now));
    let addresses = if moving.is_some() { saml.idp.clone() } else { described.idp.clone() };
    let idp = IdentityProvider { certificates, ..addresses };
    let (idp, metadata) = taken(known, Described { idp, ..described }, missed);
    (idp, Metadata { moving, ..metadata })
}

/// It is not signed, and says the same.
fn confirmed(
    saml: &SamlSettings,
    known: &Metadata,
    described: Described,
    now: Moment,
) -> (IdentityProvider, Metadata) {
    let metadata = Metadata {
        valid_until: prolonged(known, &described),
        digest: described.digest,
        dropped: described.dropped,
        ..known.clone()
    };
    let renewed = |text: &String| renewal(text, &described.idp, now).unwrap_or_else(|| text.clone());
    let certificates = saml.idp.certificates.iter().map(renewed).collect();
    (IdentityProvider { certificates, ..saml.idp.clone() }, metadata)
}

/// It adds nothing: what it lists counts for as long as it says, and what it has not listed for a day goes, if it is signed.
fn offered(
    saml: &SamlSettings,
    known: &Metadata,
    described: &Described,
    (why, now): (Why, Moment),
) -> (IdentityProvider, Metadata) {
    let listed = described.idp.key_names();
    let is_listed = saml.idp.key_names().iter().any(|one| listed.contains(one));
    let valid_until = match described.signed {
        _ if !is_listed => known.valid_until,
        true => later(known, described),
        false => prolonged(known, described),
    };
    let (idp, missed) = match missing(saml, known, described, now) {
        _ if why != Why::Old => (saml.idp.clone(), known.missed.clone()),
        // Those that it still lists stay.
        Some(missed) if missed.is_over(now) && is_listed => {
            (with_listed_only(&saml.idp, &described.idp), None)
        }
        missed => (saml.idp.clone(), missed),
    };
    (idp, Metadata { valid_until, missed, ..known.clone() })
}

/// The keys that a signed document does not list, until that has lasted for long enough. An operator takes them away at
/// once.
fn missed(saml: &SamlSettings, known: &Metadata, described: &Described, now: Moment) -> Option<Missed> {
    missing(saml, known, described, now).filter(|missed| !missed.is_over(now))
}

fn missing(saml: &SamlSettings, known: &Metadata, described: &Described, now: Moment) -> Option<Missed> {
    let listed = described.idp.key_names();
    let gone = saml.idp.key_names().into_iter().filter(|one| !listed.contains(one)).collect();
    Missed::of(gone, known.missed.as_ref(), now)
}

fn has_all_keys_of(idp: &IdentityProvider, listed: &IdentityProvider) -> bool {
    let kept = idp.key_names();
    listed.key_names().iter().all(|one| kept.contains(one))
}

fn with_listed_only(known: &IdentityProvider, listed: &IdentityProvider) -> IdentityProvider {
    let keys = listed.key_names();
    let certificates = known.certificates.iter().filter(|text| keys.contains(&key_name(text)));
    IdentityProvider { certificates: certificates.cloned().collect(), ..known.clone() }
}

/// Until when what is known counts once a document that nobody has signed confirms it: what was signed goes no further by
/// that, and nothing ends sooner. Whoever holds the address alone shuts nobody out.
fn prolonged(known: &Metadata, described: &Described) -> Option<Moment> {
    match known.signed_until {
        None => later(known, described),
        Some(_) => known.valid_until,
    }
}

/// The later end of the two; absent: never.
fn later(known: &Metadata, described: &Described) -> Option<Moment> {
    known.valid_until.zip(described.valid_until).map(|(known, own)| known.max(own))
}

pub(super) fn has_moved(old: &IdentityProvider, new: &IdentityProvider) -> bool {
    (&old.sso, &old.slo) != (&new.sso, &new.slo)
}
