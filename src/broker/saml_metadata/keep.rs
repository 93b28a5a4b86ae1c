//! What came of a look, as it is kept: one transaction.

use std::sync::Arc;
use std::time::Duration;

use super::judge::{Offer, Verdict};
use super::newer::{has_moved, newer};
use super::{Cause, Look, MetadataReadError};
use crate::audit;
use crate::broker::connection_ending;
use crate::broker::connection_swap::tell_owners;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, ProjectId};
use crate::foundation::random::Random;
use crate::foundation::secret::Digest;
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::connection::metadata::Described;
use crate::model::connection::{Connection, IdentityProvider, Metadata, SamlSettings, Upstream};
use crate::model::mail::Kind;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::metadata_reads::{self, MetadataRead};
use crate::store::durable::{connection_versions, connections, projects};

/// After a failure, doubled with each further one.
const AFTER_FAILURE: Duration = Duration::from_secs(300);
const AT_LATEST: Duration = Duration::from_secs(6 * 3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// So often in a row, and so long after it was read last, owners are told that a document does not come.
const LOST: (i64, Duration) = (10, DAY.saturating_mul(3));

/// Keeps what came of a look.
#[derive(Clone)]
pub(super) struct Keep {
    pub project: ProjectId,
    pub connection: ConnectionId,
    pub cause: Cause,
    /// What was known when it was asked for, and judged by.
    pub known: SamlSettings,
    pub random: Random,
    pub now: Moment,
}

impl Keep {
    pub async fn run(
        self,
        tx: &mut Tx<'_>,
        read: Result<(Described, Verdict), Arc<MetadataReadError>>,
    ) -> Result<Look, StoreError> {
        let came = self.come(tx, read).await?;
        // Whoever comes may make us look, and write to nobody.
        if self.cause == Cause::Turn {
            self.warn(tx).await?;
        }
        Ok(came)
    }

    /// Tells owners of an end that is near and that the document puts off no more, and of a document that does not come.
    async fn warn(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let found = connections::by_id(tx, self.project, self.connection).await?;
        let Some(connection) = found.filter(Connection::is_active) else { return Ok(()) };
        let Some(keep) = self.keep(tx).await? else { return Ok(()) };
        if let Some(ending) = connection.saml().and_then(|saml| saml.saml.metadata_ending()) {
            connection_ending::tell(tx, &keep, &connection, &[ending]).await?;
        }
        let turn = metadata_reads::find(tx, self.connection).await?;
        let is_lost = |turn: &MetadataRead| turn.failures >= LOST.0 && self.now.since(turn.read_at) >= LOST.1;
        match turn.filter(is_lost) {
            Some(turn) => connection_ending::tell_unreadable(tx, &keep, &connection, turn.read_at).await,
            None => Ok(()),
        }
    }

    async fn keep(&self, tx: &mut Tx<'_>) -> Result<Option<audit::Keep>, StoreError> {
        let project = projects::by_id(tx, self.project).await?;
        let (random, now) = (self.random.clone(), self.now);
        let (actor, by, request) = (Actor::House, None, None);
        Ok(project.map(|project| audit::Keep { random, project, actor, by, request, now }))
    }

    async fn tell_owners(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        kind: Kind,
    ) -> Result<(), StoreError> {
        match self.keep(tx).await? {
            Some(keep) => tell_owners(tx, &keep, connection, kind).await,
            None => Ok(()),
        }
    }

    /// What comes of it.
    async fn come(
        &self,
        tx: &mut Tx<'_>,
        read: Result<(Described, Verdict), Arc<MetadataReadError>>,
    ) -> Result<Look, StoreError> {
        tx.lock(Lock::Exclusive, "connections", &self.connection.to_string()).await?;
        let found = connections::by_id(tx, self.project, self.connection).await?;
        let Some(before) = found else { return Ok(Look::NoAddress) };
        let Upstream::Saml(saml) = &before.settings.upstream else { return Ok(Look::NoAddress) };
        let Some(metadata) = &saml.metadata else { return Ok(Look::NoAddress) };
        // Another node, or the operator, was quicker.
        let known = (&self.known.idp, self.known.metadata.as_ref(), &self.known.past);
        if (&saml.idp, Some(metadata), &saml.past) != known {
            return Ok(Look::Changed);
        }
        let turn = metadata_reads::find(tx, self.connection).await?;
        match read {
            Ok((described, verdict)) => {
                // Of what waits owners are told, and it is shown, at a turn.
                let is_news = |offer: &Offer| metadata.offer.as_deref() != Some(&*offer.to_string());
                let next = match &verdict.offer {
                    Some(offer) if self.cause == Cause::Visitor && is_news(offer) => self.now,
                    _ => described.next_read_at,
                };
                self.done(tx, self.next_read(turn.as_ref(), next)).await?;
                let offer = verdict.offer.clone();
                match &offer {
                    Some(offer) => self.tell(tx, &before, &described, offer).await?,
                    None => metadata_reads::end_offer(tx, self.connection).await?,
                }
                let came = self.update(tx, &before, saml, (described, verdict)).await?;
                Ok(match (came, offer) {
                    (Look::Same, Some(offer)) => Look::Offered(offer),
                    (came, _) => came,
                })
            }
            // It is no turn that has failed: the next one comes when it would have come.
            Err(error) if self.cause == Cause::Visitor && turn.is_some() => Ok(Look::Failed(error)),
            Err(error) => {
                if self.failed(tx, turn, metadata, &error).await? {
                    let event =
                        self.event(&before, "organization.connection.metadata_refused", Outcome::Refused);
                    self.record(tx, event.with("why", error.to_string())).await?;
                }
                Ok(Look::Failed(error))
            }
        }
    }

    /// Says of an offer what it is: in the trail when it comes, and by mail once a week for as long as it waits. Whoever comes
    /// may make us look, and write to nobody; and whoever holds the address makes no more mails by other offers.
    async fn tell(
        &self,
        tx: &mut Tx<'_>,
        connection: &Connection,
        described: &Described,
        offer: &Offer,
    ) -> Result<(), StoreError> {
        let Some(saml) = connection.saml().map(|connection| connection.saml) else { return Ok(()) };
        let digest = digest(described);
        let since = self.now.minus(DAY);
        if metadata_reads::tell_offer(tx, connection.id, &digest, (since, self.now)).await? {
            let event = self
                .event(connection, "organization.connection.metadata_offered", Outcome::Refused)
                .with("why", offer.to_string());
            connections::set_review(tx, connection.id, Some(self.now)).await?;
            self.record(tx, compared(event, &saml.idp, &described.idp)).await?;
        }
        if self.cause == Cause::Visitor || !connection.is_active() {
            return Ok(());
        }
        let since = (self.now.minus(DAY * 7), since);
        if metadata_reads::mail_offer(tx, connection.id, &digest, (since, self.now)).await? {
            self.tell_owners(tx, connection, Kind::MetadataOffered).await?;
        }
        Ok(())
    }

    /// When the next turn is: a visitor can only bring it forward.
    fn next_read(&self, turn: Option<&MetadataRead>, described: Moment) -> Moment {
        match (self.cause, turn) {
            (Cause::Visitor, Some(turn)) => turn.next_read_at.min(described),
            _ => described,
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

    /// Whether it is another failure than the time before.
    async fn failed(
        &self,
        tx: &mut Tx<'_>,
        before: Option<MetadataRead>,
        known: &Metadata,
        error: &MetadataReadError,
    ) -> Result<bool, StoreError> {
        let (failures, read_at, told) =
            before.map_or((0, known.read_at, None), |turn| (turn.failures, turn.read_at, turn.failure));
        let doubled = AFTER_FAILURE * (1 << failures.clamp(0, 10));
        let turn = MetadataRead {
            connection_id: self.connection,
            next_read_at: self.now.plus(doubled.min(AT_LATEST)),
            read_at,
            failures: failures + 1,
            failure: Some(error.to_string().chars().take(500).collect()),
        };
        metadata_reads::put(tx, &turn).await?;
        Ok(turn.failure != told)
    }

    /// New certificates break no login that is under way, so they are no new version (threats H04): an answer is
    /// verified by those that are there when it arrives. Another address is one.
    async fn update(
        &self,
        tx: &mut Tx<'_>,
        before: &Connection,
        saml: &SamlSettings,
        read: (Described, Verdict),
    ) -> Result<Look, StoreError> {
        // What nobody has signed writes nothing to a connection because somebody came: its turn does.
        let offer = match self.cause {
            Cause::Visitor => saml.metadata.as_ref().and_then(|metadata| metadata.offer.clone()),
            Cause::Turn => read.1.offer.as_ref().map(ToString::to_string),
        };
        let settings = newer(saml, read, offer, self.now);
        if settings == *saml {
            return Ok(Look::Same);
        }
        let (old, new) = (&saml.idp, settings.idp.clone());
        let changed = *old != new;
        let mut after = before.clone();
        after.settings.upstream = Upstream::Saml(Box::new(settings));
        if has_moved(old, &new) {
            after.version = connection_versions::renumber(tx, before).await?;
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
        if after.is_active() {
            self.tell_owners(tx, &after, Kind::MetadataChanged).await?;
        }
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
fn digest(described: &Described) -> String {
    // A list of texts cannot fail to be written.
    Digest::of(&serde_json::to_vec(&(&described.idp, &described.encryption)).unwrap_or_default()).text()
}
