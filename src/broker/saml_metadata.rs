//! The metadata of SAML identity providers at an address: read within limits, and read again without being turned
//! against us (threats M15). Whoever comes to hold the address can say what they like there. So, with nobody there to
//! ask, certificates are added or taken away and addresses moved only by a document that a key signed which the
//! connection trusts already, or the pinned signer; any other one is an offer, which is told of once and waits for an
//! operator. Until then what was known stays trusted (threats H17, H18).

mod judge;

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use url::Url;

pub use judge::{Verdict, Why};

use self::judge::judge;
use crate::audit;
use crate::broker::connection_swap::tell_owners;
use crate::egress::http::{EgressError, Http, Request};
use crate::foundation::clock::{Clock, Moment};
use crate::foundation::id::{ConnectionId, ProjectId};
use crate::foundation::random::Random;
use crate::foundation::secret::Digest;
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::connection::metadata::{
    self as description, Described, DescriptionError, LARGEST, describe, describe_again,
};
use crate::model::connection::{Connection, IdentityProvider, Metadata, SamlSettings, Upstream};
use crate::model::mail::Kind;
use crate::store::durable::engine::{Database, Lock as RowLock, StoreError, Tx};
use crate::store::durable::metadata_reads::{self, MetadataRead};
use crate::store::durable::{connection_versions, connections, projects};

/// Between two looks for one connection, whatever came of the first.
const COOLDOWN: Duration = Duration::from_secs(60);
/// Connections whose last look is remembered.
const MOST: usize = 20_000;
/// After a failure, doubled with each further one.
const AFTER_FAILURE: Duration = Duration::from_secs(300);
const AT_LATEST: Duration = Duration::from_secs(6 * 3_600);

/// Why somebody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Turn,
    /// Anybody can be one: such a look never puts the next turn off.
    Visitor,
}

/// Held while there is one.
type LastLook = Arc<Mutex<Option<Looked>>>;

/// When somebody looked, and what it came to, unless they went away meanwhile.
struct Looked {
    at: Moment,
    came: Option<Look>,
}

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
    #[error("it is older than one that was taken before, which is valid until {}", .0.rfc3339())]
    Older(Moment),
}

impl MetadataReadError {
    /// What the operator is told; see [`EgressError::explained`].
    pub fn explained(&self) -> String {
        match self {
            Self::Egress(error) => error.explained(),
            other => other.to_string(),
        }
    }
}

/// What a look came to.
#[derive(Clone, Debug)]
pub enum Look {
    /// Nothing that matters is different.
    Same,
    /// The connection is another one now: read it again.
    Changed,
    /// There is something else, and it takes an operator: what was known stays.
    Offered(Why),
    /// Somebody has looked within the last minute.
    Cooling,
    /// It has no address.
    NoAddress,
    /// What was known stays.
    Failed(Arc<MetadataReadError>),
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
        let document = self.fetch(url).await?;
        Ok(describe(&document, entity_id, signer, self.clock.now())?)
    }

    /// The identity provider of a connection as its address describes it now, and whether that counts without an
    /// operator.
    pub async fn read_again(
        &self,
        url: &Url,
        known: &SamlSettings,
    ) -> Result<(Described, Verdict), MetadataReadError> {
        let document = self.fetch(url).await?;
        let described = describe_again(&document, known, self.clock.now())?;
        let verdict = judge(known, &described)?;
        Ok((described, verdict))
    }

    async fn fetch(&self, url: &Url) -> Result<Vec<u8>, MetadataReadError> {
        let accept =
            http::HeaderValue::from_static("application/samlmetadata+xml, application/xml, text/xml");
        let request = Request::get(url.clone()).limit(LARGEST).header(http::header::ACCEPT, accept);
        let answer = self.http.send(request).await?;
        if answer.status != 200 {
            return Err(MetadataReadError::Status(answer.status));
        }
        Ok(answer.body)
    }

    /// Reads a connection's metadata again because somebody came whom it may concern: an answer was signed by a key that
    /// is not known, or what is known has run out. One look at a time for each connection, and one a minute.
    pub async fn look(&self, project: ProjectId, connection: ConnectionId) -> Result<Look, StoreError> {
        let look = self.looks_of(connection);
        let Ok(mut last) = look.try_lock() else {
            // Somebody is looking: what they see is ours as well.
            let last = look.lock().await;
            return Ok(last.as_ref().and_then(|looked| looked.came.clone()).unwrap_or(Look::Cooling));
        };
        let now = self.clock.now();
        if last.as_ref().is_some_and(|looked| now.since(looked.at) < COOLDOWN) {
            return Ok(Look::Cooling);
        }
        self.look_now(project, connection, Cause::Visitor, &mut last).await
    }

    /// Reads a connection's metadata again because its turn has come, however lately a visitor made us look.
    pub async fn take_turn(&self, project: ProjectId, connection: ConnectionId) -> Result<Look, StoreError> {
        let look = self.looks_of(connection);
        let mut last = look.lock().await;
        self.look_now(project, connection, Cause::Turn, &mut last).await
    }

    async fn look_now(
        &self,
        project: ProjectId,
        connection: ConnectionId,
        cause: Cause,
        last: &mut Option<Looked>,
    ) -> Result<Look, StoreError> {
        let found = connections::by_id(&mut &self.db, project, connection).await?;
        let Some((url, known)) = found.as_ref().and_then(address) else { return Ok(Look::NoAddress) };
        let now = self.clock.now();
        *last = Some(Looked { at: now, came: None });
        let read = self.read_again(url, known).await;
        let keep =
            Keep { project, connection, cause, known: known.clone(), random: self.random.clone(), now };
        let came = self.db.write(async move |tx| keep.run(tx, read).await).await?;
        *last = Some(Looked { at: now, came: Some(came.clone()) });
        Ok(came)
    }

    fn looks_of(&self, connection: ConnectionId) -> LastLook {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= MOST {
            looks.retain(|_, look| Arc::strong_count(look) > 1);
        }
        Arc::clone(looks.entry(connection).or_default())
    }
}

fn address(connection: &Connection) -> Option<(&Url, &SamlSettings)> {
    let saml = connection.saml()?.saml;
    Some((saml.metadata_address()?, saml))
}

/// Keeps what came of a look.
struct Keep {
    project: ProjectId,
    connection: ConnectionId,
    cause: Cause,
    /// What was known when it was asked for, and judged by.
    known: SamlSettings,
    random: Random,
    now: Moment,
}

impl Keep {
    async fn run(
        self,
        tx: &mut Tx<'_>,
        read: Result<(Described, Verdict), MetadataReadError>,
    ) -> Result<Look, StoreError> {
        let came = self.come(tx, read).await?;
        // Whoever comes may make us look, and write to nobody.
        if self.cause == Cause::Turn {
            self.warn(tx).await?;
        }
        Ok(came)
    }

    /// Tells owners, once, of an end that is near and that the document puts off no more.
    async fn warn(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let found = connections::by_id(tx, self.project, self.connection).await?;
        let Some(connection) = found.filter(Connection::is_active) else { return Ok(()) };
        let Some(until) = connection.saml().and_then(|saml| saml.saml.running_out(self.now)) else {
            return Ok(());
        };
        if !metadata_reads::tell(tx, connection.id, until).await? {
            return Ok(());
        }
        let event = self.event(&connection, "organization.connection.metadata_ending", Outcome::Refused);
        self.record(tx, event.with("valid_until", until.rfc3339())).await?;
        let Some(project) = projects::by_id(tx, self.project).await? else { return Ok(()) };
        let (random, now) = (self.random.clone(), self.now);
        let keep = audit::Keep { random, project, actor: Actor::House, by: None, request: None, now };
        tell_owners(tx, &keep, &connection, Kind::MetadataEnding).await
    }

    /// What comes of it.
    async fn come(
        &self,
        tx: &mut Tx<'_>,
        read: Result<(Described, Verdict), MetadataReadError>,
    ) -> Result<Look, StoreError> {
        tx.lock(RowLock::Exclusive, "connections", &self.connection.to_string()).await?;
        let found = connections::by_id(tx, self.project, self.connection).await?;
        let Some(before) = found else { return Ok(Look::NoAddress) };
        let Upstream::Saml(saml) = &before.settings.upstream else { return Ok(Look::NoAddress) };
        let Some(metadata) = &saml.metadata else { return Ok(Look::NoAddress) };
        // Another node, or the operator, was quicker.
        if (&saml.idp, Some(metadata)) != (&self.known.idp, self.known.metadata.as_ref()) {
            return Ok(Look::Changed);
        }
        let turn = metadata_reads::find(tx, self.connection).await?;
        match read {
            Ok((described, Verdict::Taken)) => {
                let next = self.next_read(turn.as_ref(), described.next_read_at);
                let offered = turn.and_then(|turn| turn.offered).filter(|_| described.idp == saml.idp);
                self.done(tx, next, offered).await?;
                self.update(tx, &before, saml, metadata, described).await
            }
            Ok((described, Verdict::Offered(why))) => {
                let offer = offer(&described.idp);
                let is_told = turn.as_ref().is_some_and(|turn| turn.offered.as_ref() == Some(&offer));
                let next = self.next_read(turn.as_ref(), described.next_read_at);
                self.done(tx, next, Some(offer)).await?;
                if !is_told {
                    self.tell(tx, &before, &saml.idp, &described.idp, why).await?;
                }
                // It says of everything that it lists what is known, so what it lists has not run out.
                if why == Why::Fewer {
                    let idp = saml.idp.clone();
                    let listed = Described { idp, digest: metadata.digest.clone(), ..described };
                    self.update(tx, &before, saml, metadata, listed).await?;
                }
                Ok(Look::Offered(why))
            }
            // It is no turn that has failed: the next one comes when it would have come.
            Err(error) if self.cause == Cause::Visitor && turn.is_some() => Ok(Look::Failed(Arc::new(error))),
            Err(error) => {
                if self.failed(tx, turn, metadata, &error).await? == 1 {
                    let event =
                        self.event(&before, "organization.connection.metadata_refused", Outcome::Refused);
                    self.record(tx, event.with("why", error.to_string())).await?;
                }
                Ok(Look::Failed(Arc::new(error)))
            }
        }
    }

    /// Says of an offer what it is, once.
    async fn tell(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        old: &IdentityProvider,
        new: &IdentityProvider,
        why: Why,
    ) -> Result<(), StoreError> {
        let event = self
            .event(connection, "organization.connection.metadata_offered", Outcome::Refused)
            .with("why", why.to_string());
        connections::set_review(tx, connection.id, Some(self.now)).await?;
        self.record(tx, compared(event, old, new)).await
    }

    /// When the next turn is: a visitor can only bring it forward.
    fn next_read(&self, turn: Option<&MetadataRead>, described: Moment) -> Moment {
        match (self.cause, turn) {
            (Cause::Visitor, Some(turn)) => turn.next_read_at.min(described),
            _ => described,
        }
    }

    async fn done(
        &self,
        tx: &mut Tx<'_>,
        next_read_at: Moment,
        offered: Option<String>,
    ) -> Result<(), StoreError> {
        let turn = MetadataRead {
            connection_id: self.connection,
            next_read_at,
            read_at: self.now,
            failures: 0,
            failure: None,
            offered,
        };
        metadata_reads::put(tx, &turn).await
    }

    /// How often it has failed in a row.
    async fn failed(
        &self,
        tx: &mut Tx<'_>,
        before: Option<MetadataRead>,
        known: &Metadata,
        error: &MetadataReadError,
    ) -> Result<i64, StoreError> {
        let (failures, read_at, offered) =
            before.map_or((0, known.read_at, None), |turn| (turn.failures, turn.read_at, turn.offered));
        let doubled = AFTER_FAILURE * (1 << failures.clamp(0, 10));
        let turn = MetadataRead {
            connection_id: self.connection,
            next_read_at: self.now.plus(doubled.min(AT_LATEST)),
            read_at,
            failures: failures + 1,
            failure: Some(error.to_string().chars().take(500).collect()),
            offered,
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
        known: &Metadata,
        described: Described,
    ) -> Result<Look, StoreError> {
        let (signed_until, valid_until) = validity(known, &described);
        let (described, missed) = description::patient(saml, known, described, self.now);
        let metadata = Metadata {
            digest: described.digest,
            dropped: described.dropped,
            missed,
            withdrawn: description::withdrawn(saml, &described.idp),
            signed_until,
            valid_until,
            ..known.clone()
        };
        let (old, new) = (&saml.idp, described.idp);
        let changed = *old != new;
        if !changed && metadata == *known {
            return Ok(Look::Same);
        }
        let mut after = before.clone();
        let metadata = Some(Metadata { read_at: self.now, ..metadata });
        let settings = SamlSettings { idp: new.clone(), metadata, ..saml.clone() };
        after.settings.upstream = Upstream::Saml(Box::new(settings));
        if has_moved(old, &new) {
            after.version = connection_versions::next(tx, before).await?;
        }
        after.updated_at = self.now;
        connections::update(tx, &after).await?;
        if !changed {
            return Ok(Look::Same);
        }
        // Taken, as it was signed; somebody should still see whether it is what they meant (S1-A7).
        connections::set_review(tx, after.id, Some(self.now)).await?;
        let event = self
            .event(&after, "organization.connection.metadata_changed", Outcome::Changed)
            .with("version", after.version);
        self.record(tx, compared(event, old, &new)).await?;
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

/// What is remembered of until when the newest signed document counts, and until when this one does: one that nobody
/// signed prolongs nothing that was signed, and ends nothing sooner. Whoever holds the address alone shuts nobody out.
fn validity(known: &Metadata, described: &Described) -> (Option<Moment>, Option<Moment>) {
    // Absent: for ever.
    let later = known.valid_until.zip(described.valid_until).map(|(known, own)| known.max(own));
    match known.signed_until {
        _ if described.signed => (described.valid_until, described.valid_until),
        None => (None, later),
        Some(until) => (Some(until), Some(later.map_or(until, |later| later.min(until)))),
    }
}

fn has_moved(old: &IdentityProvider, new: &IdentityProvider) -> bool {
    (&old.sso, &old.slo) != (&new.sso, &new.slo)
}

fn compared(event: AuditEvent, old: &IdentityProvider, new: &IdentityProvider) -> AuditEvent {
    let event = event
        .with("certificates_before", old.fingerprints())
        .with("certificates_after", new.fingerprints())
        .with("addresses_changed", has_moved(old, new));
    if !has_moved(old, new) {
        return event;
    }
    let addresses = |idp: &IdentityProvider| idp.addresses().map(str::to_owned).collect::<Vec<_>>();
    event.with("addresses_before", addresses(old)).with("addresses_after", addresses(new))
}

/// By what an offer is known again: whatever else changes in the document, it is the same.
fn offer(idp: &IdentityProvider) -> String {
    // A list of texts cannot fail to be written.
    Digest::of(&serde_json::to_vec(idp).unwrap_or_default()).text()
}
