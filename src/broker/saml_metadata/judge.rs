//! Whether a document may take the place of what is known, with nobody there to ask (threats M15).

use std::time::Duration;

use super::MetadataReadError;
use super::newer::has_moved;
use crate::foundation::clock::Moment;
use crate::model::connection::metadata::Described;
use crate::model::connection::{Metadata, Missed, SamlSettings};

/// After this long, or when the document of that day has ended, none that counts is taken to be from before the connection
/// was set up.
const NEW_FOR: Duration = Duration::from_secs(30 * 86_400);

/// What becomes of a document that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Taken,
    /// It counts, but may be an old one: what it does not list is missed for a day before it goes, and where it moves, nobody
    /// is sent before that.
    Patiently,
    /// The same, and it moves nothing at all.
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
    #[error("it brings a key or an address back that had been withdrawn")]
    Withdrawn,
    #[error("it takes keys away, and is not signed by a key that is known")]
    Fewer,
    #[error("it has names encrypted to another key, and is not signed by a key that is known")]
    Encryption,
    #[error("it brings keys that are new, and may be from before the connection was set up")]
    Old,
}

/// When a document ends, compared with the newest that counted or that somebody answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// It is newer.
    Later,
    /// At the same moment, or nobody can tell.
    Alike,
    /// That one ends then, and this one sooner, or it does not say when: it may be older.
    Sooner(Moment),
}

/// What a document changes.
struct Change {
    gains: bool,
    brings_back: bool,
    /// Keys that it does not list.
    gone: Vec<String>,
    /// Whether it lists none that is known.
    replaces_all: bool,
    moves: bool,
    /// Whether it moves to an address that was left.
    moves_back: bool,
}

/// Whoever holds the address alone changes nothing: which keys count, these and no others, and where people are sent are
/// the word of a key that is trusted already, or of the pinned signer. A document may come again that was signed long ago:
/// the table of the tests says what each one may do.
pub fn judge(known: &SamlSettings, described: &Described, now: Moment) -> Result<Verdict, MetadataReadError> {
    if described.idp.entity_id != known.idp.entity_id {
        let other = described.idp.entity_id.clone().unwrap_or_default();
        return Err(MetadataReadError::OtherEntity(other.chars().take(200).collect()));
    }
    let change = Change::of(known, described);
    match &known.metadata {
        Some(metadata) if described.signed => by_the_provider(metadata, described, &change, now),
        _ => Ok(by_nobody(known, described, &change)),
    }
}

fn by_the_provider(
    known: &Metadata,
    described: &Described,
    change: &Change,
    now: Moment,
) -> Result<Verdict, MetadataReadError> {
    let is_pinned = known.signer.is_some();
    let age = Age::of(known, described, now);
    if let Age::Sooner(until) = age {
        // Whoever signs for many has always dated what they sign.
        let is_theirs = !is_pinned || described.ends.is_some();
        let is_of_use = change.gains || !change.gone.is_empty() || !change.moves;
        if !is_theirs || change.brings_back || !is_of_use {
            return Err(MetadataReadError::Older(until));
        }
    }
    let is_since =
        is_from_since(known, described, now) || (!is_pinned && change.has_replaced_all(known, now));
    Ok(match age {
        _ if change.brings_back && !(is_pinned && age == Age::Later) => Verdict::Offered(Why::Withdrawn),
        Age::Later => Verdict::Taken,
        Age::Alike if change.moves_back => Verdict::Offered(Why::Withdrawn),
        _ if change.gains && !is_since => Verdict::Offered(Why::Old),
        Age::Alike => Verdict::Patiently,
        Age::Sooner(_) => Verdict::Partly,
    })
}

fn by_nobody(known: &SamlSettings, described: &Described, change: &Change) -> Verdict {
    let kept = known.metadata.as_ref().and_then(|metadata| metadata.encryption.as_ref());
    match () {
        () if change.brings_back => Verdict::Offered(Why::Withdrawn),
        () if change.gains => Verdict::Offered(Why::Certificates),
        () if change.moves => Verdict::Offered(Why::Addresses),
        () if !change.gone.is_empty() => Verdict::Offered(Why::Fewer),
        () if described.encryption.as_ref() != kept => Verdict::Offered(Why::Encryption),
        () => Verdict::Taken,
    }
}

impl Age {
    /// Once the end of the newest is over, a provider may have stopped to say when; a pinned signer does not.
    fn of(known: &Metadata, described: &Described, now: Moment) -> Self {
        let Some(newest) = known.signed_until.max(known.given_until) else { return Self::Alike };
        let is_over = known.valid_until.map_or(newest, |until| until.min(newest)) <= now;
        match described.ends {
            Some(own) if own > newest => Self::Later,
            Some(own) if own == newest => Self::Alike,
            _ if is_over && known.signer.is_none() => Self::Alike,
            _ => Self::Sooner(newest),
        }
    }
}

impl Change {
    fn of(known: &SamlSettings, described: &Described) -> Self {
        let (old, new) = (known.idp.key_names(), described.idp.key_names());
        // None that is in use is one that was left.
        let addresses: Vec<_> = described.idp.addresses().collect();
        let is_new = |one: &&String| !old.contains(one);
        let is_withdrawn = |key: &String| known.withdrawn.iter().any(|one| one.key == *key);
        Self {
            gains: new.iter().any(|one| is_new(&one)),
            brings_back: new.iter().filter(is_new).any(is_withdrawn),
            replaces_all: old.iter().all(|one| !new.contains(one)),
            gone: old.into_iter().filter(|one| !new.contains(one)).collect(),
            moves: has_moved(&known.idp, &described.idp),
            moves_back: known.withdrawn.iter().any(|one| addresses.contains(&one.key.as_str())),
        }
    }

    /// Whether there has been nothing for a day but a document that lists none of the keys by which it is known to be the
    /// provider's own.
    fn has_replaced_all(&self, known: &Metadata, now: Moment) -> bool {
        let missed = Missed::of(self.gone.clone(), known.missed.as_ref(), now);
        self.replaces_all && missed.is_some_and(|missed| missed.is_over(now))
    }
}

/// Whether it cannot have been there before the connection was: then its keys would have been seen, or were withdrawn.
fn is_from_since(known: &Metadata, described: &Described, now: Moment) -> bool {
    known.given_until.is_none_or(|until| {
        described.ends.is_some_and(|own| own > until) || now > until.min(known.given_at.plus(NEW_FOR))
    })
}

#[cfg(test)]
mod tests;
