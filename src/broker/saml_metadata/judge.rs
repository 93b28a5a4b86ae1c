//! Whether a document may take the place of what is known, with nobody there to ask (threats M15).

use std::time::Duration;

use super::MetadataReadError;
use super::newer::has_moved;
use crate::foundation::clock::Moment;
use crate::model::connection::metadata::Described;
use crate::model::connection::{Metadata, SamlSettings};

/// After this long, or when the document of that day has ended, none that counts is taken to be from before the connection
/// was set up.
const NEW_FOR: Duration = Duration::from_secs(30 * 86_400);

/// What becomes of a document that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Taken,
    /// It may be an old one: keys that are new in it count, and it takes nothing away.
    Partly,
    /// It waits for an operator.
    Offered(Why),
}

/// Why a document waits for an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("it brings keys that are new, and is not signed by a key that is known")]
    Certificates,
    #[error("it moves addresses, and is not signed by a key that is known")]
    Addresses,
    #[error("it brings a key back that had been withdrawn")]
    Withdrawn,
    #[error("it takes keys away, and is not signed by a key that is known")]
    Fewer,
}

/// Whoever holds the address alone changes nothing: which keys count, these and no others, and where people are sent are
/// the word of a key that is trusted already, or of the pinned signer. A document may come again that was signed
/// long ago: one that says itself that it ends sooner takes nothing away, and none brings back what was withdrawn, unless
/// a pinned signer has dated it.
pub fn judge(known: &SamlSettings, described: &Described, now: Moment) -> Result<Verdict, MetadataReadError> {
    if described.idp.entity_id != known.idp.entity_id {
        let other = described.idp.entity_id.clone().unwrap_or_default();
        return Err(MetadataReadError::OtherEntity(other.chars().take(200).collect()));
    }
    let (old, new) = (known.idp.key_names(), described.idp.key_names());
    let mut gained = new.iter().filter(|one| !old.contains(one)).peekable();
    let gains = gained.peek().is_some();
    let is_less = old.iter().any(|one| !new.contains(one));
    let brings_back = gained.any(|one| is_withdrawn(known, one));
    let moves = has_moved(&known.idp, &described.idp);
    if described.signed
        && let Some(metadata) = &known.metadata
        && let Some(until) = newest(metadata, now).filter(|until| ends_before(described, *until))
    {
        let adds = gains && !brings_back && is_from_since(metadata, described, now);
        let confirms = !gains && !is_less && !moves;
        // Whoever signs for many has always dated what they sign.
        let is_theirs = metadata.signer.is_none() || described.valid_until.is_some();
        return match is_theirs && (adds || confirms) {
            true => Ok(Verdict::Partly),
            false => Err(MetadataReadError::Older(until)),
        };
    }
    Ok(match () {
        () if brings_back && !is_dated_by_the_signer(known, described) => Verdict::Offered(Why::Withdrawn),
        () if described.signed => Verdict::Taken,
        () if gains => Verdict::Offered(Why::Certificates),
        () if moves => Verdict::Offered(Why::Addresses),
        () if is_less => Verdict::Offered(Why::Fewer),
        () => Verdict::Taken,
    })
}

/// The `validUntil` of the newest signed document that was taken, while it is to be compared with. Once it is over, a
/// provider may have stopped to say when; a pinned signer does not.
fn newest(known: &Metadata, now: Moment) -> Option<Moment> {
    known.signed_until.filter(|until| known.signer.is_some() || now < *until)
}

fn ends_before(described: &Described, until: Moment) -> bool {
    described.valid_until.is_none_or(|own| own < until)
}

/// Whether it cannot have been there before the connection was: then its keys would have been seen, or were withdrawn.
fn is_from_since(known: &Metadata, described: &Described, now: Moment) -> bool {
    let new_until = known.given_until.map(|until| until.min(known.given_at.plus(NEW_FOR)));
    new_until.is_none_or(|until| described.valid_until.unwrap_or(now) > until)
}

fn is_withdrawn(known: &SamlSettings, key: &str) -> bool {
    let withdrawn = known.metadata.as_ref().map(|metadata| metadata.withdrawn.as_slice());
    withdrawn.is_some_and(|withdrawn| withdrawn.iter().any(|one| one.key == key))
}

fn is_dated_by_the_signer(known: &SamlSettings, described: &Described) -> bool {
    let pinned = known.metadata.as_ref().is_some_and(|metadata| metadata.signer.is_some());
    pinned && described.valid_until.is_some()
}
