//! Whether a document may take the place of what is known, with nobody there to ask (threats M15).

use std::collections::BTreeSet;

use super::MetadataReadError;
use crate::foundation::clock::Moment;
use crate::model::connection::metadata::Described;
use crate::model::connection::{SamlSettings, fingerprint};

/// What becomes of a document that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Taken,
    /// It waits for an operator.
    Offered(Why),
}

/// Why a document waits for an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("it brings certificates that are new, and is not signed by a key that is known")]
    Certificates,
    #[error("it moves addresses, and is not signed by a key that is known")]
    Addresses,
    #[error("it brings a certificate back that had been withdrawn")]
    Withdrawn,
    #[error("it takes certificates away, and is not signed by a key that is known")]
    Fewer,
}

/// Whoever holds the address alone changes nothing: which keys count, these and no others, and where people are sent are
/// the word of a key that is trusted already, or of the pinned signer. A document may come again that was signed
/// long ago: it does not count if it says itself that it is older, and it never brings back what was withdrawn, unless
/// a pinned signer has dated it.
pub fn judge(known: &SamlSettings, described: &Described) -> Result<Verdict, MetadataReadError> {
    if described.idp.entity_id != known.idp.entity_id {
        let other = described.idp.entity_id.clone().unwrap_or_default();
        return Err(MetadataReadError::OtherEntity(other.chars().take(200).collect()));
    }
    if let Some(until) = taken_until(known).filter(|until| described.signed && ends_before(described, *until))
    {
        return Err(MetadataReadError::Older(until));
    }
    let present: BTreeSet<_> = known.idp.certificates.iter().collect();
    let gained: Vec<_> =
        described.idp.certificates.iter().filter(|certificate| !present.contains(certificate)).collect();
    let verdict = if gained.iter().any(|certificate| is_withdrawn(known, certificate))
        && !is_dated_by_the_signer(known, described)
    {
        Verdict::Offered(Why::Withdrawn)
    } else if described.signed {
        Verdict::Taken
    } else if !gained.is_empty() {
        Verdict::Offered(Why::Certificates)
    } else if (&described.idp.sso, &described.idp.slo) != (&known.idp.sso, &known.idp.slo) {
        Verdict::Offered(Why::Addresses)
    } else if present.len() > described.idp.certificates.iter().collect::<BTreeSet<_>>().len() {
        // Nothing is gained, so what is less is missing.
        Verdict::Offered(Why::Fewer)
    } else {
        Verdict::Taken
    };
    Ok(verdict)
}

/// The `validUntil` of the newest signed document that was taken.
fn taken_until(known: &SamlSettings) -> Option<Moment> {
    known.metadata.as_ref()?.signed_until
}

fn ends_before(described: &Described, until: Moment) -> bool {
    described.valid_until.is_none_or(|own| own < until)
}

fn is_withdrawn(known: &SamlSettings, certificate: &str) -> bool {
    let withdrawn = known.metadata.as_ref().map(|metadata| metadata.withdrawn.as_slice());
    withdrawn.is_some_and(|withdrawn| withdrawn.contains(&fingerprint(certificate)))
}

fn is_dated_by_the_signer(known: &SamlSettings, described: &Described) -> bool {
    let pinned = known.metadata.as_ref().is_some_and(|metadata| metadata.signer.is_some());
    pinned && described.valid_until.is_some()
}
