//! Where a host name leads: the machine's own resolver, or answers that a test has laid out.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// Most look-ups at once. Each holds a thread until the system's resolver gives up, even when nobody waits
/// for it any more, and slow names must not take the threads that others need.
const LOOKUPS: usize = 64;

/// Finds the addresses of a host name.
#[derive(Clone)]
pub enum Names {
    System(Arc<Semaphore>),
    Fixed(FixedNames),
}

impl Names {
    pub fn system() -> Self {
        Self::System(Arc::new(Semaphore::new(LOOKUPS)))
    }

    /// All addresses of `name`; none if it has none or cannot be found. The caller sets a time limit.
    pub async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        match self {
            Self::System(permits) => look_up(permits.clone(), name.to_owned()).await,
            Self::Fixed(names) => names.answer(name),
        }
    }
}

async fn look_up(permits: Arc<Semaphore>, name: String) -> Vec<IpAddr> {
    let Ok(permit) = permits.acquire_owned().await else { return Vec::new() };
    // A task of its own keeps the permit for as long as the thread is really busy.
    let lookup = tokio::spawn(async move {
        let _permit = permit;
        let found = tokio::net::lookup_host((name.as_str(), 0)).await;
        found.map(|found| found.map(|socket| socket.ip()).collect()).unwrap_or_default()
    });
    lookup.await.unwrap_or_default()
}

/// For tests: names whose answers change from one question to the next; the last answer stays.
#[derive(Clone, Default)]
pub struct FixedNames(Arc<Mutex<HashMap<String, Answers>>>);

#[derive(Default)]
struct Answers {
    next: VecDeque<Vec<IpAddr>>,
    asked: usize,
}

impl FixedNames {
    /// Adds one further answer for `name`.
    #[must_use]
    pub fn with(self, name: &str, addresses: &[IpAddr]) -> Self {
        self.lock().entry(name.to_owned()).or_default().next.push_back(addresses.to_vec());
        self
    }

    /// How often `name` has been asked for.
    pub fn asked(&self, name: &str) -> usize {
        self.lock().get(name).map_or(0, |answers| answers.asked)
    }

    fn answer(&self, name: &str) -> Vec<IpAddr> {
        let mut names = self.lock();
        let answers = names.entry(name.to_owned()).or_default();
        answers.asked += 1;
        if answers.next.len() > 1 {
            return answers.next.pop_front().unwrap_or_default();
        }
        answers.next.front().cloned().unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Answers>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
