//! One after the other, for each network: work that is dear for what it costs to ask for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Networks that are remembered beside those whose turn it is.
const MOST: usize = 1_024;

/// Each network has one turn at a time; others of it wait, and nobody else does (threats H13).
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Lock<HashMap<String, Arc<Mutex<()>>>>>);

/// Whose turn it is, for as long as this is held.
#[must_use]
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "ends the turn when it goes")] OwnedMutexGuard<()>);

impl Turns {
    pub async fn of(&self, network: &str) -> Turn {
        let place = self.place(network);
        Turn(place.lock_owned().await)
    }

    fn place(&self, network: &str) -> Arc<Mutex<()>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MOST {
            // Whoever has a turn or waits for one holds it, too.
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(places.entry(network.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn h13_a_network_has_one_turn_at_a_time_and_holds_up_nobody_else() {
        let (turns, inside) = (Turns::default(), AtomicUsize::new(0));
        let held = turns.of("a").await;
        assert!(turns.of("a").now_or_never().is_none());
        assert!(turns.of("b").now_or_never().is_some());
        drop(held);
        let works = (0..50).map(|_| async {
            let _turn = turns.of("a").await;
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            tokio::task::yield_now().await;
            inside.fetch_sub(1, Ordering::SeqCst);
        });
        join_all(works).await;
    }

    #[tokio::test]
    async fn h13_networks_that_went_are_forgotten() {
        let turns = Turns::default();
        let held = turns.of("stays").await;
        for network in 0..3 * MOST {
            drop(turns.of(&network.to_string()).await);
        }
        assert!(turns.0.lock().unwrap().len() <= MOST + 1);
        assert!(turns.of("stays").now_or_never().is_none());
        drop(held);
    }
}
