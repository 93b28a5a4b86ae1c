//! Documents that strangers publish (discovery, key sets): fetched once, kept, and fetched again at a limited
//! rate, so that a flood of logins is no flood of requests (threats H20).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use url::Url;

use super::http::{EgressError, Http, Request};
use crate::foundation::clock::{Clock, Moment};

/// How long a document is believed without a new look.
const FRESH: Duration = Duration::from_secs(3600);
/// How long it is believed when the new look fails.
const STALE: Duration = Duration::from_secs(86_400);
/// Between two looks at one address, whatever came of the first.
const COOLDOWN: Duration = Duration::from_secs(30);
/// Documents that are kept, and how large one may be, in bytes.
const MOST: usize = 20_000;
const LARGEST: usize = 262_144;
/// When there are too many, those that nobody has asked for in this time go; if that does not help, all of them.
const IDLE: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone, thiserror::Error)]
pub enum DocumentError {
    #[error("{0}")]
    Egress(Arc<EgressError>),
    #[error("the answer had status {0}")]
    Status(u16),
    #[error("the document was asked for a moment ago, without success")]
    Cooling,
    #[error("the answer is not the document that was asked for")]
    Malformed,
}

type Body = Arc<Vec<u8>>;

#[derive(Default, Debug)]
struct Entry {
    body: Option<(Body, Moment)>,
    asked_at: Option<Moment>,
}

#[derive(Clone, Debug)]
pub struct Documents {
    http: Http,
    clock: Clock,
    entries: Arc<RwLock<HashMap<String, Arc<Mutex<Entry>>>>>,
}

impl Documents {
    pub fn new(http: Http, clock: Clock) -> Self {
        Self { http, clock, entries: Arc::default() }
    }

    /// The document at an address, at most an hour old, or a day if it cannot be had now. What does not `fit` is
    /// no document: it is not kept, and takes no good one's place.
    pub async fn get(&self, url: &Url, fits: impl Fn(&[u8]) -> bool) -> Result<Body, DocumentError> {
        let entry = self.entry(url);
        let mut entry = entry.lock().await;
        let now = self.clock.now();
        if let Some((body, at)) = &entry.body
            && now.since(*at) < FRESH
        {
            return Ok(Arc::clone(body));
        }
        match self.fetch(url, &mut entry, now, fits).await {
            Ok(body) => Ok(body),
            Err(error) => match &entry.body {
                Some((body, at)) if now.since(*at) < STALE => Ok(Arc::clone(body)),
                _ => Err(error),
            },
        }
    }

    /// The document as it is now, because what is kept did not have what was looked for; within the cooldown,
    /// what is kept.
    pub async fn refreshed(&self, url: &Url, fits: impl Fn(&[u8]) -> bool) -> Result<Body, DocumentError> {
        let entry = self.entry(url);
        let mut entry = entry.lock().await;
        let now = self.clock.now();
        match self.fetch(url, &mut entry, now, fits).await {
            Ok(body) => Ok(body),
            Err(error) => entry.body.as_ref().map(|(body, _)| Arc::clone(body)).ok_or(error),
        }
    }

    async fn fetch(
        &self,
        url: &Url,
        entry: &mut Entry,
        now: Moment,
        fits: impl Fn(&[u8]) -> bool,
    ) -> Result<Body, DocumentError> {
        if entry.asked_at.is_some_and(|at| now.since(at) < COOLDOWN) {
            return Err(DocumentError::Cooling);
        }
        entry.asked_at = Some(now);
        let request = Request::get(url.clone())
            .limit(LARGEST)
            .header(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
        let answer = self.http.send(request).await.map_err(|error| DocumentError::Egress(Arc::new(error)))?;
        if answer.status != 200 {
            return Err(DocumentError::Status(answer.status));
        }
        if !fits(&answer.body) {
            return Err(DocumentError::Malformed);
        }
        let body = Arc::new(answer.body);
        entry.body = Some((Arc::clone(&body), now));
        Ok(body)
    }

    fn entry(&self, url: &Url) -> Arc<Mutex<Entry>> {
        let known = self.entries.read().unwrap_or_else(PoisonError::into_inner).get(url.as_str()).cloned();
        known.unwrap_or_else(|| {
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            if entries.len() >= MOST {
                forget_idle(&mut entries, self.clock.now());
            }
            Arc::clone(entries.entry(url.as_str().to_owned()).or_default())
        })
    }
}

fn forget_idle(entries: &mut HashMap<String, Arc<Mutex<Entry>>>, now: Moment) {
    // One that is locked is in use.
    entries.retain(|_, entry| {
        entry.try_lock().map_or(true, |entry| entry.asked_at.is_some_and(|at| now.since(at) < IDLE))
    });
    if entries.len() >= MOST {
        entries.clear();
    }
}
