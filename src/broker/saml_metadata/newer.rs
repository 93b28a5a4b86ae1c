//! What is known of a provider once a document has been judged. Nothing is asked or kept here.

use super::judge::Verdict;
use crate::foundation::clock::Moment;
use crate::model::connection::metadata::{Described, patient, with_keys_of, withdrawn};
use crate::model::connection::{IdentityProvider, Metadata, SamlSettings};

/// The settings with the reading that a document leaves; the same if it changes nothing.
pub(super) fn newer(
    saml: &SamlSettings,
    (described, verdict): (Described, Verdict),
    now: Moment,
) -> SamlSettings {
    let Some(known) = &saml.metadata else { return saml.clone() };
    let (idp, metadata) = match verdict {
        Verdict::Taken => taken(saml, known, described, now),
        Verdict::Partly => {
            let idp = with_keys_of(&saml.idp, &described.idp);
            (idp, known.clone())
        }
        Verdict::Offered(_) => {
            let listed = described.idp.key_names();
            let is_listed = saml.idp.key_names().iter().any(|one| listed.contains(one));
            let valid_until = match described.signed {
                _ if !is_listed => known.valid_until,
                true => later(known, &described),
                false => validity(known, &described).1,
            };
            (saml.idp.clone(), Metadata { valid_until, ..known.clone() })
        }
    };
    if (&idp, &metadata) == (&saml.idp, known) {
        return saml.clone();
    }
    let changed_at = if idp == saml.idp { known.changed_at } else { now };
    let dated_at = known.dated_so(metadata.valid_until);
    let metadata = Some(Metadata { read_at: now, changed_at, dated_at, ..metadata });
    SamlSettings { idp, metadata, ..saml.clone() }
}

/// It counts as a whole.
fn taken(
    saml: &SamlSettings,
    known: &Metadata,
    described: Described,
    now: Moment,
) -> (IdentityProvider, Metadata) {
    let (signed_until, valid_until) = validity(known, &described);
    let (described, missed) = patient(saml, known, described, now);
    let metadata = Metadata {
        digest: described.digest,
        dropped: described.dropped,
        encryption: if described.signed { described.encryption } else { known.encryption.clone() },
        missed,
        withdrawn: withdrawn(saml, &described.idp, (now, true)),
        signed_until,
        valid_until,
        ..known.clone()
    };
    (described.idp, metadata)
}

/// What is remembered of until when the newest signed document counts, and until when this one does: one that nobody
/// signed prolongs nothing that was signed, and ends nothing sooner. Whoever holds the address alone shuts nobody out.
fn validity(known: &Metadata, described: &Described) -> (Option<Moment>, Option<Moment>) {
    let later = later(known, described);
    match known.signed_until {
        _ if described.signed => (described.valid_until, described.valid_until),
        None => (None, later),
        Some(until) => (Some(until), Some(later.map_or(until, |later| later.min(until)))),
    }
}

/// The later end of the two; absent: never.
fn later(known: &Metadata, described: &Described) -> Option<Moment> {
    known.valid_until.zip(described.valid_until).map(|(known, own)| known.max(own))
}

pub(super) fn has_moved(old: &IdentityProvider, new: &IdentityProvider) -> bool {
    (&old.sso, &old.slo) != (&new.sso, &new.slo)
}
