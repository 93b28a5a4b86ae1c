//! One kind of short-lived things, in memory that is bounded and really freed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Limits, WhenFull};
use crate::foundation::clock::Moment;
use crate::foundation::secret::Digest;

/// Below this many places the map is not worth shrinking.
const SMALL: usize = 1_024;

pub(super) struct Shelf {
    limits: Limits,
    things: Mutex<Things>,
}

#[derive(Default)]
struct Things {
    held: HashMap<Digest, Thing>,
    /// In the order in which they expire; the number keeps those of one moment apart.
    order: BTreeMap<Turn, Digest>,
    next: u64,
    /// Of all values, in bytes.
    total: usize,
    /// What each owner has in here.
    shares: HashMap<Digest, Share>,
}

#[derive(Clone, Copy, Default)]
struct Share {
    entries: usize,
    /// Of its values, in bytes.
    total: usize,
}

/// How many owners together may fill a shelf.
const OWNERS: usize = 8;

type Turn = (Moment, u64);

struct Thing {
    turn: Turn,
    owner: Option<Digest>,
    value: Box<[u8]>,
    count: u64,
}

impl Shelf {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, things: Mutex::default() }
    }

    /// False: there is no room, and nothing was changed.
    pub(super) fn put(
        &self,
        key: Digest,
        owner: Option<Digest>,
        value: Vec<u8>,
        until: Moment,
        now: Moment,
    ) -> bool {
        let mut things = self.swept(now);
        let before = things.held.get(&key).map(|thing| thing.value.len());
        let entries = things.held.len() - usize::from(before.is_some());
        let total = things.total - before.unwrap_or_default() + value.len();
        let full = entries >= self.limits.entries || total > self.limits.total;
        // What the owner may have replaced counts, too: nothing that has one is put twice.
        let share = owner.and_then(|owner| things.shares.get(&owner).copied()).unwrap_or_default();
        let is_share_full = owner.is_some()
            && (share.entries >= self.limits.entries / OWNERS
                || share.total + value.len() > self.limits.total / OWNERS);
        if is_share_full {
            return false;
        }
        if full && self.limits.when_full == WhenFull::Refuse {
            return false;
        }
        things.remove(&key);
        things.make_room(&self.limits, value.len());
        things.insert(key, owner, value.into(), until);
        true
    }

    pub(super) fn is_crowded(&self, now: Moment) -> bool {
        let things = self.swept(now);
        let Limits { entries, total, .. } = self.limits;
        things.held.len() >= entries / 8 * 7 || things.total > total / 8 * 7
    }

    pub(super) fn get(&self, key: &Digest, now: Moment) -> Option<Vec<u8>> {
        self.swept(now).held.get(key).map(|thing| thing.value.to_vec())
    }

    pub(super) fn take(&self, key: &Digest, now: Moment) -> Option<Vec<u8>> {
        self.swept(now).remove(key).map(|thing| thing.value.into())
    }

    /// As [`Self::put`], in the place of this very value; nothing: there is another one, or none.
    pub(super) fn swap(
        &self,
        key: Digest,
        was: &[u8],
        value: Vec<u8>,
        until: Moment,
        now: Moment,
    ) -> Option<bool> {
        let mut things = self.swept(now);
        let before = things.held.get(&key).filter(|thing| *thing.value == *was)?;
        let (owner, size) = (before.owner, before.value.len());
        if things.total - size + value.len() > self.limits.total {
            return Some(false);
        }
        things.remove(&key);
        things.insert(key, owner, value.into(), until);
        Some(true)
    }

    /// Whether this very value was there, and is not any more.
    pub(super) fn take_if(&self, key: &Digest, was: &[u8], now: Moment) -> bool {
        let mut things = self.swept(now);
        let is_there = things.held.get(key).is_some_and(|thing| *thing.value == *was);
        is_there && things.remove(key).is_some()
    }

    pub(super) fn count(&self, key: Digest, until: Moment, now: Moment) -> u64 {
        let mut things = self.swept(now);
        if let Some(thing) = things.held.get_mut(&key) {
            thing.count = thing.count.saturating_add(1);
            return thing.count;
        }
        things.make_room(&self.limits, 0);
        things.insert(key, None, Box::default(), until);
        1
    }

    pub(super) fn uncount(&self, key: &Digest, now: Moment) {
        if let Some(thing) = self.swept(now).held.get_mut(key) {
            thing.count = thing.count.saturating_sub(1);
        }
    }

    pub(super) fn counted(&self, key: &Digest, now: Moment) -> u64 {
        self.swept(now).held.get(key).map_or(0, |thing| thing.count)
    }

    pub(super) fn until(&self, key: &Digest, now: Moment) -> Option<Moment> {
        self.swept(now).held.get(key).map(|thing| thing.turn.0)
    }

    pub(super) fn sweep(&self, now: Moment) -> usize {
        self.lock().sweep(now)
    }

    pub(super) fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// Places that take memory, used or not.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.lock().held.capacity()
    }

    /// What is in here after this has not expired. Each thing is swept once, so the work is its own.
    fn swept(&self, now: Moment) -> MutexGuard<'_, Things> {
        let mut things = self.lock();
        things.sweep(now);
        things
    }

    fn lock(&self) -> MutexGuard<'_, Things> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Things {
    fn insert(&mut self, key: Digest, owner: Option<Digest>, value: Box<[u8]>, until: Moment) {
        let turn = (until, self.next);
        self.next += 1;
        self.total += value.len();
        if let Some(owner) = owner {
            let share = self.shares.entry(owner).or_default();
            share.entries += 1;
            share.total += value.len();
        }
        self.order.insert(turn, key);
        self.held.insert(key, Thing { turn, owner, value, count: 1 });
    }

    /// What is gone takes no room any more.
    fn free(&mut self, thing: &Thing) {
        self.total -= thing.value.len();
        let Some(owner) = thing.owner else { return };
        if let Some(share) = self.shares.get_mut(&owner) {
            share.entries -= 1;
            share.total -= thing.value.len();
            if share.entries == 0 {
                self.shares.remove(&owner);
            }
        }
    }

    fn remove(&mut self, key: &Digest) -> Option<Thing> {
        let thing = self.held.remove(key)?;
        self.order.remove(&thing.turn);
        self.free(&thing);
        Some(thing)
    }

    fn sweep(&mut self, now: Moment) -> usize {
        let before = self.held.len();
        while self.order.first_key_value().is_some_and(|((until, _), _)| *until <= now) {
            self.drop_first();
        }
        self.shrink();
        before - self.held.len()
    }

    fn make_room(&mut self, limits: &Limits, size: usize) {
        while !self.held.is_empty() && (self.held.len() >= limits.entries || self.total + size > limits.total)
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some((_, key)) = self.order.pop_first()
            && let Some(thing) = self.held.remove(&key)
        {
            self.free(&thing);
        }
    }

    /// Gives the places of a map back that a flood has left empty.
    fn shrink(&mut self) {
        if self.held.capacity() > SMALL && self.held.len() < self.held.capacity() / 8 {
            self.held.shrink_to(self.held.len() * 2);
        }
    }
}
