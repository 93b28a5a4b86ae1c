//! Whether logins can be served here: the store is read and takes a write, and the keys sign.

use std::time::Duration;

use tokio::sync::Mutex;

use super::Broker;
use crate::foundation::clock::Moment;
use crate::keys::keyring::{ALGORITHMS, KeyError};
use crate::model::project::DEFAULT_SLUG;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{house, projects};

/// For how long what was tried is believed: strangers ask, too.
const TRIED_AGAIN: Duration = Duration::from_secs(10);

/// The fact of the store that is written to see that it takes a write: always the same row.
const WRITTEN: &str = "written_at";

/// What was last tried, and when.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<(Moment, bool)>>);

#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("the database takes no write: {0}")]
    Write(StoreError),
    #[error("no token can be signed: {0}")]
    Sign(#[from] KeyError),
    #[error("the database cannot be read: {0}")]
    Read(#[from] StoreError),
    #[error("there is no default project")]
    Empty,
}

impl Broker {
    /// The log tells why not.
    pub async fn is_ready(&self) -> bool {
        if let Err(error) = self.db.ping().await {
            tracing::error!(%error, "not ready: the database does not answer");
            return false;
        }
        // Whoever comes meanwhile waits for the one who tries.
        let mut last = self.readiness.0.lock().await;
        let now = self.now();
        if let Some((_, ready)) = last.filter(|(at, _)| *at <= now && now.since(*at) < TRIED_AGAIN) {
            return ready;
        }
        let tried = self.tried(now).await;
        if let Err(error) = &tried {
            tracing::error!(%error, "not ready");
        }
        *last = Some((now, tried.is_ok()));
        tried.is_ok()
    }

    async fn tried(&self, now: Moment) -> Result<(), NotReady> {
        let value = now.millis().to_string();
        let written = self.db.write(async move |tx| house::put(tx, WRITTEN, value.as_bytes()).await);
        written.await.map_err(NotReady::Write)?;
        // What another project lacks keeps nobody from this one.
        let project = projects::by_slug(&mut &self.db, DEFAULT_SLUG).await?.ok_or(NotReady::Empty)?;
        let keys = self.keyring.of(project.id).await?;
        for algorithm in ALGORITHMS {
            keys.signing(algorithm, now)?.sign_jws("readiness", &[]).map_err(KeyError::from)?;
        }
        Ok(())
    }
}
