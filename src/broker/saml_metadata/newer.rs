//! What is known of a provider once a document has been judged. Nothing is asked or kept here.

use super::judge::{Verdict, Word};
use crate::foundation::clock::Moment;
use crate::model::connection::metadata::Described;
use crate::model::connection::{IdentityProvider, Metadata, SamlSettings, one_each, youngest};

/// The settings with the reading that a document leaves; the same if it changes nothing. `offer` is what is shown to wait.
pub(super) fn newer(
    saml: &SamlSettings,
    (described, verdict): (Described, Verdict),
    offer: Option<String>,
    now: Moment,
) -> SamlSettings {
    let Some(known) = &saml.metadata else { return saml.clone() };
    let mut metadata =
        Metadata { valid_until: valid_until(saml, &described, verdict.word, now), ..known.clone() };
    metadata.offer = offer;
    // A copy from when it still signed does not bind a provider that has stopped: whoever promises less shows nothing.
    let promises = described.valid_until >= known.valid_until;
    metadata.signed |= matches!(verdict.word, Word::Newer | Word::Current) && promises;
    if verdict.offer.is_none() || verdict.word == Word::Newer {
        (metadata.digest, metadata.dropped) = (described.digest, described.dropped);
        metadata.encryption = described.encryption;
    }
    if verdict.word == Word::Newer {
        metadata.ends = described.ends;
    }
    let idp = verdict.idp;
    if (&idp, &metadata) == (&saml.idp, known) {
        return saml.clone();
    }
    let dated_at = known.dated_so(metadata.valid_until);
    let metadata = Metadata { read_at: now, dated_at, ..metadata };
    let past = saml.past_of(&idp, Some(&metadata), (now, true));
    SamlSettings { idp, metadata: Some(metadata), past, ..saml.clone() }
}

/// What is known, each key in the certificate in which its provider lists it.
pub(super) fn as_listed(known: &IdentityProvider, listed: &IdentityProvider) -> IdentityProvider {
    let certificates = one_each(&known.certificates).into_iter();
    let certificates = certificates.map(|text| youngest(&text, &listed.certificates));
    IdentityProvider { certificates: certificates.collect(), ..known.clone() }
}

/// Until when what is known counts. A document that is no older promises that for longer; so does one that nobody signed,
/// where none was signed and it lists a key that is known. Whoever holds the address alone shuts nobody out, and an end that is
/// not over is put off by an end alone: a pinned signer's always, any other's until it is over.
fn valid_until(saml: &SamlSettings, described: &Described, word: Word, now: Moment) -> Option<Moment> {
    let known = saml.metadata.as_ref()?;
    let until = known.valid_until?;
    let listed = described.idp.key_names();
    let known_keys = saml.idp.key_names();
    let is_confirmed = known_keys.iter().any(|one| listed.contains(one));
    let is_whole = known_keys.iter().all(|one| listed.contains(one));
    match (word, described.valid_until) {
        (Word::Newer, own) => own,
        (Word::Current, Some(own)) => Some(until.max(own)),
        // Without a key less, it may also be older: a provider that has gone back to an earlier certificate does not run out.
        (Word::Older, Some(own)) if is_whole => Some(until.max(own)),
        (Word::Current, None) if until <= now && known.signer.is_none() => None,
        (Word::Nobodys, own) if is_confirmed && !known.signed => own.map(|own| until.max(own)),
        _ => Some(until),
    }
}

pub(super) fn has_moved(old: &IdentityProvider, new: &IdentityProvider) -> bool {
    (&old.sso, &old.slo) != (&new.sso, &new.slo)
}
