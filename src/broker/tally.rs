//! Sign-ins that ended well, counted here until somebody writes the counts down: no login pays a write for a statistic.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::store::durable::connection_runs::{self, hour_of};
use crate::store::durable::engine::{Database, StoreError};

/// Versions of which it is remembered that they work.
const MOST: usize = 20_000;

/// Connection, version, and when the hour began.
type Place = (ConnectionId, i64, Moment);

#[derive(Debug, Default)]
pub struct Tally(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counts: HashMap<Place, i64>,
    /// Of which it is written down already that they work.
    known: HashSet<(ConnectionId, i64)>,
}

impl Tally {
    /// One more. True: it is to be written down at once that this version works.
    pub fn worked(&self, connection: ConnectionId, version: i64, now: Moment) -> bool {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *inner.counts.entry((connection, version, hour_of(now))).or_default() += 1;
        !inner.known.contains(&(connection, version))
    }

    /// It is written down.
    pub fn is_known(&self, connection: ConnectionId, version: i64) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.known.len() >= MOST {
            inner.known.clear();
        }
        inner.known.insert((connection, version));
    }

    /// Something failed: the next one that works is to be written down again.
    pub fn failed(&self, connection: ConnectionId, version: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.remove(&(connection, version));
    }

    /// Writes down what was counted. What cannot be written is counted on.
    pub async fn settle(&self, db: &Database, now: Moment) -> Result<(), StoreError> {
        let counts = std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).counts);
        if counts.is_empty() {
            return Ok(());
        }
        // In one order, so that two nodes do not wait for each other.
        let mut all: Vec<_> = counts.into_iter().collect();
        all.sort_unstable_by_key(|(place, _)| *place);
        let written = all.clone();
        let outcome = db
            .write(async move |tx| {
                for ((connection, version, hour), many) in &written {
                    connection_runs::count(tx, *connection, *version, "", (*hour, *many)).await?;
                    connection_runs::worked(tx, *connection, *version, now).await?;
                }
                Ok(())
            })
            .await;
        if outcome.is_err() {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (place, many) in all {
                *inner.counts.entry(place).or_default() += many;
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_a8_a_version_is_written_down_once_and_again_after_a_failure() {
        let (tally, id, now) = (Tally::default(), ConnectionId::from_u128(1), Moment::from_millis(1));
        assert!(tally.worked(id, 1, now));
        tally.is_known(id, 1);
        assert!(!tally.worked(id, 1, now));
        assert!(tally.worked(id, 2, now));
        tally.failed(id, 1);
        assert!(tally.worked(id, 1, now));
    }
}
