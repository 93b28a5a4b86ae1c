//! What an OpenID provider says of itself, watched (S1-A7): when it names other endpoints than it did, or other keys, that
//! is written down, and somebody should look the connection over. It is looked at when somebody signs in; nothing is asked
//! for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Broker;
use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::foundation::random::Random;
use crate::foundation::secret::Digest;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::connection::Connection;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{connection_upstreams, connections};

/// Addresses of which it is remembered what was said there last.
const MOST: usize = 20_000;

/// What was seen last in this process: most sign-ins bring nothing new, and ask the store nothing.
#[derive(Debug, Default)]
pub struct Upstream(Mutex<HashMap<(ConnectionId, String), Digest>>);

impl Upstream {
    fn is_known(&self, key: &(ConnectionId, String), digest: Digest) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key) == Some(&digest)
    }

    fn keep(&self, key: (ConnectionId, String), digest: Digest) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, digest);
    }
}

/// What is said at an address, of which it is told whether it is new.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Endpoints,
    Keys,
}

/// Takes notice of the endpoints that an issuer names now. That this fails is no reason to keep anybody out.
pub async fn seen(broker: &Broker, connection: &Connection, issuer: &str, endpoints: &[&str]) {
    let digest = Digest::of(endpoints.join("\n").as_bytes());
    let said = || endpoints.iter().map(|one| (*one).to_owned()).collect();
    heard(broker, connection, (Said::Endpoints, issuer), digest, said).await;
}

/// Takes notice of the keys that stand in a document of this digest, at this address, now.
pub async fn keys_seen(
    broker: &Broker,
    connection: &Connection,
    jwks_uri: &str,
    document: Digest,
    thumbprints: impl Iterator<Item = String>,
) {
    let thumbprints = || {
        let mut all: Vec<_> = thumbprints.collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    heard(broker, connection, (Said::Keys, jwks_uri), document, thumbprints).await;
}

async fn heard(
    broker: &Broker,
    connection: &Connection,
    (kind, address): (Said, &str),
    digest: Digest,
    said: impl FnOnce() -> Vec<String>,
) {
    let key = (connection.id, address.to_owned());
    if broker.upstream.is_known(&key, digest) {
        return;
    }
    let id = connection.id;
    let event =
        AuditEvent::new(connection.project_id, "organization.connection.upstream_changed", Outcome::Changed)
            .organization(connection.organization_id)
            .actor("house")
            .subject(id);
    let note = Note {
        random: broker.random.clone(),
        now: broker.now(),
        id,
        kind,
        address: address.to_owned(),
        said: said(),
    };
    match broker.db.write(async move |tx| note.take(tx, event).await).await {
        Ok(()) => broker.upstream.keep(key, digest),
        Err(error) => {
            tracing::warn!(connection = %id, %error, "what a provider says could not be written down")
        }
    }
}

struct Note {
    random: Random,
    now: Moment,
    id: ConnectionId,
    kind: Said,
    address: String,
    said: Vec<String>,
}

impl Note {
    async fn take(&self, tx: &mut Tx<'_>, event: AuditEvent) -> Result<(), StoreError> {
        tx.lock(Lock::Exclusive, "connections", &self.id.to_string()).await?;
        let before = connection_upstreams::at(tx, self.id, &self.address).await?;
        if before.as_ref() == Some(&self.said) {
            return Ok(());
        }
        connection_upstreams::put(tx, self.id, &self.address, &self.said, self.now).await?;
        // Whom nobody has heard before has changed nothing.
        let Some(before) = before else { return Ok(()) };
        if self.wants_review(&before) {
            connections::set_review(tx, self.id, Some(self.now)).await?;
        }
        audit::record(tx, &self.random, self.now, &self.describe(event, &before)).await
    }

    /// Keys come and go by the calendar, each beside the next one; only that none is left of those before is strange.
    fn wants_review(&self, before: &[String]) -> bool {
        self.kind == Said::Endpoints || !before.iter().any(|key| self.said.contains(key))
    }

    fn describe(&self, event: AuditEvent, before: &[String]) -> AuditEvent {
        let beyond = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|one| !those.contains(one)).cloned().collect()
        };
        match self.kind {
            Said::Endpoints => {
                event.with("issuer", self.address.as_str()).with("endpoints", self.said.clone())
            }
            Said::Keys => event
                .with("jwks_uri", self.address.as_str())
                .with("keys_added", beyond(&self.said, before))
                .with("keys_removed", beyond(before, &self.said)),
        }
    }
}
