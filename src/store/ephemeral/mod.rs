//! What may be lost: login flows and counters. Losing all of it makes people start again; it never makes a
//! used thing usable, for whatever is used once for good is in the durable store.
//!
//! A few verbs, each of which one step of Redis can do atomically: `SET PX`, `GET`, `GETDEL`, `SET IFEQ`, `DELEX IFEQ`,
//! `INCR` with `PEXPIRE NX`, and `DECR` of what is there.

mod in_process;

use std::sync::Arc;
use std::time::Duration;

use crate::foundation::clock::{Clock, Moment};
use crate::foundation::secret::Digest;
use in_process::Shelf;

/// Everything short-lived, in one table: see `Kind::limits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A visitor on the way from an application and back.
    LoginFlow,
    /// How that is answered, for whoever presses twice.
    FlowEnd,
    /// What an identity provider proved of that visitor, until their own browser asks for it.
    Proof,
    /// A visitor who tries a connection, and what came of it until their own browser asks for it.
    Trial,
    /// A sign-out on the way to an identity provider and back.
    SignOut,
    /// How often somebody tried something.
    RateCounter,
}

/// How much of a kind is kept in this process.
#[derive(Clone, Copy, Debug)]
struct Limits {
    entries: usize,
    /// Largest value, in bytes.
    value: usize,
    /// All values together, in bytes.
    total: usize,
    when_full: WhenFull,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WhenFull {
    /// What would expire first makes room.
    Forget,
    /// What is kept stays: it is somebody's way in.
    Refuse,
}

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;

impl Kind {
    const ALL: [Self; 6] =
        [Self::LoginFlow, Self::FlowEnd, Self::Proof, Self::Trial, Self::SignOut, Self::RateCounter];

    const fn limits(self) -> Limits {
        match self {
            Self::LoginFlow => {
                Limits { entries: 100_000, value: 6 * KIB, total: 128 * MIB, when_full: WhenFull::Refuse }
            }
            Self::FlowEnd => {
                Limits { entries: 50_000, value: 32 * KIB, total: 32 * MIB, when_full: WhenFull::Forget }
            }
            Self::Proof => {
                Limits { entries: 50_000, value: 32 * KIB, total: 128 * MIB, when_full: WhenFull::Refuse }
            }
            Self::Trial => {
                Limits { entries: 10_000, value: 72 * KIB, total: 32 * MIB, when_full: WhenFull::Refuse }
            }
            Self::SignOut => {
                Limits { entries: 20_000, value: KIB, total: 16 * MIB, when_full: WhenFull::Forget }
            }
            Self::RateCounter => Limits { entries: 200_000, value: 0, total: 0, when_full: WhenFull::Forget },
        }
    }
}

/// Something was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EphemeralError {
    #[error("a value of {size} bytes is too large for {kind:?}")]
    TooLarge { kind: Kind, size: usize },
    /// No room without forgetting what somebody still needs.
    #[error("no room for one more {0:?}")]
    Full(Kind),
}

/// The short-lived store. A clone is another handle of the same one.
#[derive(Clone)]
pub struct Ephemeral(Engine);

#[derive(Clone)]
enum Engine {
    InProcess(Arc<InProcess>),
}

struct InProcess {
    clock: Clock,
    shelves: [Shelf; Kind::ALL.len()],
}

impl Ephemeral {
    /// A store of this process alone; it ends with it.
    pub fn in_process(clock: Clock) -> Self {
        let shelves = Kind::ALL.map(|kind| Shelf::new(kind.limits()));
        Self(Engine::InProcess(Arc::new(InProcess { clock, shelves })))
    }

    /// Keeps a value for `ttl`, in place of an earlier one, which stays if there is no room.
    pub async fn put(
        &self,
        kind: Kind,
        key: &str,
        value: Vec<u8>,
        ttl: Duration,
    ) -> Result<(), EphemeralError> {
        self.put_for(None, kind, key, value, ttl)
    }

    /// As [`Self::put`], out of the room that one `owner` may take: an eighth of all.
    pub async fn put_of(
        &self,
        owner: &str,
        kind: Kind,
        key: &str,
        value: Vec<u8>,
        ttl: Duration,
    ) -> Result<(), EphemeralError> {
        self.put_for(Some(named(owner)), kind, key, value, ttl)
    }

    fn put_for(
        &self,
        owner: Option<Digest>,
        kind: Kind,
        key: &str,
        value: Vec<u8>,
        ttl: Duration,
    ) -> Result<(), EphemeralError> {
        let size = value.len();
        if size > kind.limits().value {
            return Err(EphemeralError::TooLarge { kind, size });
        }
        let (shelf, now) = self.shelf(kind);
        let kept = shelf.put(named(key), owner, value, now.plus(ttl), now);
        if kept { Ok(()) } else { Err(EphemeralError::Full(kind)) }
    }

    pub async fn get(&self, kind: Kind, key: &str) -> Result<Option<Vec<u8>>, EphemeralError> {
        let (shelf, now) = self.shelf(kind);
        Ok(shelf.get(&named(key), now))
    }

    /// Gets and removes: of many takers, exactly one has it.
    pub async fn take(&self, kind: Kind, key: &str) -> Result<Option<Vec<u8>>, EphemeralError> {
        let (shelf, now) = self.shelf(kind);
        Ok(shelf.take(&named(key), now))
    }

    /// Keeps a value in place of `was` for `ttl`. False: something else is there by now, or nothing, and stays so.
    pub async fn swap(
        &self,
        kind: Kind,
        key: &str,
        was: &[u8],
        value: Vec<u8>,
        ttl: Duration,
    ) -> Result<bool, EphemeralError> {
        let size = value.len();
        if size > kind.limits().value {
            return Err(EphemeralError::TooLarge { kind, size });
        }
        let (shelf, now) = self.shelf(kind);
        match shelf.swap(named(key), was, value, now.plus(ttl), now) {
            Some(false) => Err(EphemeralError::Full(kind)),
            swapped => Ok(swapped.is_some()),
        }
    }

    /// Removes `was`. False: something else is there by now, or nothing, and stays so.
    pub async fn take_if(&self, kind: Kind, key: &str, was: &[u8]) -> Result<bool, EphemeralError> {
        let (shelf, now) = self.shelf(kind);
        Ok(shelf.take_if(&named(key), was, now))
    }

    /// How many times by now, this one included, in the window that the first of them opened.
    pub async fn count(&self, kind: Kind, key: &str, window: Duration) -> Result<u64, EphemeralError> {
        let (shelf, now) = self.shelf(kind);
        Ok(shelf.count(named(key), now.plus(window), now))
    }

    /// Takes one of [`Self::count`] back, within its window.
    pub async fn uncount(&self, kind: Kind, key: &str) -> Result<(), EphemeralError> {
        let (shelf, now) = self.shelf(kind);
        shelf.uncount(&named(key), now);
        Ok(())
    }

    /// How many times so far: [`Self::count`] without counting.
    pub async fn counted(&self, kind: Kind, key: &str) -> Result<u64, EphemeralError> {
        let (shelf, now) = self.shelf(kind);
        Ok(shelf.counted(&named(key), now))
    }

    /// How long the window of a count is open yet; nothing, where nothing is counted.
    pub async fn window_left(&self, kind: Kind, key: &str) -> Result<Duration, EphemeralError> {
        let (shelf, now) = self.shelf(kind);
        Ok(shelf.until(&named(key), now).map_or(Duration::ZERO, |until| until.since(now)))
    }

    /// Frees what has expired, and tells how much that was. Every verb that adds does so for its own kind; this
    /// is for a quiet hour.
    pub fn sweep(&self) -> usize {
        let Engine::InProcess(store) = &self.0;
        let now = store.clock.now();
        store.shelves.iter().map(|shelf| shelf.sweep(now)).sum()
    }

    /// How many entries of a kind are held, expired ones that were not yet swept included.
    pub fn held(&self, kind: Kind) -> usize {
        self.shelf(kind).0.held()
    }

    /// Whether only the last eighth of the room is left.
    pub fn is_crowded(&self, kind: Kind) -> bool {
        let (shelf, now) = self.shelf(kind);
        shelf.is_crowded(now)
    }

    fn shelf(&self, kind: Kind) -> (&Shelf, Moment) {
        let Engine::InProcess(store) = &self.0;
        (&store.shelves[kind as usize], store.clock.now())
    }
}

/// A key of any length takes 32 bytes, and no secret is kept as a key.
fn named(key: &str) -> Digest {
    Digest::of(key.as_bytes())
}

#[cfg(test)]
mod tests;
