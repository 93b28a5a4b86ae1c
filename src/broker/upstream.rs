//! What an OpenID provider says of itself, watched (S1-A7): when it names other endpoints than it did, that is written down,
//! and somebody should look the connection over. It is looked at when somebody signs in; nothing is asked for it.

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

/// Connections of which it is remembered what was said last.
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

/// Takes notice of the endpoints that an issuer names now. That this fails is no reason to keep anybody out.
pub async fn seen(broker: &Broker, connection: &Connection, issuer: &str, endpoints: &[&str]) {
    let digest = Digest::of(endpoints.join("\n").as_bytes());
    let key = (connection.id, issuer.to_owned());
    if broker.upstream.is_known(&key, digest) {
        return;
    }
    let (id, project, organization) = (connection.id, connection.project_id, connection.organization_id);
    let event = AuditEvent::new(project, "organization.connection.upstream_changed", Outcome::Changed)
        .organization(organization)
        .actor("house")
        .subject(id)
        .with("issuer", issuer)
        .with("endpoints", endpoints.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
    let note =
        Note { random: broker.random.clone(), now: broker.now(), id, issuer: issuer.to_owned(), digest };
    match broker.db.write(async move |tx| note.take(tx, &event).await).await {
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
    issuer: String,
    digest: Digest,
}

impl Note {
    async fn take(&self, tx: &mut Tx<'_>, event: &AuditEvent) -> Result<(), StoreError> {
        tx.lock(Lock::Exclusive, "connections", &self.id.to_string()).await?;
        let before = connection_upstreams::of(tx, self.id, &self.issuer).await?;
        if before == Some(self.digest) {
            return Ok(());
        }
        connection_upstreams::put(tx, self.id, &self.issuer, self.digest, self.now).await?;
        // Whom nobody has heard before has changed nothing.
        if before.is_none() {
            return Ok(());
        }
        connections::set_review(tx, self.id, Some(self.now)).await?;
        audit::record(tx, &self.random, self.now, event).await
    }
}
