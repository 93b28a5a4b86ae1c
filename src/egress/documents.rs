//! Documents that strangers publish (discovery, key sets): fetched once, kept, and fetched again at a limited
//! rate, so that a flood of logins is no flood of requests (threats H20).

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore};
use url::Url;

use super::http::{EgressError, Http, Request};
use crate::foundation::clock::{Clock, Moment};

/// How long a document is believed without a new look.
const FRESH: Duration = Duration::from_secs(3600);
/// How long it is believed when the new look fails.
const STALE: Duration = Duration::from_secs(86_400);
/// Between two looks at one address.
const COOLDOWN: Duration = Duration::from_secs(30);
/// The same where the first gave nothing and nothing is kept: whoever tries again is not to wait for long. Where something
/// is, a provider that does not answer would keep everybody waiting too often.
const COOLDOWN_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How large a document may be, in bytes.
const LARGEST: usize = 262_144;
/// How much is kept. When it is more, what is least useful goes.
const KEPT: Limits = Limits { documents: 20_000, bytes: 64 * 1024 * 1024 };

#[derive(Debug, Clone, thiserror::Error)]
pub enum DocumentError {
    #[error("{0}")]
    Egress(Arc<EgressError>),
    #[error("the answer had status {0}")]
    Status(u16),
    #[error("the document was asked for a moment ago, without success")]
    Cooling,
    #[error("the answer is not the document that was asked for")]
    Unfit(Unfit),
    #[error("the answer could not be read to its end")]
    Unreadable,
}

/// Why an answer is not the document that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// In a word.
    pub reason: &'static str,
    /// What the operator is told.
    pub explained: String,
}

impl DocumentError {
    /// What the operator is told; see [`EgressError::explained`].
    pub fn explained(&self) -> String {
        match self {
            Self::Egress(error) => error.explained(),
            Self::Unfit(unfit) => unfit.explained.clone(),
            other => other.to_string(),
        }
    }
}

/// What a document is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Discovery,
    Keys,
    Logo,
}

impl Kind {
    /// What a server that has it in several forms is asked for.
    fn accept(self) -> http::HeaderValue {
        http::HeaderValue::from_static(match self {
            Self::Discovery | Self::Keys => "application/json",
            Self::Logo => "image/png, image/webp, image/jpeg, image/gif",
        })
    }
}

/// A document as one owner wants it. What others make of the same address is kept apart: one customer who names
/// another's document as their own must not spoil it, nor use up the looks at it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    kind: Kind,
    /// The connection, organization or project that names the address.
    owner: String,
    url: Url,
}

impl Wanted {
    pub fn new(kind: Kind, owner: impl ToString, url: &Url) -> Self {
        Self { kind, owner: owner.to_string(), url: url.clone() }
    }
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    documents: usize,
    bytes: usize,
}

type Body = Arc<Vec<u8>>;

#[derive(Default, Debug)]
struct Entry {
    body: Option<(Body, Moment)>,
    asked_at: Option<Moment>,
    /// What came of it, if that was no document.
    failure: Option<DocumentError>,
}

/// One document, and what is seen of it without waiting for whoever is fetching it.
#[derive(Default, Debug)]
struct Slot {
    entry: Arc<Mutex<Entry>>,
    size: AtomicUsize,
    /// When somebody last wanted it, in milliseconds.
    used_at: AtomicI64,
}

#[derive(Clone, Debug)]
pub struct Documents {
    http: Http,
    clock: Clock,
    slots: Arc<RwLock<HashMap<Wanted, Arc<Slot>>>>,
    /// Held by the one picture that is unpacked: small files become large pictures, and a page asks for eight at once.
    unpacking: Arc<Semaphore>,
}

impl Documents {
    pub fn new(http: Http, clock: Clock) -> Self {
        Self { http, clock, slots: Arc::default(), unpacking: Arc::new(Semaphore::new(1)) }
    }

    /// The document at an address, at most an hour old, or a day if it cannot be had now. What does not `fit` is
    /// no document: it is not kept, and takes no good one's place.
    pub async fn get(
        &self,
        wanted: &Wanted,
        fits: impl Fn(&[u8]) -> Result<(), Unfit> + Send + 'static,
    ) -> Result<Body, DocumentError> {
        self.made_of(wanted, move |body| fits(&body).map(|()| body)).await
    }

    /// As [`Self::get`], where something is `made` of what came, and kept in its place.
    pub(super) async fn made_of(
        &self,
        wanted: &Wanted,
        made: impl Fn(Vec<u8>) -> Result<Vec<u8>, Unfit> + Send + 'static,
    ) -> Result<Body, DocumentError> {
        let now = self.clock.now();
        let slot = self.slot(wanted, now);
        let entry = Arc::clone(&slot.entry).lock_owned().await;
        let kept = entry.body.clone();
        if let Some((body, at)) = &kept
            && now.since(*at) < FRESH
        {
            return Ok(Arc::clone(body));
        }
        match (self.fetch(wanted, slot, entry, now, made).await, kept) {
            (Err(_), Some((body, at))) if now.since(at) < STALE => Ok(body),
            (fetched, _) => fetched,
        }
    }

    /// The document as it is now, because what is kept did not have what was looked for; within the cooldown, or where
    /// something else stands in its place, what is kept. An error where whoever has it does not answer.
    pub async fn refreshed(
        &self,
        wanted: &Wanted,
        fits: impl Fn(&[u8]) -> Result<(), Unfit> + Send + 'static,
    ) -> Result<Body, DocumentError> {
        let now = self.clock.now();
        let slot = self.slot(wanted, now);
        let entry = Arc::clone(&slot.entry).lock_owned().await;
        let kept = entry.body.clone();
        let made = move |body: Vec<u8>| fits(&body).map(|()| body);
        match self.fetch(wanted, slot, entry, now, made).await {
            Err(error @ (DocumentError::Egress(_) | DocumentError::Status(_))) => Err(error),
            Err(error) => kept.map(|(body, _)| body).ok_or(error),
            fetched => fetched,
        }
    }

    /// Whoever asks may go before there is an answer. It is for all who wait, and so in nobody's hands: otherwise each who
    /// goes would leave the others with a cooldown and nothing else.
    async fn fetch(
        &self,
        wanted: &Wanted,
        slot: Arc<Slot>,
        mut entry: OwnedMutexGuard<Entry>,
        now: Moment,
        made: impl Fn(Vec<u8>) -> Result<Vec<u8>, Unfit> + Send + 'static,
    ) -> Result<Body, DocumentError> {
        let is_kept = entry.body.as_ref().is_some_and(|(_, at)| now.since(*at) < STALE);
        let cooldown = if entry.failure.is_some() && !is_kept { COOLDOWN_AFTER_FAILURE } else { COOLDOWN };
        if entry.asked_at.is_some_and(|at| now.since(at) < cooldown) {
            return Err(entry.failure.clone().unwrap_or(DocumentError::Cooling));
        }
        let (documents, wanted) = (self.clone(), wanted.clone());
        let fetching = tokio::spawn(async move {
            (entry.asked_at, entry.failure) = (Some(now), None);
            let asked = documents.ask(&wanted, made).await;
            entry.failure = asked.as_ref().err().cloned();
            let body = asked?;
            entry.body = Some((Arc::clone(&body), now));
            slot.size.store(body.len(), Ordering::Relaxed);
            make_room(&mut documents.slots.write().unwrap_or_else(PoisonError::into_inner), KEPT, &wanted);
            Ok(body)
        });
        // One that panicked was asked for all the same.
        fetching.await.unwrap_or(Err(DocumentError::Cooling))
    }

    async fn ask(
        &self,
        wanted: &Wanted,
        made: impl Fn(Vec<u8>) -> Result<Vec<u8>, Unfit> + Send + 'static,
    ) -> Result<Body, DocumentError> {
        let request = Request::get(wanted.url.clone())
            .limit(LARGEST)
            .header(http::header::ACCEPT, wanted.kind.accept());
        let answer = self.http.send(request).await.map_err(|error| DocumentError::Egress(Arc::new(error)))?;
        if answer.status != 200 {
            return Err(DocumentError::Status(answer.status));
        }
        let made = match wanted.kind {
            Kind::Discovery | Kind::Keys => made(answer.body),
            // It takes some milliseconds and much memory: nobody else waits meanwhile but for another picture.
            Kind::Logo => {
                let _turn = self.unpacking.acquire().await.map_err(|_| DocumentError::Unreadable)?;
                let made = tokio::task::spawn_blocking(move || made(answer.body)).await;
                made.map_err(|_| DocumentError::Unreadable)?
            }
        };
        Ok(Arc::new(made.map_err(DocumentError::Unfit)?))
    }

    fn slot(&self, wanted: &Wanted, now: Moment) -> Arc<Slot> {
        let known = self.slots.read().unwrap_or_else(PoisonError::into_inner).get(wanted).cloned();
        let slot = known.unwrap_or_else(|| {
            let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
            let slot = Arc::clone(slots.entry(wanted.clone()).or_default());
            make_room(&mut slots, KEPT, wanted);
            slot
        });
        slot.used_at.store(now.millis(), Ordering::Relaxed);
        slot
    }
}

/// Drops what is least useful until an eighth is free, if there is too much: first addresses of which nothing was
/// had, then pictures, then documents; of each, what nobody has wanted for longest. Never `but`.
fn make_room(slots: &mut HashMap<Wanted, Arc<Slot>>, limits: Limits, but: &Wanted) {
    let size = |slot: &Slot| slot.size.load(Ordering::Relaxed);
    let mut bytes: usize = slots.values().map(|slot| size(slot)).sum();
    if slots.len() <= limits.documents && bytes <= limits.bytes {
        return;
    }
    let use_of = |wanted: &Wanted, slot: &Slot| {
        let rank = match (size(slot), wanted.kind) {
            (0, _) => 0,
            (_, Kind::Logo) => 1,
            _ => 2,
        };
        (rank, slot.used_at.load(Ordering::Relaxed))
    };
    let mut others: Vec<_> = slots
        .iter()
        .filter(|(wanted, _)| *wanted != but)
        .map(|(wanted, slot)| (use_of(wanted, slot), size(slot), wanted.clone()))
        .collect();
    others.sort_unstable_by_key(|(useful, ..)| *useful);
    for (_, size, wanted) in others {
        if slots.len() <= limits.documents / 8 * 7 && bytes <= limits.bytes / 8 * 7 {
            return;
        }
        slots.remove(&wanted);
        bytes -= size;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn named(kind: Kind, name: &str) -> Wanted {
        Wanted::new(kind, name, &Url::parse("https://idp.test/").unwrap())
    }

    fn slot(size: usize, used_at: i64) -> Arc<Slot> {
        Arc::new(Slot { entry: Arc::default(), size: size.into(), used_at: used_at.into() })
    }

    #[test]
    fn h20_what_is_kept_is_bounded_in_bytes_and_the_least_useful_goes_first() {
        let all = [
            (named(Kind::Keys, "old"), slot(30, 1)),
            (named(Kind::Keys, "new"), slot(30, 9)),
            (named(Kind::Logo, "logo"), slot(30, 8)),
            (named(Kind::Discovery, "nothing"), slot(0, 9)),
            (named(Kind::Discovery, "just now"), slot(30, 0)),
        ];
        let left = |bytes: usize| {
            let mut slots = HashMap::from(all.clone());
            make_room(&mut slots, Limits { documents: 100, bytes }, &all[4].0);
            let mut names: Vec<_> = slots.into_keys().map(|wanted| wanted.owner).collect();
            names.sort();
            names
        };
        assert_eq!(left(120), ["just now", "logo", "new", "nothing", "old"]);
        assert_eq!(left(119), ["just now", "new", "old"]);
        assert_eq!(left(80), ["just now", "new"]);
        assert_eq!(left(8), ["just now"]);
    }

    #[test]
    fn h20_a_flood_of_addresses_drops_those_that_gave_nothing() {
        let useful = named(Kind::Keys, "useful");
        let mut slots = HashMap::from([(useful.clone(), slot(5, 0))]);
        let last = named(Kind::Keys, "last");
        slots.extend((0..100).map(|number| (named(Kind::Keys, &number.to_string()), slot(0, 1 + number))));
        slots.insert(last.clone(), slot(0, 0));
        make_room(&mut slots, Limits { documents: 80, bytes: 1_000 }, &last);
        assert_eq!(slots.len(), 70);
        assert!(slots.contains_key(&useful) && slots.contains_key(&last));
        assert!(slots.contains_key(&named(Kind::Keys, "99")) && !slots.contains_key(&named(Kind::Keys, "0")));
    }
}
