//! The keys of SAML, parsed once and kept: ours towards identity providers, each project's or brought for one
//! connection, and the pinned ones of the providers. The store is asked again once a minute.
//!
//! Administrators of identity providers pin our certificates, so nothing here changes by itself: a successor is made
//! when the operator says so, is published at once, and begins at a moment that the operator names.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::brought::{self, Brought};
use super::connection_secret;
use super::keyring::{KeyError, Keyring};
use super::seal::Place;
use crate::foundation::clock::{Clock, Moment};
use crate::foundation::id::{ConnectionId, KeyId, ProjectId};
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;
use crate::model::connection::{IdentityProvider, OwnCertificates, SamlConnection, Unusable, UsableIdp};
use crate::model::saml_key::{Purpose, SamlKeyRecord};
use crate::protocol::saml::keys::{
    self as saml, Certificate, DecryptingKey, KeyKind, SigningKey, self_signed,
};
use crate::store::durable::engine::{Database, Lock, StoreError, Tx};
use crate::store::durable::saml_keys;

/// How long what was read from the store is believed.
const READ_AGAIN: Duration = Duration::from_secs(60);
/// How long a copy of our metadata may be kept by whoever asked for it.
pub const METADATA_KEPT: Duration = Duration::from_secs(60);
/// For how long a key is published at least before it begins: until every node has read it, and every copy of the
/// metadata without it has been given up.
const PUBLISHED_AHEAD: Duration = READ_AGAIN.saturating_add(METADATA_KEPT);
const DAY: Duration = Duration::from_secs(86_400);
/// How far the clocks of those who look at a key may lag behind ours.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3_600);
/// Certificates are pinned by hand in many places.
const VALID_FOR: Duration = Duration::from_secs(3_652 * 86_400);
/// How long a signing certificate is published after its last use: messages on their way are verified.
const PUBLISHED_AFTER: Duration = DAY;
/// How long a decryption key opens what comes after its successor has begun: not everybody reads our metadata.
const OPENS_AFTER: Duration = Duration::from_secs(30 * 86_400);
/// The most keys that open what comes: for one message no more are tried. With the present one and its successor there
/// is room for two that went before.
const MOST_OPENING: usize = 4;
/// Connections whose keys are kept parsed; when there are too many, all of them are forgotten.
const MOST: usize = 20_000;

const PURPOSES: [Purpose; 2] = [Purpose::Signing, Purpose::Decryption];

/// A key with its certificate.
#[derive(Debug)]
pub struct Certified<K> {
    pub key: K,
    pub certificate: Certificate,
}

type Kept<K> = (SamlKeyRecord, Arc<Certified<K>>);

/// One project's keys, as they were read.
#[derive(Debug)]
struct ProjectKeys {
    read_at: Moment,
    signing: Vec<Kept<SigningKey>>,
    decryption: Vec<Kept<DecryptingKey>>,
}

/// What we are towards one identity provider, now.
#[derive(Clone, Debug)]
pub struct SpKeys {
    /// Signs every message, with its certificate.
    pub signing: Arc<Certified<SigningKey>>,
    /// Published for verification: the one that signs, then the one that will, then one that did.
    pub published: Vec<Arc<Certified<SigningKey>>>,
    /// Open what comes, each of them: the present key, its successor, and predecessors for a while, newest first.
    pub decrypting: Vec<Arc<Certified<DecryptingKey>>>,
    /// What opens names: keys of the connection's own alone.
    pub naming: Vec<Arc<Certified<DecryptingKey>>>,
    /// Of these, those whose certificates are published.
    pub encrypt_to: Vec<Arc<Certified<DecryptingKey>>>,
}

/// When a successor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// In a second step.
    WhenTold,
    /// Not before every node and every copy of our metadata has it.
    At(Moment),
    Now,
}

/// What a rotation did for one purpose.
#[derive(Clone, Debug)]
pub struct Rotated {
    pub purpose: Purpose,
    pub id: KeyId,
    /// Whether the key was made now; otherwise it had been waiting.
    pub made: bool,
    pub begins_at: Option<Moment>,
}

#[derive(Clone)]
pub struct SamlKeyring(Arc<Inner>);

struct Inner {
    db: Database,
    keyring: Keyring,
    clock: Clock,
    random: Random,
    projects: RwLock<HashMap<ProjectId, Arc<ProjectKeys>>>,
    /// With the sealed secret that each was opened from, and the certificates.
    brought: RwLock<HashMap<ConnectionId, KnownBrought>>,
    idps: RwLock<HashMap<ConnectionId, KnownIdp>>,
}

type KnownBrought = (Vec<u8>, OwnCertificates, BroughtKeys);

/// With what it was made of: the provider, and until when its description counts.
type KnownIdp = (IdentityProvider, Option<Moment>, Arc<UsableIdp>);

#[derive(Clone, Debug, Default)]
struct BroughtKeys {
    signing: Option<Arc<Certified<SigningKey>>>,
    next_signing: Option<Arc<Certified<SigningKey>>>,
    decryption: Option<Arc<Certified<DecryptingKey>>>,
    next_decryption: Option<Arc<Certified<DecryptingKey>>>,
    previous_decryption: Option<Arc<Certified<DecryptingKey>>>,
}

impl SamlKeyring {
    pub fn new(db: Database, keyring: Keyring, clock: Clock, random: Random) -> Self {
        let (projects, brought, idps) = Default::default();
        Self(Arc::new(Inner { db, keyring, clock, random, projects, brought, idps }))
    }

    /// The identity provider of a connection with its pinned keys, or why nothing it says can be believed (threats
    /// C05).
    pub fn idp(&self, connection: SamlConnection<'_>) -> Result<Arc<UsableIdp>, Unusable> {
        let valid_until = connection.saml.described_until();
        let known = || {
            let idps = self.0.idps.read().unwrap_or_else(PoisonError::into_inner);
            let (idp, until, usable) = idps.get(&connection.id)?;
            (*idp == connection.saml.idp && *until == valid_until).then(|| Arc::clone(usable))
        };
        let usable = match known() {
            Some(usable) => usable,
            None => {
                let usable = Arc::new(connection.saml.usable()?);
                let entry = (connection.saml.idp.clone(), valid_until, Arc::clone(&usable));
                keep(&self.0.idps, connection.id, entry);
                usable
            }
        };
        if usable.is_valid_at(self.0.clock.now()) { Ok(usable) } else { Err(Unusable::Outdated) }
    }

    /// Our keys towards the identity provider of a connection: those that were brought for it, and the project's.
    pub async fn of_connection(&self, connection: SamlConnection<'_>) -> Result<SpKeys, KeyError> {
        let mut keys = self.of_project(connection.project_id).await?;
        let brought = self.brought(connection)?;
        let own = [&brought.decryption, &brought.next_decryption, &brought.previous_decryption];
        keys.naming = own.into_iter().flatten().cloned().collect();
        if let Some(signing) = brought.signing {
            keys.published = vec![Arc::clone(&signing)];
            keys.signing = signing;
        }
        if let Some(decryption) = brought.decryption {
            keys.encrypt_to = vec![Arc::clone(&decryption)];
            // Whoever has not read our metadata since still encrypts to the project's.
            keys.decrypting.insert(0, decryption);
        }
        keys.published.extend(brought.next_signing);
        // What was named for this connection comes before what the project had before.
        let before = keys.encrypt_to.len();
        keys.encrypt_to.extend(brought.next_decryption.clone());
        let named = brought.next_decryption.into_iter().chain(brought.previous_decryption);
        keys.decrypting.splice(before..before, named);
        keys.decrypting.truncate(MOST_OPENING);
        Ok(keys)
    }

    /// A project's own keys, made if it has none.
    pub async fn of_project(&self, project: ProjectId) -> Result<SpKeys, KeyError> {
        let now = self.0.clock.now();
        let kept = self.0.projects.read().unwrap_or_else(PoisonError::into_inner).get(&project).cloned();
        let keys = match kept {
            Some(keys) if now.since(keys.read_at) < READ_AGAIN && keys.read_at <= now => keys,
            before => self.read_again(project, before, now).await?,
        };
        // Not then: keys that were made meanwhile have begun since.
        keys.at(self.0.clock.now())
    }

    async fn read_again(
        &self,
        project: ProjectId,
        before: Option<Arc<ProjectKeys>>,
        now: Moment,
    ) -> Result<Arc<ProjectKeys>, KeyError> {
        let mut records = saml_keys::kept(&mut &self.0.db, project, now).await?;
        for purpose in PURPOSES {
            if !records.iter().any(|key| key.purpose == purpose && key.is_current(now)) {
                self.make_first(project, purpose).await?;
                records = saml_keys::kept(&mut &self.0.db, project, now).await?;
            }
        }
        let mut keys = ProjectKeys { read_at: now, signing: Vec::new(), decryption: Vec::new() };
        for record in records {
            // A key that is parsed already is not parsed again.
            match record.purpose {
                Purpose::Signing => {
                    let known = before.as_ref().and_then(|before| known(&before.signing, record.id));
                    let key = known.map_or_else(|| self.open(&record, SigningKey::from_pkcs8), Ok)?;
                    keys.signing.push((record, key));
                }
                Purpose::Decryption => {
                    let known = before.as_ref().and_then(|before| known(&before.decryption, record.id));
                    let key = known.map_or_else(|| self.open(&record, DecryptingKey::from_pkcs8), Ok)?;
                    keys.decryption.push((record, key));
                }
            }
        }
        let keys = Arc::new(keys);
        keep(&self.0.projects, project, Arc::clone(&keys));
        Ok(keys)
    }

    fn open<K>(
        &self,
        record: &SamlKeyRecord,
        read: impl Fn(&[u8]) -> Result<K, saml::KeyError>,
    ) -> Result<Arc<Certified<K>>, KeyError> {
        let der = self.0.keyring.master().open(place(&record.id.to_string()), &record.private_key)?;
        let certificate = Certificate::from_der(&record.certificate)?;
        Ok(Arc::new(Certified { key: read(&der)?, certificate }))
    }

    fn brought(&self, connection: SamlConnection<'_>) -> Result<BroughtKeys, KeyError> {
        let Some(sealed) = &connection.secret else { return Ok(BroughtKeys::default()) };
        let known = || {
            let brought = self.0.brought.read().unwrap_or_else(PoisonError::into_inner);
            let (from, certificates, keys) = brought.get(&connection.id)?;
            (from == sealed && *certificates == connection.saml.own).then(|| keys.clone())
        };
        if let Some(keys) = known() {
            return Ok(keys);
        }
        let secret = connection_secret::open(&self.0.keyring, connection.id, sealed)?;
        let brought = Brought::parse(&secret).ok_or(KeyError::Unreadable)?;
        let own = &connection.saml.own;
        let signing = |key: &Option<Secret>, own: &Option<String>| {
            certified(key.as_ref(), brought::signing_key, own.as_deref())
        };
        let decrypting = |key: &Option<Secret>, own: &Option<String>| {
            certified(key.as_ref(), brought::decrypting_key, own.as_deref())
        };
        let keys = BroughtKeys {
            signing: signing(&brought.signing, &own.signing)?,
            next_signing: signing(&brought.next_signing, &own.next_signing)?,
            decryption: decrypting(&brought.decryption, &own.decryption)?,
            next_decryption: decrypting(&brought.next_decryption, &own.next_decryption)?,
            previous_decryption: decrypting(&brought.previous_decryption, &own.previous_decryption)?,
        };
        keep(&self.0.brought, connection.id, (sealed.clone(), own.clone(), keys.clone()));
        Ok(keys)
    }

    async fn make_first(&self, project: ProjectId, purpose: Purpose) -> Result<(), KeyError> {
        let now = self.0.clock.now();
        let latest = saml_keys::latest_generation(&mut &self.0.db, project, purpose).await?;
        // As its certificate: time passes while it is made, and the clocks of other nodes differ.
        let record = self.make(project, purpose, latest + 1, Some(now.minus(CLOCKS_DIFFER)))?;
        match self.0.db.write(async move |tx| saml_keys::insert(tx, &record).await).await {
            // Another node was quicker.
            Ok(()) | Err(StoreError::Unique { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn make(
        &self,
        project: ProjectId,
        purpose: Purpose,
        generation: i64,
        begins_at: Option<Moment>,
    ) -> Result<SamlKeyRecord, KeyError> {
        let now = self.0.clock.now();
        let id = KeyId::new(&self.0.random, now);
        let (from, until) = (now.minus(CLOCKS_DIFFER), now.plus(VALID_FOR));
        let (name, serial) = (format!("Behalf {project}"), self.0.random.bytes::<16>());
        // RSA: not every identity provider verifies anything else, and none encrypts to anything else.
        let (certificate, der) = match purpose {
            Purpose::Signing => {
                let key = SigningKey::generate(KeyKind::Rsa2048)?;
                (self_signed(&key, &name, from, until, &serial)?, key.to_pkcs8()?)
            }
            Purpose::Decryption => {
                let key = DecryptingKey::generate(KeyKind::Rsa2048)?;
                (self_signed(&key, &name, from, until, &serial)?, key.to_pkcs8()?)
            }
        };
        let private_key = self.0.keyring.master().seal(&self.0.random, place(&id.to_string()), &der);
        Ok(SamlKeyRecord {
            id,
            project_id: project,
            purpose,
            generation,
            certificate: certificate.der().to_vec(),
            private_key,
            created_at: now,
            begins_at,
            ends_at: None,
            kept_until: None,
        })
    }

    /// Makes and publishes a successor of each key, unless one is waiting already; and says when it begins, if that
    /// is to be said now.
    pub async fn rotate(&self, project: ProjectId, begin: Begin) -> Result<Vec<Rotated>, KeyError> {
        // There must be something to follow.
        self.of_project(project).await?;
        let now = self.0.clock.now();
        let soon = now.plus(PUBLISHED_AHEAD);
        let begins_at = match begin {
            Begin::WhenTold => None,
            Begin::At(moment) => Some(moment.max(soon)),
            Begin::Now => Some(soon),
        };
        let mut rotated = Vec::new();
        for purpose in PURPOSES {
            let latest = saml_keys::latest_generation(&mut &self.0.db, project, purpose).await?;
            let spare = self.make(project, purpose, latest + 1, begins_at)?;
            let work = async move |tx: &mut Tx<'_>| succeed(tx, spare, begins_at, now).await;
            rotated.push(self.0.db.write(work).await?);
        }
        self.0.projects.write().unwrap_or_else(PoisonError::into_inner).remove(&project);
        Ok(rotated)
    }
}

/// Takes the key that waits, or else the spare one, as the successor of all before it.
async fn succeed(
    tx: &mut Tx<'_>,
    spare: SamlKeyRecord,
    begins_at: Option<Moment>,
    now: Moment,
) -> Result<Rotated, StoreError> {
    tx.lock(Lock::Exclusive, "projects", &spare.project_id.to_string()).await?;
    let mut before = saml_keys::kept(tx, spare.project_id, now).await?;
    before.retain(|key| key.purpose == spare.purpose);
    let waiting = before.pop_if(|key| key.is_next(now));
    let made = waiting.is_none();
    let next = match waiting {
        Some(waiting) => waiting,
        None => {
            saml_keys::insert(tx, &spare).await?;
            spare
        }
    };
    let Some(begins_at) = begins_at else {
        return Ok(Rotated { purpose: next.purpose, id: next.id, made, begins_at: next.begins_at });
    };
    saml_keys::begin(tx, next.id, begins_at).await?;
    let (keep, most) = match next.purpose {
        Purpose::Signing => (PUBLISHED_AFTER, usize::MAX),
        Purpose::Decryption => (OPENS_AFTER, MOST_OPENING - 2),
    };
    // Newest first: of more than can be tried, the oldest are given up when the successor begins.
    for (place, old) in before.iter().rev().enumerate() {
        let ends_at = old.ends_at.filter(|at| *at <= now);
        let kept_until = match ends_at {
            None => begins_at.plus(keep),
            Some(_) if place < most => continue,
            Some(_) => old.kept_until.map_or(begins_at, |until| until.min(begins_at)),
        };
        saml_keys::retire(tx, old.id, ends_at.unwrap_or(begins_at), kept_until).await?;
    }
    Ok(Rotated { purpose: next.purpose, id: next.id, made, begins_at: Some(begins_at) })
}

impl ProjectKeys {
    fn at(&self, now: Moment) -> Result<SpKeys, KeyError> {
        let published = in_order(&self.signing, now, true);
        let signing = current(&self.signing, now).ok_or(KeyError::Missing("SAML signing"))?;
        let mut decrypting = in_order(&self.decryption, now, true);
        decrypting.truncate(MOST_OPENING);
        let encrypt_to = in_order(&self.decryption, now, false);
        Ok(SpKeys { signing, published, decrypting, naming: Vec::new(), encrypt_to })
    }
}

fn current<K>(keys: &[Kept<K>], now: Moment) -> Option<Arc<Certified<K>>> {
    keys.iter().rfind(|(record, _)| record.is_current(now)).map(|(_, key)| Arc::clone(key))
}

/// The present key, its successor, and, if they are wanted, its predecessors, newest first.
fn in_order<K>(keys: &[Kept<K>], now: Moment, with_past: bool) -> Vec<Arc<Certified<K>>> {
    let rank = |record: &SamlKeyRecord| match record {
        record if record.is_current(now) => Some(0),
        record if record.is_next(now) => Some(1),
        record if with_past && record.is_kept(now) => Some(2),
        _ => None,
    };
    let place = |record: &SamlKeyRecord| Some((rank(record)?, Reverse(record.generation)));
    let mut ranked: Vec<_> =
        keys.iter().filter_map(|(record, key)| Some((place(record)?, Arc::clone(key)))).collect();
    ranked.sort_by_key(|(place, _)| *place);
    ranked.into_iter().map(|(_, key)| key).collect()
}

fn known<K>(keys: &[Kept<K>], id: KeyId) -> Option<Arc<Certified<K>>> {
    keys.iter().find(|(record, _)| record.id == id).map(|(_, key)| Arc::clone(key))
}

/// A brought key with its certificate: both or neither.
fn certified<K>(
    key: Option<&Secret>,
    read: impl Fn(&Secret) -> Option<K>,
    certificate: Option<&str>,
) -> Result<Option<Arc<Certified<K>>>, KeyError> {
    match (key, certificate) {
        (None, None) => Ok(None),
        (Some(key), Some(certificate)) => {
            let key = read(key).ok_or(KeyError::Unreadable)?;
            Ok(Some(Arc::new(Certified { key, certificate: Certificate::from_base64(certificate)? })))
        }
        _ => Err(KeyError::Unreadable),
    }
}

fn keep<Id: std::hash::Hash + Eq, V>(map: &RwLock<HashMap<Id, V>>, id: Id, value: V) {
    let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
    if map.len() >= MOST {
        map.clear();
    }
    map.insert(id, value);
}

fn place(row: &str) -> Place<'_> {
    Place { table: "saml_keys", row, column: "private_key" }
}
