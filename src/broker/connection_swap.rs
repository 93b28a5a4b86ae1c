//! One version of a connection takes the place of another: a draft goes live, or what was live before comes back. Whoever
//! does it, it is one transaction, and a login that is under way by the other version begins anew (threats H04).

use std::time::Duration;

use serde_json::Value;

use crate::audit::{self, Keep};
use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::join::notices;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::connection::shown;
use crate::model::connection::{
    Connection, ConnectionState, Lifecycle, Settings, Unready, Version, VersionState,
};
use crate::model::mail::Kind;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::metadata_reads::{self, MetadataRead};
use crate::store::durable::{connection_runs, connection_versions, connections};

/// What came of it.
#[derive(Clone, Debug)]
pub struct Swapped {
    pub before: Connection,
    pub after: Connection,
    /// Whether something came back that had been live before.
    pub is_return: bool,
}

/// Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotSwapped {
    #[error("there is no such connection or version, or it is live")]
    Unknown,
    #[error("{0}")]
    Unready(#[from] Unready),
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// A return that nobody asked for: why, as what, and what of the version before is given to nobody any more.
#[derive(Clone, Debug)]
pub struct Unasked {
    pub reason: &'static str,
    pub settings: Settings,
    pub withheld: Vec<String>,
}

/// On whose word.
#[derive(Clone, Copy, Debug)]
pub enum Word<'w> {
    /// Somebody's, who may have insisted; then what was missing.
    Asked {
        forced_without: Option<&'static str>,
    },
    Nobodys(&'w Unasked),
}

/// Makes a version live: the draft, which keeps its number, or one that was live before, which comes back under a new one.
/// The event says who did it, from where to where, and, if nobody asked for it, why. The organization's owners are told.
///
/// The organization, if the connection has one, is locked by the caller, before anything else of it.
pub async fn swap(
    tx: &mut Tx<'_>,
    keep: &Keep,
    id: ConnectionId,
    to: i64,
    word: Word<'_>,
) -> Result<Swapped, NotSwapped> {
    let unasked = match word {
        Word::Asked { .. } => None,
        Word::Nobodys(unasked) => Some(unasked),
    };
    let reason = unasked.map(|unasked| unasked.reason);
    tx.lock(Lock::Exclusive, "connections", &id.to_string()).await?;
    let before = connections::by_id(tx, keep.project.id, id).await?.ok_or(NotSwapped::Unknown)?;
    let lifecycle = connections::lifecycle_of(tx, id).await?;
    let mut to = wanted(tx, &before, &lifecycle, to).await?.ok_or(NotSwapped::Unknown)?;
    if let Some(unasked) = unasked {
        to.settings.clone_from(&unasked.settings);
        // Keys that were brought may have been replaced because they are stolen.
        if before.saml().is_some() {
            to.secret.clone_from(&before.secret);
        }
    }
    to.settings.may_be_live(to.secret.is_some(), keep.now)?;
    let is_return = to.state != VersionState::Draft;
    let number = match to.number {
        number if !is_return && number >= before.version => number,
        _ => connection_versions::next(tx, &before).await?,
    };
    let previous = if was_live(&before, &lifecycle) {
        let state = if is_return { VersionState::RolledBack } else { VersionState::Superseded };
        Some(ended(tx, &before, keep.now, (state, reason)).await?)
    } else {
        None
    };
    let after = begun(tx, keep, &before, &to, (number, reason)).await?;
    let previous_version = match previous {
        // What failed is nothing to return to.
        Some(ended) if !is_return => Some(returnable(tx, &lifecycle, &ended, keep.now).await?),
        _ => None,
    };
    let lifecycle = Lifecycle { previous_version, activated_at: Some(keep.now), ..lifecycle };
    connections::set_lifecycle(tx, id, &lifecycle).await?;
    if let Some(organization) = after.organization_id {
        connections::settle_primary(tx, organization, keep.now).await?;
    }
    schedule(tx, &before, &after, keep.now).await?;
    keep.record(tx, &event(keep, &before, &after, (is_return, word))).await?;
    // Who brings former settings back has put settings into force like any others.
    let kind = if unasked.is_some() { Kind::ConnectionRolledBack } else { Kind::ConnectionActivated };
    tell_owners(tx, keep, &after, kind).await?;
    Ok(Swapped { before, after, is_return })
}

/// Whoever may sign everybody in is changed: owners hear of it, whoever did it (threats C02).
pub async fn tell_owners(
    tx: &mut Tx<'_>,
    keep: &Keep,
    after: &Connection,
    kind: Kind,
) -> Result<(), StoreError> {
    match after.organization_id {
        Some(organization) => notices::owners(tx, keep, organization, kind, &after.display_name).await,
        None => Ok(()),
    }
}

/// Whether what a connection is like now was ever live.
pub fn was_live(connection: &Connection, lifecycle: &Lifecycle) -> bool {
    connection.is_active() || lifecycle.activated_at.is_some()
}

/// The version of this number that may be made live. A connection that never was is its own draft.
async fn wanted(
    tx: &mut Tx<'_>,
    before: &Connection,
    lifecycle: &Lifecycle,
    number: i64,
) -> Result<Option<Version>, StoreError> {
    let found = connection_versions::by_number(tx, before.id, number).await?;
    let found = found.filter(|found| found.state != VersionState::Live);
    let is_draft = !was_live(before, lifecycle) && number == before.version;
    let found = found.or_else(|| is_draft.then(|| Version::of(before, VersionState::Draft)));
    Ok(found.map(|found| found.in_place_of(&before.settings)))
}

/// Where a return would lead from what takes the place of `ended`: there, unless that never worked in the short time for
/// which it was live. Of two in a row by which nobody got in, neither hides the one that worked.
async fn returnable(
    tx: &mut Tx<'_>,
    lifecycle: &Lifecycle,
    ended: &Version,
    now: Moment,
) -> Result<i64, StoreError> {
    let Some(earlier) = lifecycle.previous_version else { return Ok(ended.number) };
    // What was counted a moment ago is not written down yet.
    let since = lifecycle.activated_at.unwrap_or(now).plus(Duration::from_millis(1));
    let worked = ended.worked_at.is_some()
        || connection_versions::is_used_since(tx, ended.connection_id, since).await?;
    if worked || !lifecycle.is_on_watch(now) {
        return Ok(ended.number);
    }
    let earlier = connection_versions::by_number(tx, ended.connection_id, earlier).await?;
    let worked = earlier.filter(|earlier| earlier.worked_at.is_some());
    Ok(worked.map_or(ended.number, |earlier| earlier.number))
}

/// Keeps what a connection is like now as something that was live, with when it first worked.
async fn ended(
    tx: &mut Tx<'_>,
    before: &Connection,
    now: Moment,
    (state, reason): (VersionState, Option<&str>),
) -> Result<Version, StoreError> {
    let lifecycle = connections::lifecycle_of(tx, before.id).await?;
    let known = connection_versions::live(tx, before.id).await?;
    let known = known.unwrap_or_else(|| Version {
        activated_at: lifecycle.activated_at,
        ..Version::of(before, VersionState::Live)
    });
    // Switched off and on again, it has another number than the one under which it is kept.
    let worked_at = connection_runs::of(tx, before.id, before.version).await?.worked_at;
    let version = Version {
        worked_at: known.worked_at.or(worked_at),
        state,
        settings: Settings::clone(&before.settings),
        secret: before.secret.clone(),
        ended_at: Some(now),
        reason: reason.map(str::to_owned).or(known.reason),
        ..known
    };
    connection_versions::put(tx, &version).await?;
    Ok(version)
}

async fn begun(
    tx: &mut Tx<'_>,
    keep: &Keep,
    before: &Connection,
    to: &Version,
    (number, reason): (i64, Option<&str>),
) -> Result<Connection, StoreError> {
    let after = Connection {
        state: ConnectionState::Active,
        version: number,
        settings: to.settings.clone().into(),
        secret: to.secret.clone(),
        updated_at: keep.now,
        ..before.clone()
    };
    let mut live = Version {
        number,
        state: VersionState::Live,
        activated_at: Some(keep.now),
        // What comes back has worked, if it did.
        ended_at: None,
        ..to.clone()
    };
    if to.state == VersionState::Draft {
        connection_versions::remove_draft(tx, before.id).await?;
    } else {
        let what = format!("version {} again", to.number);
        live.created_by = keep.actor.to_string();
        live.created_at = keep.now;
        live.reason = Some(reason.map_or(what.clone(), |reason| format!("{what}: {reason}")));
    }
    connection_versions::put(tx, &live).await?;
    connections::update(tx, &after).await?;
    Ok(after)
}

/// What is at an address is read again soon, and what is at none no more.
async fn schedule(
    tx: &mut Tx<'_>,
    before: &Connection,
    after: &Connection,
    now: Moment,
) -> Result<(), StoreError> {
    let metadata = |connection: &Connection| connection.saml().and_then(|saml| saml.saml.metadata.clone());
    let address =
        |connection: &Connection| connection.saml().and_then(|saml| saml.saml.metadata_address().cloned());
    let Some(read) = metadata(after).filter(|_| address(after).is_some()) else {
        return metadata_reads::remove(tx, after.id).await;
    };
    let known = metadata_reads::find(tx, after.id).await?;
    let given_at = |connection: &Connection| metadata(connection).map(|metadata| metadata.given_at);
    // What was read for a draft may be outdated by the time when that goes live.
    if known.is_some() && address(before) == address(after) && given_at(before) == given_at(after) {
        return Ok(());
    }
    let turn = MetadataRead {
        connection_id: after.id,
        next_read_at: now,
        read_at: read.read_at,
        failures: 0,
        failure: None,
    };
    metadata_reads::put(tx, &turn).await
}

fn event(
    keep: &Keep,
    before: &Connection,
    after: &Connection,
    (is_return, word): (bool, Word<'_>),
) -> AuditEvent {
    let facts = |connection: &Connection| Value::Object(shown::settings(&connection.settings));
    let (was, is) = audit::differing(&facts(before), &facts(after));
    let action =
        if is_return { "organization.connection.rolled_back" } else { "organization.connection.activated" };
    let event = AuditEvent::new(keep.project.id, action, Outcome::Changed)
        .organization(after.organization_id)
        .actor(keep.actor)
        .request(keep.request)
        .subject(after.id)
        .changing(Some(was), Some(is))
        .with("slug", after.slug.as_str())
        .with("version", after.version)
        .with("version_before", before.version)
        .with("secret_changed", before.secret != after.secret);
    let unasked = match word {
        Word::Asked { forced_without: Some(missing) } => return event.with("forced_without", vec![missing]),
        Word::Asked { forced_without: None } => return event,
        Word::Nobodys(unasked) => unasked,
    };
    let event = event.with("why", unasked.reason);
    match unasked.withheld.is_empty() {
        true => event,
        false => event.with("withheld", unasked.withheld.clone()),
    }
}
