//! The metadata of SAML identity providers at an address: read within limits, and read again without being turned against
//! us (threats M15, H17, H18). What is believed of it over time, with nobody there to ask:
//!
//! 1. **Whose word counts.** Whoever comes to hold the address can say there what they like. A document counts if the pinned
//!    signer signed it or, where none is pinned, a key that the connection trusts already. Any other adds and removes nothing.
//! 2. **An old copy is signed as well as a new one**, so what counts is in order. Keys are, by when their certificates begin:
//!    a document that lists the youngest that are known, or a younger one, is no older than they are. Of such a one, keys that
//!    are younger than all that are known count, and those that it does not list are withdrawn: a rollover needs nobody.
//!    Addresses, and the key that names are encrypted to, have no order but the document's end: they count if it also ends
//!    later than all whose addresses counted before, and all that somebody had read.
//! 3. **What does not count waits for somebody**, each thing for itself: it is an offer, told to the owners, in the view and by
//!    `check`, until somebody has the provider read or typed anew. Until then what was known stays trusted, and people are sent
//!    where they were.
//! 4. **What never comes back unasked** is a key that was withdrawn, by a document or by whoever said anew who the provider
//!    is, wherever they had read it. That, and the latest end, is remembered with the connection (`Past`). By asking it may
//!    come back: the provider is read or typed anew, or a version from before somebody said so is taken back; and what a
//!    *document* has withdrawn not even by that one.
//! 5. **A certificate is the case of a key** (SAML Metadata Interoperability, section 2.3): one that is renewed for a key
//!    that is known is nothing new, and is taken where it is signed and begins no sooner: a key never grows older. Its own end
//!    takes nothing away: the key counts for as long as it is listed. It is told of. Anybody can make one for a key that
//!    everybody knows, so by the address alone none changes. A certificate of a new key that has expired is not taken.
//! 6. **`validUntil`** is a promise to say more by then. Each document that is no older prolongs it, only one that ends
//!    later than all may end it sooner, and one that nobody signed prolongs what nobody signed. None promises more than
//!    [`FURTHEST`]. When it is over nobody gets in, and owners are told before.
//! 7. **Copies of a reading** in drafts and former versions are nobody's word: see `Version::in_place_of`. Repeating the
//!    address is no word either; who wants what stands there now believed asks for that, and sees the difference.
//!
//! The tests of [`judge`] have 1 to 4 in one table.

mod judge;
mod keep;
mod newer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use url::Url;

pub use judge::{Fate, Offer, Verdict, Word};

use self::judge::judge;
use self::keep::Keep;
use crate::egress::http::{EgressError, Http, Request};
use crate::foundation::clock::{Clock, Moment};
use crate::foundation::id::{ConnectionId, ProjectId};
use crate::foundation::random::Random;
use crate::model::connection::metadata::{Described, DescriptionError, LARGEST, describe, describe_again};
use crate::model::connection::{Connection, SamlSettings};
use crate::store::durable::connections;
use crate::store::durable::engine::{Database, StoreError, Tx};

/// Between two looks for one connection, whatever came of the first.
const COOLDOWN: Duration = Duration::from_secs(60);
/// Connections whose last look is remembered.
const MOST: usize = 20_000;
/// No document is believed for longer from when it was read.
const FURTHEST: Duration = Duration::from_secs(400 * 86_400);
/// Who waits for somebody else's look, with a message in hand: of one connection, and in all.
const MOST_WAITING_FOR_ONE: usize = 8;
const MOST_WAITING: usize = 64;

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
    waiting: Arc<Semaphore>,
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
    /// There is something else, which waits for somebody: what was known stays.
    Offered(Offer),
    /// Somebody has looked within the last minute.
    Cooling,
    /// It has no address.
    NoAddress,
    /// What was known stays.
    Failed(Arc<MetadataReadError>),
}

/// What a look has seen, before anything is kept of it.
#[derive(Clone)]
pub struct Sight {
    keep: Keep,
    read: Result<(Described, Verdict), Arc<MetadataReadError>>,
}

impl Sight {
    pub async fn keep(self, tx: &mut Tx<'_>) -> Result<Look, StoreError> {
        self.keep.run(tx, self.read).await
    }
}

impl SamlMetadata {
    pub(super) fn new(http: Http, db: Database, clock: Clock, random: Random) -> Self {
        let waiting = Arc::new(Semaphore::new(MOST_WAITING));
        Self { http, db, clock, random, looks: Arc::default(), waiting }
    }

    /// The identity provider that is described at an address; of what is known, certificates that are listed count
    /// though they have expired.
    pub async fn read(
        &self,
        url: &Url,
        by: (Option<&str>, Option<&str>),
        known: Option<&SamlSettings>,
    ) -> Result<Described, MetadataReadError> {
        let document = self.fetch(url).await?;
        let now = self.clock.now();
        Ok(within_reach(describe(&document, by, known, now)?, now))
    }

    /// The identity provider of a connection as its address describes it now, and whether that counts without an
    /// operator.
    pub async fn read_again(
        &self,
        url: &Url,
        known: &SamlSettings,
    ) -> Result<(Described, Verdict), MetadataReadError> {
        held_against(&self.fetch(url).await?, known, self.clock.now())
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
            // Somebody is looking: what they see is ours as well. A host that hangs keeps few waiting.
            let Ok(_place) = self.waiting.try_acquire() else { return Ok(Look::Cooling) };
            // The map, who looks, this one, and who waits.
            if Arc::strong_count(&look) >= 3 + MOST_WAITING_FOR_ONE {
                return Ok(Look::Cooling);
            }
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
        let now = self.clock.now();
        *last = found.as_ref().and_then(address).map(|_| Looked { at: now, came: None });
        let Some(sight) = self.sight(found.as_ref(), cause).await else { return Ok(Look::NoAddress) };
        let came = self.db.write(async move |tx| sight.keep(tx).await).await?;
        *last = Some(Looked { at: now, came: Some(came.clone()) });
        Ok(came)
    }

    /// What a visitor's look would see, to be kept in a transaction of the caller's; nothing where there is no address.
    pub async fn ahead(&self, connection: &Connection) -> Option<Sight> {
        self.sight(Some(connection), Cause::Visitor).await
    }

    async fn sight(&self, connection: Option<&Connection>, cause: Cause) -> Option<Sight> {
        let (connection, (url, known)) = connection.zip(connection.and_then(address))?;
        let now = self.clock.now();
        let read = self.read_again(url, known).await.map_err(Arc::new);
        let (project, connection) = (connection.project_id, connection.id);
        let keep =
            Keep { project, connection, cause, known: known.clone(), random: self.random.clone(), now };
        Some(Sight { keep, read })
    }

    fn looks_of(&self, connection: ConnectionId) -> LastLook {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= MOST {
            looks.retain(|_, look| Arc::strong_count(look) > 1);
        }
        Arc::clone(looks.entry(connection).or_default())
    }
}

/// A document that somebody has brought, as if it stood at the address of a connection: what of it counts without an operator.
pub fn held_against(
    document: &[u8],
    known: &SamlSettings,
    now: Moment,
) -> Result<(Described, Verdict), MetadataReadError> {
    let described = within_reach(describe_again(document, known, now)?, now);
    let verdict = judge(known, &described)?;
    Ok((described, verdict))
}

fn address(connection: &Connection) -> Option<(&Url, &SamlSettings)> {
    let saml = connection.saml()?.saml;
    Some((saml.metadata_address()?, saml))
}

fn within_reach(described: Described, now: Moment) -> Described {
    let furthest = now.plus(FURTHEST);
    Described { valid_until: described.valid_until.map(|until| until.min(furthest)), ..described }
}
