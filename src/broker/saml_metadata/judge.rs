//! What a document changes with nobody there to ask, key by key, and what of it waits for somebody (threats M15).

use std::fmt;

use super::MetadataReadError;
use super::newer::{as_listed, has_moved};
use crate::foundation::clock::Moment;
use crate::model::connection::metadata::Described;
use crate::model::connection::{IdentityProvider, SamlSettings, begins, key_name, one_each, youngest};

/// What becomes of a document that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The provider, as it is believed from now on.
    pub idp: IdentityProvider,
    pub word: Word,
    /// What of it waits for somebody.
    pub offer: Option<Offer>,
}

/// How far a document's word goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It ends later than all that counted: its addresses count, too.
    Newer,
    /// It is no older than the newest keys that are known.
    Current,
    /// It may be from before them.
    Older,
    /// It is not signed by a key that counts.
    Nobodys,
}

impl Verdict {
    /// What becomes of each key: of those that the document lists, and then of those that are known besides; by their
    /// certificates.
    pub fn keys<'a>(&self, known: &'a SamlSettings, described: &'a Described) -> Vec<(&'a str, Fate)> {
        let (before, after) = (known.idp.key_names(), self.idp.key_names());
        let fate = |text: &String, is_listed: bool| {
            let name = key_name(text);
            match (before.contains(&name), after.contains(&name)) {
                (true, true) if is_listed => Fate::Stays,
                (true, true) => Fate::StaysUnlisted,
                (true, false) => Fate::Leaves,
                (false, true) => Fate::Joins,
                (false, false) => match known.past.withdrawn.iter().find(|one| one.key == name) {
                    Some(one) => Fate::Withdrawn(one.at),
                    None if matches!(self.word, Word::Newer | Word::Current) => Fate::NoYounger,
                    None => Fate::New,
                },
            }
        };
        let listed = described.idp.key_names();
        let others = known.idp.certificates.iter().filter(|text| !listed.contains(&key_name(text)));
        let listed = described.idp.certificates.iter().map(|text| (text.as_str(), fate(text, true)));
        listed.chain(others.map(|text| (text.as_str(), fate(text, false)))).collect()
    }
}

/// What becomes of a key by a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fate {
    #[error("is trusted, and stays so")]
    Stays,
    #[error("is trusted, and stays so, though the document does not list it")]
    StaysUnlisted,
    #[error("is trusted from then on: it is younger than all that are known")]
    Joins,
    #[error("is trusted, and withdrawn: the document does not list it")]
    Leaves,
    #[error("waits for somebody: it was withdrawn {}", .0.rfc3339())]
    Withdrawn(Moment),
    #[error("waits for somebody: it is no younger than those that are known")]
    NoYounger,
    #[error("waits for somebody: it is new, and the document's word does not count for that")]
    New,
}

impl Fate {
    pub const fn waits(self) -> bool {
        matches!(self, Self::Withdrawn(_) | Self::NoYounger | Self::New)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Newer => {
                "a key that counts has signed it, and it ends later than all that counted: its addresses count, too"
            }
            Self::Current => {
                "a key that counts has signed it, and it is no older than the newest keys that are known: its keys count by \
                 their age, its addresses not by themselves"
            }
            Self::Older => {
                "a key that counts has signed it, but it may be from before the newest keys that are known: it adds and \
                 removes nothing"
            }
            Self::Nobodys => "no key that counts has signed it: it adds and removes nothing",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    what: What,
    why: String,
}

/// The gravest of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum What {
    #[error("it brings a key back that had been withdrawn")]
    Withdrawn,
    #[error("it brings keys that are new")]
    New,
    #[error("it brings keys that are no younger than those that are known")]
    NoYounger,
    #[error("it moves addresses")]
    Addresses,
    #[error("it takes keys away")]
    Fewer,
    #[error("it has names encrypted to another key")]
    Encryption,
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.what, self.why)
    }
}

/// The table of the tests says what each document does.
pub fn judge(known: &SamlSettings, described: &Described) -> Result<Verdict, MetadataReadError> {
    if described.idp.entity_id != known.idp.entity_id {
        let other = described.idp.entity_id.clone().unwrap_or_default();
        return Err(MetadataReadError::OtherEntity(other.chars().take(200).collect()));
    }
    let keys = Keys::of(known, described);
    let word = keys.word(known, described);
    let idp = match word {
        Word::Newer => IdentityProvider { certificates: keys.believed(&known.idp), ..described.idp.clone() },
        Word::Current => IdentityProvider { certificates: keys.believed(&known.idp), ..known.idp.clone() },
        Word::Older => as_listed(&known.idp, &described.idp),
        Word::Nobodys => known.idp.clone(),
    };
    let offer =
        keys.waits(known, described, word).map(|what| Offer { what, why: why(what, word, described) });
    Ok(Verdict { idp, word, offer })
}

/// A listed certificate, by what its key is to what is known.
struct Keys<'d> {
    known: Vec<&'d String>,
    /// Younger than all that are known: they cannot have been there before.
    younger: Vec<&'d String>,
    no_younger: Vec<&'d String>,
    withdrawn: Vec<&'d String>,
    /// Whether the youngest that are known are all listed, in certificates that are no older, and those that came last: without
    /// them it may be from before they came.
    is_no_older: bool,
    /// Whether one that is known is not.
    has_fewer: bool,
    listed: &'d [String],
}

impl<'d> Keys<'d> {
    fn of(known: &SamlSettings, described: &'d Described) -> Self {
        let (names, listed) = (known.idp.key_names(), described.idp.key_names());
        let newest = known.idp.certificates.iter().map(|text| begins(text)).max().flatten();
        let is_in = |name: &String| {
            let same = described.idp.certificates.iter().zip(&listed).filter(|(_, one)| *one == name);
            same.map(|(text, _)| begins(text)).max()
        };
        let ages = known.idp.certificates.iter().map(|text| begins(text)).zip(&names);
        let mut youngest = ages.filter(|(age, _)| *age == newest);
        let mut latest = known.past.arrivals.last().into_iter().flatten();
        let mut keys = Self {
            known: Vec::new(),
            younger: Vec::new(),
            no_younger: Vec::new(),
            withdrawn: Vec::new(),
            is_no_older: youngest.all(|(age, name)| is_in(name) >= Some(age))
                && latest.all(|name| listed.contains(name)),
            has_fewer: names.iter().any(|name| !listed.contains(name)),
            listed: &described.idp.certificates,
        };
        for (text, name) in described.idp.certificates.iter().zip(&listed) {
            let of_its_kind = match () {
                () if names.contains(name) => &mut keys.known,
                () if known.past.withdrawn.iter().any(|one| one.key == *name) => &mut keys.withdrawn,
                () if begins(text) > newest => &mut keys.younger,
                () => &mut keys.no_younger,
            };
            of_its_kind.push(text);
        }
        keys
    }

    fn word(&self, known: &SamlSettings, described: &Described) -> Word {
        match (described.ends, known.past.newest_end) {
            _ if !described.signed => Word::Nobodys,
            _ if !self.is_no_older && self.younger.is_empty() => Word::Older,
            (Some(own), Some(newest)) if own > newest => Word::Newer,
            _ => Word::Current,
        }
    }

    /// By a document that is no older.
    fn believed(&self, idp: &IdentityProvider) -> Vec<String> {
        let counts = |text: &&String| self.known.contains(text) || self.younger.contains(text);
        let listed: Vec<_> = self.listed.iter().filter(counts).cloned().collect();
        one_each(&listed).iter().map(|text| youngest(text, &idp.certificates)).collect()
    }

    fn waits(&self, known: &SamlSettings, described: &Described, word: Word) -> Option<What> {
        let counts = matches!(word, Word::Newer | Word::Current);
        let gains = !self.younger.is_empty() || !self.no_younger.is_empty();
        let encryption = known.metadata.as_ref().and_then(|metadata| metadata.encryption.as_ref());
        match () {
            () if !self.withdrawn.is_empty() => Some(What::Withdrawn),
            () if !counts && gains => Some(What::New),
            () if !self.no_younger.is_empty() => Some(What::NoYounger),
            () if word == Word::Newer => None,
            () if has_moved(&known.idp, &described.idp) => Some(What::Addresses),
            () if !counts && self.has_fewer => Some(What::Fewer),
            () if described.encryption.as_ref() != encryption => Some(What::Encryption),
            () => None,
        }
    }
}

fn why(what: What, word: Word, described: &Described) -> String {
    match (what, word) {
        (What::Withdrawn | What::NoYounger, _) | (_, Word::Newer) => String::new(),
        (_, Word::Current) => ", and does not end later than all before, so it may be an older one".into(),
        (_, Word::Older) => {
            ", and does not list the newest keys that are known as they are, so it may be an older one".into()
        }
        (_, Word::Nobodys) => match &described.refused {
            Some(why) => format!(", and its signature does not count: {why}"),
            None => ", and is not signed by a key that is known".into(),
        },
    }
}

#[cfg(test)]
mod tests;
