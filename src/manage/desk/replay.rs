//! What was answered to a write that named itself by `Idempotency-Key`, and is answered again.

use std::time::Duration;

use super::Reply;
use crate::foundation::clock::Moment;
use crate::foundation::random::Random;
use crate::foundation::secret::Digest;
use crate::keys::keyring::Keyring;
use crate::keys::seal::{Place, SealError};
use crate::manage::caller::Caller;
use crate::manage::refused::{Code, Refused};
use crate::model::project::Project;
use crate::store::durable::engine::Tx;
use crate::store::durable::idempotency::{self, Claim, Name};
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

/// How long an answer is kept for who asks again under the same name.
const REPLAYED_FOR: Duration = Duration::from_secs(86_400);

/// What was answered to this very request of this caller, whatever its path leads to by now (threats H39).
pub async fn replayed(
    visitor: &Visitor,
    caller: &Caller,
    key: &str,
    fingerprint: Digest,
) -> Result<Option<Reply>, Refused> {
    let (broker, name) = (visitor.broker(), name(&visitor.project, caller, key));
    match idempotency::find(&mut &broker.db, &name, broker.now()).await? {
        Some((known, answer)) if known == fingerprint => Ok(Some(opened(&broker.keyring, &name, &answer)?)),
        _ => Ok(None),
    }
}

/// The name of a write. Nobody meets another one's.
pub(super) fn name(project: &Project, caller: &Caller, key: &str) -> Name {
    Name { project: project.id, caller: caller.name(), value: key.to_owned() }
}

/// Takes the name in a transaction, or tells what was answered under it.
pub(super) async fn claimed(
    tx: &mut Tx<'_>,
    keyring: &Keyring,
    name: &Name,
    fingerprint: Digest,
    now: Moment,
) -> Result<Option<Reply>, Refused> {
    match idempotency::claim(tx, name, fingerprint, now, now.plus(REPLAYED_FOR)).await? {
        Claim::Fresh => Ok(None),
        Claim::Answered { fingerprint: known, .. } if known != fingerprint => {
            Err(Refused::new(Code::IdempotencyKeyReused, "a key names one request for 24 hours"))
        }
        Claim::Answered { answer, .. } => Ok(Some(opened(keyring, name, &answer)?)),
    }
}

/// Keeps an answer: sealed, because it may hold what is shown once.
pub(super) async fn kept(
    tx: &mut Tx<'_>,
    (keyring, random): (&Keyring, &Random),
    name: &Name,
    reply: &Reply,
) -> Result<(), Refused> {
    let plain = serde_json::to_vec(reply).map_err(Fault::from)?;
    let sealed = keyring.master().seal(random, place(&row(name)), &plain);
    Ok(idempotency::keep(tx, name, &sealed).await?)
}

fn opened(keyring: &Keyring, name: &Name, answer: &[u8]) -> Result<Reply, Refused> {
    let sealed = |error: SealError| Refused::from(Fault::Keys(error.into()));
    let plain = keyring.master().open(place(&row(name)), answer).map_err(sealed)?;
    Ok(serde_json::from_slice(&plain).map_err(Fault::from)?)
}

fn row(name: &Name) -> String {
    format!("{} {} {}", name.project, name.caller, name.value)
}

fn place(row: &str) -> Place<'_> {
    Place { table: "idempotency_keys", row, column: "answer" }
}
