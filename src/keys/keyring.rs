//! The signing keys of every project: made, published ahead of use, rotated on a calendar, retired after the
//! longest token. Parsed once and kept; the store is asked again once a minute.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::seal::{MasterKey, Place, SealError};
use crate::foundation::clock::{Clock, Moment};
use crate::foundation::id::{KeyId, ProjectId};
use crate::foundation::random::Random;
use crate::model::signing_key::KeyRecord;
use crate::protocol::jose::{Algorithm, JwkSet, SignError, SigningKey, VerifyingKey};
use crate::store::durable::engine::{Database, StoreError};
use crate::store::durable::signing_keys;

/// The algorithms that tokens can be signed with; every project has keys of each.
pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// How long what was read from the store is believed. Well below the shortest time for which a key is
/// published before it signs, so that every node knows a key before any node uses it.
const READ_AGAIN: Duration = Duration::from_secs(60);

/// No token outlives it: the longest lifetime that can be configured.
const LONGEST_TOKEN: Duration = Duration::from_secs(3600);

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("what is sealed in the database cannot be opened: {0}")]
    Sealed(#[from] SealError),
    #[error("a signing key cannot be used: {0}")]
    Unusable(#[from] SignError),
    #[error("a SAML key cannot be used: {0}")]
    Saml(#[from] crate::protocol::saml::keys::KeyError),
    #[error("the keys that were brought for a connection cannot be read")]
    Unreadable,
    #[error("a signing key cannot be published")]
    Unpublishable,
    #[error("a pairwise name cannot be made")]
    Pairwise,
    #[error("the project has no {0} key that may sign now")]
    Missing(&'static str),
}

/// One project's keys, as they were read.
#[derive(Debug)]
pub struct ProjectKeys {
    read_at: Moment,
    keys: Vec<(KeyRecord, Arc<SigningKey>)>,
    public: JwkSet,
}

impl ProjectKeys {
    /// The key that signs now; where none does, the one that is about to: it was made a moment ago, by a node whose clock is
    /// ahead of ours.
    pub fn signing(&self, algorithm: Algorithm, now: Moment) -> Result<&Arc<SigningKey>, KeyError> {
        let signs_at = |moment: Moment| {
            let mut keys = self.keys.iter();
            keys.rfind(|(record, _)| record.algorithm == algorithm && record.signs_at(moment))
        };
        let found = signs_at(now).or_else(|| signs_at(now.plus(READ_AGAIN)));
        found.map(|(_, key)| key).ok_or(KeyError::Missing(algorithm.name()))
    }

    /// What is published: the keys that sign, those that will, and those that did.
    pub fn public(&self) -> &JwkSet {
        &self.public
    }
}

/// When keys are made and retired.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    pub lifetime: Duration,
    pub publish_ahead: Duration,
}

#[derive(Clone)]
pub struct Keyring(Arc<Inner>);

struct Inner {
    db: Database,
    master: MasterKey,
    clock: Clock,
    random: Random,
    calendar: Calendar,
    read: RwLock<HashMap<ProjectId, Arc<ProjectKeys>>>,
}

impl Keyring {
    pub fn new(db: Database, master: MasterKey, clock: Clock, random: Random, calendar: Calendar) -> Self {
        Self(Arc::new(Inner { db, master, clock, random, calendar, read: RwLock::default() }))
    }

    pub fn master(&self) -> &MasterKey {
        &self.0.master
    }

    /// The project's keys, made if it has none.
    pub async fn of(&self, project: ProjectId) -> Result<Arc<ProjectKeys>, KeyError> {
        let now = self.0.clock.now();
        let kept = self.0.read.read().unwrap_or_else(PoisonError::into_inner).get(&project).cloned();
        match kept {
            Some(keys) if now.since(keys.read_at) < READ_AGAIN && keys.read_at <= now => Ok(keys),
            before => self.read_again(project, before, now).await,
        }
    }

    /// The public key of this name, if the project has it or ever had it: for what we signed long ago. Nothing that lets
    /// anybody in is verified with it.
    pub async fn ever_published(&self, project: ProjectId, id: KeyId) -> Result<JwkSet, KeyError> {
        let jwk = signing_keys::public_jwk(&mut &self.0.db, project, id).await?;
        let keys = format!("{{\"keys\":[{}]}}", jwk.unwrap_or_default());
        JwkSet::parse(keys.as_bytes()).map_err(|_| KeyError::Unpublishable)
    }

    async fn read_again(
        &self,
        project: ProjectId,
        before: Option<Arc<ProjectKeys>>,
        now: Moment,
    ) -> Result<Arc<ProjectKeys>, KeyError> {
        let mut records = signing_keys::published(&mut &self.0.db, project, now).await?;
        if ALGORITHMS.iter().any(|algorithm| !records.iter().any(|record| record.algorithm == *algorithm)) {
            self.keep_calendar(project).await?;
            records = signing_keys::published(&mut &self.0.db, project, now).await?;
        }
        let mut keys = Vec::with_capacity(records.len());
        for record in records {
            // A key that is parsed already is not parsed again.
            let known = before.iter().flat_map(|b| &b.keys).find(|(old, _)| old.id == record.id);
            let key = match known {
                Some((_, key)) => Arc::clone(key),
                None => Arc::new(self.open(&record)?),
            };
            keys.push((record, key));
        }
        let published = keys.iter().map(|(_, key)| VerifyingKey::from_signing_key(key));
        let public = JwkSet::new(published.collect::<Result<_, _>>().map_err(|_| KeyError::Unpublishable)?);
        let keys = Arc::new(ProjectKeys { read_at: now, keys, public });
        self.0.read.write().unwrap_or_else(PoisonError::into_inner).insert(project, Arc::clone(&keys));
        Ok(keys)
    }

    fn open(&self, record: &KeyRecord) -> Result<SigningKey, KeyError> {
        let row = record.id.to_string();
        let der = self.0.master.open(place(&row), &record.private_key)?;
        Ok(SigningKey::from_pkcs8(record.algorithm, row, &der)?)
    }

    /// Makes what the calendar wants: a key of each algorithm that signs, and a successor in time before the present
    /// one retires. Safe to be done by several nodes at once.
    pub async fn keep_calendar(&self, project: ProjectId) -> Result<usize, KeyError> {
        let now = self.0.clock.now();
        let mut made = 0;
        for algorithm in ALGORITHMS {
            let (latest, before) = self.published(project, algorithm, now).await?;
            let due = match before.last().filter(|_| one_signs(&before, now)) {
                None => Some(now),
                Some(key) => {
                    let retires = key.signs_from.plus(self.0.calendar.lifetime);
                    let publish = retires.minus(self.0.calendar.publish_ahead);
                    (publish <= now).then(|| retires.max(now.plus(self.0.calendar.publish_ahead)))
                }
            };
            if let Some(signs_from) = due {
                let successor = self.successor(project, algorithm, (latest, before), signs_from).await?;
                made += usize::from(self.write(vec![successor]).await?);
            }
        }
        Ok(made)
    }

    /// Publishes a successor of every key (or of one algorithm's), to sign after the time of publishing ahead,
    /// or, for `at_once`, as soon as every node has read it: after two minutes. Where no key signs there is nothing to
    /// wait for: the new one signs from now on. Returns what was made, all of it or nothing, and from when each signs;
    /// nothing is made where other nodes were quicker each time.
    pub async fn rotate(
        &self,
        project: ProjectId,
        only: Option<Algorithm>,
        at_once: bool,
    ) -> Result<Vec<(Algorithm, Moment)>, KeyError> {
        let now = self.0.clock.now();
        let ahead = if at_once { READ_AGAIN * 2 } else { self.0.calendar.publish_ahead };
        let mut made = Vec::new();
        // The calendar may be kept in this very moment: what was asked for is done after it.
        for _ in 0..5 {
            let mut successors = Vec::new();
            for algorithm in ALGORITHMS.into_iter().filter(|one| only.is_none_or(|only| only == *one)) {
                let (latest, before) = self.published(project, algorithm, now).await?;
                let signs_from = if one_signs(&before, now) { now.plus(ahead) } else { now };
                successors.push(self.successor(project, algorithm, (latest, before), signs_from).await?);
            }
            let begins: Vec<_> =
                successors.iter().map(|one| (one.record.algorithm, one.record.signs_from)).collect();
            if self.write(successors).await? {
                made = begins;
                break;
            }
        }
        self.0.read.write().unwrap_or_else(PoisonError::into_inner).remove(&project);
        Ok(made)
    }

    /// The highest generation ever made, and the keys that are published. The generation is read first: a key that another
    /// node makes meanwhile is then among the keys, or has taken the generation that would follow.
    async fn published(
        &self,
        project: ProjectId,
        algorithm: Algorithm,
        now: Moment,
    ) -> Result<(i64, Vec<KeyRecord>), StoreError> {
        let latest = signing_keys::latest_generation(&mut &self.0.db, project, algorithm.name()).await?;
        let mut records = signing_keys::published(&mut &self.0.db, project, now).await?;
        records.retain(|record| record.algorithm == algorithm);
        Ok((latest, records))
    }

    /// The key that follows those before, all of which retire when it begins. Nothing is written yet.
    async fn successor(
        &self,
        project: ProjectId,
        algorithm: Algorithm,
        (latest, before): (i64, Vec<KeyRecord>),
        signs_from: Moment,
    ) -> Result<Successor, KeyError> {
        let now = self.0.clock.now();
        let generation = before.last().map_or(latest, |key| key.generation) + 1;
        let id = KeyId::new(&self.0.random, now);
        let row = id.to_string();
        let key = SigningKey::generate(algorithm, row.clone())?;
        let private_key = self.0.master.seal(&self.0.random, place(&row), &key.to_pkcs8()?);
        let public_jwk = serde_json::to_string(key.public_jwk()).map_err(|_| KeyError::Unpublishable)?;
        let record = KeyRecord {
            id,
            project_id: project,
            algorithm,
            generation,
            public_jwk,
            private_key,
            created_at: now,
            signs_from,
            signs_until: None,
            published_until: None,
        };
        Ok(Successor { record, before })
    }

    /// Writes them all, or none. False: another node was quicker.
    async fn write(&self, successors: Vec<Successor>) -> Result<bool, KeyError> {
        let written = self.0.db.write(async move |tx| {
            for Successor { record, before } in &successors {
                signing_keys::insert(tx, record).await?;
                let from = record.signs_from;
                let published_until = from.plus(LONGEST_TOKEN).plus(READ_AGAIN);
                for old in before.iter().filter(|old| old.signs_until.is_none_or(|until| until > from)) {
                    signing_keys::retire(tx, old.id, from, published_until).await?;
                }
            }
            Ok(())
        });
        match written.await {
            Ok(()) => Ok(true),
            Err(StoreError::Unique { .. } | StoreError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// A key that is made and not yet written, and those that it follows.
struct Successor {
    record: KeyRecord,
    before: Vec<KeyRecord>,
}

/// Whether one of them signs now, or is about to: a node whose clock is behind must not take the other's first key for
/// one that waits.
fn one_signs(keys: &[KeyRecord], now: Moment) -> bool {
    keys.iter().any(|key| !key.never_signs() && (key.signs_at(now) || key.signs_at(now.plus(READ_AGAIN))))
}

fn place(row: &str) -> Place<'_> {
    Place { table: "signing_keys", row, column: "private_key" }
}
