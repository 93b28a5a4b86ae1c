//! The metadata of SAML identity providers at an address: read within limits, and read again without being turned
//! against us (threats M15). TLS, or a pinned signer, says whose word a document is; yet without a pinned signer no
//! document may name another entity, or replace every certificate at once: that takes an operator.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use url::Url;

use crate::audit;
use crate::egress::http::{EgressError, Http, Request};
use crate::foundation::clock::{Clock, Moment};
use crate::foundation::id::{ConnectionId, ProjectId};
use crate::foundation::random::Random;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::connection::metadata::{Described, DescriptionError, LARGEST, describe};
use crate::model::connection::{Connection, Metadata, SamlSettings, Upstream};
use crate::store::durable::connections;
use crate::store::durable::engine::{Database, Lock as RowLock, StoreError, Tx};
use crate::store::durable::metadata_reads::{self, MetadataRead};

/// Between two looks for one connection, whatever came of the first.
const COOLDOWN: Duration = Duration::from_secs(60);
/// Connections whose last look is remembered.
const MOST: usize = 20_000;
/// After a failure, doubled with each further one.
const AFTER_FAILURE: Duration = Duration::from_secs(300);
const AT_LATEST: Duration = Duration::from_secs(6 * 3_600);

/// When it was, held while there is one.
type LastLook = Arc<Mutex<Option<Moment>>>;

#[derive(Clone)]
pub struct SamlMetadata {
    http: Http,
    db: Database,
    clock: Clock,
    random: Random,
    looks: Arc<Lock<HashMap<ConnectionId, LastLook>>>,
}

/// Why a document could not be had, or does not count.
#[derive(Debug, thiserror::Error)]
pub enum MetadataReadError {
    #[error("{0}")]
    Egress(#[from] EgressError),
    #[error("the answer had status {0}")]
    Status(u16),
    #[error("{0}")]
    Described(#[from] DescriptionError),
    #[error("it is the metadata of another entity: {0}")]
    OtherEntity(String),
    #[error(
        "every certificate was replaced at once, and no signer is pinned: compare them with the provider's \
         administrator, then run `behalf apply --read-metadata`"
    )]
    AllReplaced,
}

/// What a look came to.
#[derive(Debug)]
pub enum Look {
    /// Nothing that matters is different.
    Same,
    /// The connection is another one now: read it again.
    Changed,
    /// Somebody has just looked.
    Cooling,
    /// It has no address.
    NoAddress,
    /// What was known stays.
    Failed(MetadataReadError),
}

impl SamlMetadata {
    pub(super) fn new(http: Http, db: Database, clock: Clock, random: Random) -> Self {
        Self { http, db, clock, random, looks: Arc::default() }
    }

    /// The identity provider that is described at an address.
    pub async fn read(
        &self,
        url: &Url,
        entity_id: Option<&str>,
        signer: Option<&str>,
    ) -> Result<Described, MetadataReadError> {
        let accept =
            http::HeaderValue::from_static("application/samlmetadata+xml, application/xml, text/xml");
        let request = Request::get(url.clone()).limit(LARGEST).header(http::header::ACCEPT, accept);
        let answer = self.http.send(request).await?;
        if answer.status != 200 {
            return Err(MetadataReadError::Status(answer.status));
        }
        Ok(describe(&answer.body, entity_id, signer, self.clock.now())?)
    }

    /// Reads a connection's metadata again: because its turn has come, or because an answer was signed by a key that
    /// is not known. One look at a time for each connection, and one a minute.
    pub async fn look(&self, project: ProjectId, connection: ConnectionId) -> Result<Look, StoreError> {
        let look = self.looks_of(connection);
        let Ok(mut look) = look.try_lock() else {
            // Somebody is looking: their answer is ours.
            drop(look.lock().await);
            return Ok(Look::Changed);
        };
        let now = self.clock.now();
        if look.is_some_and(|at| now.since(at) < COOLDOWN) {
            return Ok(Look::Cooling);
        }
        *look = Some(now);
        let found = connections::by_id(&mut &self.db, project, connection).await?;
        let Some((url, known)) = found.as_ref().and_then(address) else { return Ok(Look::NoAddress) };
        let read = self.read(url, known.entity_id.as_deref(), known.signer.as_deref()).await;
        let keep = Keep { project, connection, known: known.clone(), random: self.random.clone(), now };
        self.db.write(async move |tx| keep.run(tx, read).await).await
    }

    fn looks_of(&self, connection: ConnectionId) -> LastLook {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= MOST {
            looks.retain(|_, look| Arc::strong_count(look) > 1);
        }
        Arc::clone(looks.entry(connection).or_default())
    }
}

fn address(connection: &Connection) -> Option<(&Url, &Metadata)> {
    let saml = connection.saml()?.saml;
    Some((saml.metadata_address()?, saml.metadata.as_ref()?))
}

/// Keeps what came of a look.
struct Keep {
    project: ProjectId,
    connection: ConnectionId,
    /// What was known when it was asked for.
    known: Metadata,
    random: Random,
    now: Moment,
}

impl Keep {
    async fn run(
        self,
        tx: &mut Tx<'_>,
        read: Result<Described, MetadataReadError>,
    ) -> Result<Look, StoreError> {
        tx.lock(RowLock::Exclusive, "connections", &self.connection.to_string()).await?;
        let found = connections::by_id(tx, self.project, self.connection).await?;
        let Some(before) = found else { return Ok(Look::NoAddress) };
        // Another node, or the operator, was quicker.
        if address(&before).is_none_or(|(_, metadata)| *metadata != self.known) {
            return Ok(Look::Changed);
        }
        let Upstream::Saml(saml) = &before.settings.upstream else { return Ok(Look::NoAddress) };
        let judged = read.and_then(|described| {
            judge(saml, &described)?;
            Ok(described)
        });
        let turn = metadata_reads::find(tx, self.connection).await?;
        match judged {
            Ok(described) => {
                self.done(tx, described.next_read_at).await?;
                self.update(tx, &before, saml, described).await
            }
            Err(error) => {
                if self.failed(tx, turn, &error).await? == 1 {
                    let event =
                        self.event(&before, "organization.connection.metadata_refused", Outcome::Refused);
                    self.record(tx, event.with("why", error.to_string())).await?;
                }
                Ok(Look::Failed(error))
            }
        }
    }

    async fn done(&self, tx: &mut Tx<'_>, next_read_at: Moment) -> Result<(), StoreError> {
        let turn = MetadataRead {
            connection_id: self.connection,
            next_read_at,
            read_at: self.now,
            failures: 0,
            failure: None,
        };
        metadata_reads::put(tx, &turn).await
    }

    /// How often it has failed in a row.
    async fn failed(
        &self,
        tx: &mut Tx<'_>,
        before: Option<MetadataRead>,
        error: &MetadataReadError,
    ) -> Result<i64, StoreError> {
        let (failures, read_at) =
            before.map_or((0, self.known.read_at), |turn| (turn.failures, turn.read_at));
        let doubled = AFTER_FAILURE * (1 << failures.clamp(0, 10));
        let turn = MetadataRead {
            connection_id: self.connection,
            next_read_at: self.now.plus(doubled.min(AT_LATEST)),
            read_at,
            failures: failures + 1,
            failure: Some(error.to_string().chars().take(500).collect()),
        };
        metadata_reads::put(tx, &turn).await?;
        Ok(turn.failures)
    }

    /// New certificates break no login that is under way, so they are no new version (threats H04): an answer is
    /// verified by those that are there when it arrives. Another address is one.
    async fn update(
        &self,
        tx: &mut Tx<'_>,
        before: &Connection,
        saml: &SamlSettings,
        described: Described,
    ) -> Result<Look, StoreError> {
        let (old, new) = (&saml.idp, described.idp);
        let moved = (&old.sso, &old.slo) != (&new.sso, &new.slo);
        let (lost, gained) = (old.fingerprints(), new.fingerprints());
        let changed = *old != new;
        let metadata = Metadata {
            digest: described.digest,
            valid_until: described.valid_until,
            read_at: self.now,
            ..self.known.clone()
        };
        if !changed && metadata.digest == self.known.digest {
            return Ok(Look::Same);
        }
        let mut after = before.clone();
        after.settings.upstream =
            Upstream::Saml(Box::new(SamlSettings { idp: new, metadata: Some(metadata), ..saml.clone() }));
        after.version += i64::from(moved);
        after.updated_at = self.now;
        connections::update(tx, &after).await?;
        if !changed {
            return Ok(Look::Same);
        }
        let event = self
            .event(&after, "organization.connection.metadata_changed", Outcome::Changed)
            .with("version", after.version)
            .with("certificates_before", lost)
            .with("certificates_after", gained)
            .with("addresses_changed", moved);
        self.record(tx, event).await?;
        Ok(Look::Changed)
    }

    fn event(&self, connection: &Connection, action: &'static str, outcome: Outcome) -> AuditEvent {
        AuditEvent::new(self.project, action, outcome)
            .organization(connection.organization_id)
            .actor("house")
            .subject(connection.id)
            .with("slug", connection.slug.as_str())
    }

    async fn record(&self, tx: &mut Tx<'_>, event: AuditEvent) -> Result<(), StoreError> {
        audit::record(tx, &self.random, self.now, &event).await
    }
}

/// Whether a document may take the place of what is known, with nobody there to ask.
fn judge(known: &SamlSettings, described: &Described) -> Result<(), MetadataReadError> {
    if described.idp.entity_id != known.idp.entity_id {
        let other = described.idp.entity_id.clone().unwrap_or_default();
        return Err(MetadataReadError::OtherEntity(other.chars().take(200).collect()));
    }
    let pinned = known.metadata.as_ref().is_some_and(|metadata| metadata.signer.is_some());
    let old: BTreeSet<_> = known.idp.certificates.iter().collect();
    if !pinned && !described.idp.certificates.iter().any(|certificate| old.contains(certificate)) {
        return Err(MetadataReadError::AllReplaced);
    }
    Ok(())
}
