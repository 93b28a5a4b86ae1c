//! Seals the audit trail: links events into the chain of their organization, and signs what a chain has come to once a
//! day (threats M08).
//!
//! Behind the events, not with them: inside of their transactions the head of a chain would be one row that every login
//! of an organization waits for. What a superuser of the database deletes before it is sealed leaves no gap.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::audit;
use crate::broker::Broker;
use crate::foundation::clock::Moment;
use crate::foundation::id::ProjectId;
use crate::foundation::random::Random;
use crate::keys::keyring::KeyError;
use crate::model::audit_chain::{CHECKPOINT_ALGORITHM, Chain, Checkpoint, Head, LATEST};
use crate::model::audit_event::{Actor, AuditEvent, Outcome, Recorded};
use crate::model::project::Project;
use crate::store::durable::audit_chains::{self, SealedTo};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::projects;

/// So long a transaction may take, and the clocks of two nodes differ: what comes later is found by [`look_over`].
const SETTLED: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// Events, or checkpoints, of one transaction.
const BATCH: i64 = 500;

/// Links what has settled.
pub async fn seal(broker: &Broker) -> Result<(), StoreError> {
    let before = broker.now().minus(SETTLED);
    for project in projects::all(&mut &broker.db).await? {
        let id = project.id;
        while broker.db.write(async move |tx| sealed(tx, id, before).await).await? == BATCH {}
    }
    Ok(())
}

async fn sealed(tx: &mut Tx<'_>, project: ProjectId, before: Moment) -> Result<i64, StoreError> {
    let after = audit_chains::go_on(tx, project).await?;
    let events = audit_chains::unsealed(tx, project, &after, before, BATCH).await?;
    let Some(last) = events.last() else { return Ok(0) };
    audit_chains::set_sealed_to(tx, project, &SealedTo { at: last.at, id: last.id.to_string() }).await?;
    link(tx, &events).await?;
    Ok(events.len().try_into().unwrap_or(BATCH))
}

async fn link(tx: &mut Tx<'_>, events: &[Recorded]) -> Result<(), StoreError> {
    let mut heads: BTreeMap<Chain, Head> = BTreeMap::new();
    for event in events {
        let chain = Chain { project: event.project_id, organization: event.organization_id };
        let head = match heads.get(&chain) {
            Some(head) => *head,
            None => audit_chains::head(tx, chain).await?,
        };
        let head = head.after(&event.json());
        audit_chains::link(tx, chain, head, event.id).await?;
        heads.insert(chain, head);
    }
    for (chain, head) in heads {
        audit_chains::set_head(tx, chain, head).await?;
    }
    Ok(())
}

/// Links what came too late for [`seal`], and says so; then signs what has grown since yesterday.
pub async fn look_over(broker: &Broker) -> Result<(), KeyError> {
    let now = broker.now();
    for project in projects::all(&mut &broker.db).await? {
        let random = broker.random.clone();
        let of = project.clone();
        broker.db.write(async move |tx| late(tx, &of, &random, now).await).await?;
        while sign(broker, &project, now).await? == BATCH {}
    }
    Ok(())
}

async fn late(tx: &mut Tx<'_>, project: &Project, random: &Random, now: Moment) -> Result<(), StoreError> {
    let to = audit_chains::go_on(tx, project.id).await?;
    let since = to.at.minus(LATEST);
    let events = audit_chains::left_out(tx, project.id, since, &to, BATCH).await?;
    link(tx, &events).await?;
    for event in events {
        let told = AuditEvent::new(project.id, "audit.sealed_late", Outcome::Changed)
            .organization(event.organization_id)
            .actor(Actor::House)
            .subject(event.id);
        audit::record(tx, random, now, &told).await?;
    }
    Ok(())
}

async fn sign(broker: &Broker, project: &Project, now: Moment) -> Result<i64, KeyError> {
    let grown = audit_chains::unsigned(&mut &broker.db, project.id, now.minus(DAY), BATCH).await?;
    let many = grown.len().try_into().unwrap_or(BATCH);
    if grown.is_empty() {
        return Ok(0);
    }
    let keys = broker.keyring.of(project.id).await?;
    let key = keys.signing(CHECKPOINT_ALGORITHM, now)?;
    let mut signed = Vec::with_capacity(grown.len());
    for (chain, head) in grown {
        let checkpoint = Checkpoint::of(broker.issuer(project), chain, head, now);
        let jws = checkpoint.sign(key)?;
        signed.push((chain, checkpoint, jws));
        // Others of this thread have their turn between two signatures.
        tokio::task::yield_now().await;
    }
    broker
        .db
        .write(async move |tx| {
            for (chain, checkpoint, jws) in &signed {
                audit_chains::sign(tx, *chain, checkpoint, jws, now).await?;
            }
            Ok::<_, StoreError>(())
        })
        .await?;
    Ok(many)
}
