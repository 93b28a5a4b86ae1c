#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn store() -> (Ephemeral, Clock) {
    let clock = Clock::set_to(Moment::from_millis(1_000_000));
    (Ephemeral::in_process(clock.clone()), clock)
}

#[tokio::test]
async fn a_value_is_there_until_it_expires() {
    let (store, clock) = store();
    store.put(Kind::LoginFlow, "flow", b"state".to_vec(), MINUTE).await.unwrap();
    clock.turn(MINUTE - Duration::from_millis(1));
    assert_eq!(store.get(Kind::LoginFlow, "flow").await, Ok(Some(b"state".to_vec())));
    assert_eq!(store.get(Kind::RateCounter, "flow").await, Ok(None), "another kind has other keys");
    clock.turn(Duration::from_millis(1));
    assert_eq!(store.get(Kind::LoginFlow, "flow").await, Ok(None));
    assert_eq!(store.take(Kind::LoginFlow, "flow").await, Ok(None));
    assert_eq!(store.held(Kind::LoginFlow), 0);
}

#[tokio::test]
async fn a_later_value_takes_the_place_and_its_own_time() {
    let (store, clock) = store();
    store.put(Kind::LoginFlow, "flow", b"early".to_vec(), MINUTE).await.unwrap();
    store.put(Kind::LoginFlow, "flow", b"late".to_vec(), 2 * MINUTE).await.unwrap();
    clock.turn(MINUTE);
    assert_eq!(store.get(Kind::LoginFlow, "flow").await, Ok(Some(b"late".to_vec())));
    assert_eq!(store.held(Kind::LoginFlow), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_takers_one_has_the_code() {
    let (store, _) = store();
    store.put(Kind::LoginFlow, "code", b"grant".to_vec(), MINUTE).await.unwrap();
    let takers: Vec<_> = (0..50).map(|_| store.clone()).collect();
    let takers =
        takers.into_iter().map(|s| tokio::spawn(async move { s.take(Kind::LoginFlow, "code").await }));
    let taken = futures_util::future::join_all(takers).await;
    assert_eq!(taken.iter().filter(|taken| matches!(taken, Ok(Ok(Some(_))))).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_who_have_read_the_same_one_moves_it_on_and_the_others_change_nothing() {
    let (store, _) = store();
    store.put(Kind::LoginFlow, "flow", b"here".to_vec(), MINUTE).await.unwrap();
    let movers = (0..50_u8).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            match number % 2 {
                0 => store.swap(Kind::LoginFlow, "flow", b"here", vec![number], MINUTE).await,
                _ => store.take_if(Kind::LoginFlow, "flow", b"here").await,
            }
        })
    });
    let moved = futures_util::future::join_all(movers).await;
    let moved: Vec<_> = moved.into_iter().map(|moved| moved.unwrap().unwrap()).collect();
    assert_eq!(moved.iter().filter(|moved| **moved).count(), 1);
    let winner = moved.iter().position(|moved| *moved).unwrap() as u8;
    let left = winner.is_multiple_of(2).then(|| vec![winner]);
    assert_eq!(store.get(Kind::LoginFlow, "flow").await, Ok(left.clone()));
    let other = store.swap(Kind::LoginFlow, "flow", b"here", b"other".to_vec(), MINUTE).await;
    assert_eq!((other, store.take_if(Kind::LoginFlow, "flow", b"here").await), (Ok(false), Ok(false)));
    assert_eq!(store.get(Kind::LoginFlow, "flow").await, Ok(left));
}

#[tokio::test]
async fn what_takes_anothers_place_takes_its_own_time_and_room() {
    let (store, clock) = store();
    store.put(Kind::LoginFlow, "flow", b"early".to_vec(), MINUTE).await.unwrap();
    let late = store.swap(Kind::LoginFlow, "flow", b"early", b"late".to_vec(), 2 * MINUTE).await;
    assert_eq!(late, Ok(true));
    clock.turn(MINUTE);
    assert_eq!(store.get(Kind::LoginFlow, "flow").await, Ok(Some(b"late".to_vec())));
    let large = vec![0; Kind::LoginFlow.limits().value + 1];
    let refused = store.swap(Kind::LoginFlow, "flow", b"late", large, MINUTE).await;
    assert!(matches!(refused, Err(EphemeralError::TooLarge { .. })));
    assert_eq!(store.take_if(Kind::LoginFlow, "flow", b"late").await, Ok(true));
    assert_eq!(store.held(Kind::LoginFlow), 0);
}

#[tokio::test]
async fn a_window_counts_from_its_first_and_then_anew() {
    let (store, clock) = store();
    for expected in 1..=3 {
        assert_eq!(store.count(Kind::RateCounter, "ann@a.test", MINUTE).await, Ok(expected));
        clock.turn(Duration::from_secs(20) - Duration::from_millis(1));
    }
    assert_eq!(store.count(Kind::RateCounter, "bob@b.test", MINUTE).await, Ok(1));
    clock.turn(Duration::from_millis(3));
    assert_eq!(store.count(Kind::RateCounter, "ann@a.test", MINUTE).await, Ok(1));
}

#[tokio::test]
async fn a_value_that_is_too_large_is_not_kept() {
    let (store, _) = store();
    let size = Kind::LoginFlow.limits().value + 1;
    let refused = store.put(Kind::LoginFlow, "code", vec![0; size], MINUTE).await;
    assert_eq!(refused, Err(EphemeralError::TooLarge { kind: Kind::LoginFlow, size }));
    assert_eq!(store.held(Kind::LoginFlow), 0);
}

#[test]
fn when_a_shelf_is_full_what_expires_first_goes() {
    let shelf = Shelf::new(Limits { entries: 3, value: 10, total: 20, when_full: WhenFull::Forget });
    let now = Moment::from_millis(0);
    for (key, ttl) in [("a", 3), ("b", 1), ("c", 2), ("d", 4)] {
        shelf.put(named(key), None, vec![1], now.plus(ttl * MINUTE), now);
    }
    let held = |key| shelf.get(&named(key), now).is_some();
    assert_eq!(["a", "b", "c", "d"].map(held), [true, false, true, true]);
    // Two values of 10 bytes leave no room for another.
    shelf.put(named("e"), None, vec![1; 10], now.plus(5 * MINUTE), now);
    shelf.put(named("f"), None, vec![1; 10], now.plus(5 * MINUTE), now);
    assert_eq!(["a", "c", "d", "e", "f"].map(held), [false, false, false, true, true]);
}

#[test]
fn c30_a_full_shelf_of_logins_takes_no_more_and_drops_none() {
    let shelf = Shelf::new(Limits { entries: 16, value: 10, total: 100, when_full: WhenFull::Refuse });
    let now = Moment::from_millis(0);
    let later = now.plus(MINUTE);
    let put = |key: &str, size| shelf.put(named(key), None, vec![0; size], later, now);
    for number in 0..16 {
        assert_eq!(shelf.is_crowded(now), number >= 14, "{number}");
        assert!(put(&number.to_string(), 1));
    }
    assert!(!put("late", 1), "no place");
    assert!(put("3", 10), "who is there already goes on");
    assert!((4..12).all(|number| put(&number.to_string(), 10)), "as long as there is room");
    assert!(!put("12", 10), "no room");
    assert!((0..16).all(|number| shelf.get(&named(&number.to_string()), now).is_some()));
    assert_eq!(shelf.get(&named("12"), now), Some(vec![0; 1]), "what was there stays");
    assert!(
        shelf.put(named("late"), None, vec![0; 1], later.plus(MINUTE), later),
        "as soon as theirs have run out"
    );
}

#[tokio::test]
async fn c30_a_flood_of_counters_stays_within_bounds() {
    let (store, _) = store();
    let limit = Kind::RateCounter.limits().entries;
    for number in 0..limit + 100 {
        store.count(Kind::RateCounter, &number.to_string(), MINUTE).await.unwrap();
    }
    assert_eq!(store.held(Kind::RateCounter), limit);
}

#[tokio::test]
async fn a_hundred_thousand_codes_are_freed_when_they_expire() {
    let (store, clock) = store();
    for number in 0..100_000 {
        store.put(Kind::LoginFlow, &number.to_string(), vec![0; 400], MINUTE).await.unwrap();
    }
    assert_eq!(store.held(Kind::LoginFlow), 100_000);
    clock.turn(MINUTE);
    assert_eq!(store.sweep(), 100_000);
    let shelf = store.shelf(Kind::LoginFlow).0;
    assert!(shelf.room() < 2_000, "the map kept {} places", shelf.room());
}

#[tokio::test]
async fn one_owner_fills_no_more_than_their_share_by_number_or_by_size() {
    for (size, most) in [(1, 50_000 / 8), (32 * KIB, 512)] {
        let (store, clock) = store();
        let put =
            async |owner: &str, key: &str| store.put_of(owner, Kind::Proof, key, vec![0; size], MINUTE).await;
        for number in 0..most {
            put("greedy", &number.to_string()).await.unwrap();
        }
        assert_eq!(put("greedy", "more").await, Err(EphemeralError::Full(Kind::Proof)));
        assert_eq!(store.held(Kind::Proof), most);
        assert_eq!(put("modest", "one").await, Ok(()));
        // What is taken, or has run out, makes room again.
        assert!(store.take(Kind::Proof, "0").await.unwrap().is_some());
        assert_eq!(put("greedy", "more").await, Ok(()));
        assert_eq!(put("greedy", "yet more").await, Err(EphemeralError::Full(Kind::Proof)));
        clock.turn(MINUTE);
        assert_eq!(put("greedy", "again").await, Ok(()));
    }
}

#[tokio::test]
async fn what_is_taken_back_was_not_counted() {
    let (store, clock) = store();
    store.uncount(Kind::RateCounter, "a").await.unwrap();
    assert_eq!(store.count(Kind::RateCounter, "a", MINUTE).await, Ok(1));
    assert_eq!(store.count(Kind::RateCounter, "a", MINUTE).await, Ok(2));
    store.uncount(Kind::RateCounter, "a").await.unwrap();
    assert_eq!(store.counted(Kind::RateCounter, "a").await, Ok(1));
    clock.turn(MINUTE);
    assert_eq!(store.counted(Kind::RateCounter, "a").await, Ok(0));
}
