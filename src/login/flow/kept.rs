//! Flows as they lie in the short-lived store: for how long, for how many there is room, and what another server's
//! message does to one without the browser that holds it.

use std::time::Duration;

use crate::foundation::id::FlowId;
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::login::{Asked, Login, Stage};
use crate::store::ephemeral::{EphemeralError, Kind};
use crate::web::visitor::Visitor;

/// The largest request that is kept, in bytes: with room for the rest of a flow within what the store takes.
const LARGEST_REQUEST: usize = 4 * 1024;
/// How many times the share of a network the larger one has that it is part of.
const LARGER: u64 = 4;

/// The flow of this id, whichever browser holds it: to judge a message that another site made a browser post, and so
/// without cookies. It shows and grants nothing to whoever sent that.
pub async fn awaiting(visitor: &Visitor, id: FlowId) -> Result<Option<Login>, Stop> {
    of_project(visitor, visitor.broker().ephemeral.get(Kind::LoginFlow, &id.to_string()).await?.as_deref())
}

/// Moves a flow on to `stage`, whichever browser holds it, if it is still where `before` says. Of many, one does.
pub async fn move_on(
    visitor: &Visitor,
    id: FlowId,
    before: impl FnOnce(&Login) -> bool,
    stage: Stage,
) -> Result<bool, Stop> {
    let (ephemeral, key) = (&visitor.broker().ephemeral, id.to_string());
    let Some(found) = ephemeral.get(Kind::LoginFlow, &key).await? else { return Ok(false) };
    let Some(mut login) = of_project(visitor, Some(&found))?.filter(before) else { return Ok(false) };
    login.stage = stage;
    let (bytes, left) = (serde_json::to_vec(&login)?, time_left(visitor, &login));
    ephemeral.swap(Kind::LoginFlow, &key, &found, bytes, left).await.map_err(not_kept)
}

pub(super) fn of_project(visitor: &Visitor, found: Option<&[u8]>) -> Result<Option<Login>, Stop> {
    let login = found.map(serde_json::from_slice::<Login>).transpose()?;
    Ok(login.filter(|login| login.project == visitor.project.id))
}

/// Keeps a flow for as long as it has left.
pub(super) async fn put(visitor: &Visitor, login: &Login, bytes: Vec<u8>) -> Result<(), Stop> {
    let left = time_left(visitor, login);
    if !left.is_zero() {
        let ephemeral = &visitor.broker().ephemeral;
        ephemeral.put(Kind::LoginFlow, &login.id.to_string(), bytes, left).await.map_err(not_kept)?;
    }
    Ok(())
}

pub(super) fn not_kept(error: EphemeralError) -> Stop {
    match error {
        EphemeralError::Full(_) => Refusal::Crowded.into(),
        other => other.into(),
    }
}

/// Until the flow ends, whatever happens in it.
pub fn time_left(visitor: &Visitor, login: &Login) -> Duration {
    let broker = visitor.broker();
    login.started_at.plus(Duration::from_secs(broker.config.login.flow_lifetime)).since(broker.now())
}

/// Whether one more of these may be kept.
pub async fn may_begin(visitor: &Visitor, kind: Kind) -> Result<(), Stop> {
    let (network, larger) = visitor.networks();
    let share = visitor.broker().config.login.flows_per_minute;
    let shares = std::iter::once((network, share)).chain(larger.map(|larger| (larger, LARGER * share)));
    let ephemeral = &visitor.broker().ephemeral;
    for (network, share) in shares {
        let key = format!("flows {network}");
        if ephemeral.count(Kind::RateCounter, &key, Duration::from_secs(60)).await? > share {
            return Err(Refusal::TooManyRequests.into());
        }
    }
    if ephemeral.is_crowded(kind) { Err(Refusal::Crowded.into()) } else { Ok(()) }
}

/// Whether there is room for what was asked while the person is away.
pub fn is_small(asked: &Asked) -> bool {
    serde_json::to_vec(asked).is_ok_and(|bytes| bytes.len() <= LARGEST_REQUEST)
}
