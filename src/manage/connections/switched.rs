//! A connection that is switched off, and on again as it was.

use serde_json::json;

use super::ceilings::may_be_live;
use super::doors::Doors;
use super::made::refuse_too_many_in_use;
use super::primary::settle_primary;
use super::{Held, event, held};
use crate::broker::{Broker, connection_swap};
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::{Connection, ConnectionState};
use crate::model::mail::Kind;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{connection_versions, connections};

/// Switches it off. Whoever is on the way by it does not arrive; who they are stays known (S1-R25).
pub async fn disable(change: &mut Change<'_, '_>, before: Held, forced: bool) -> Result<Held, Refused> {
    if before.connection.state == ConnectionState::Disabled {
        return Ok(before);
    }
    shut(change, &before, ConnectionState::Disabled, forced).await
}

/// Switches off what may be live, unless nobody who owns the organization came in any more.
pub async fn shut(
    change: &mut Change<'_, '_>,
    before: &Held,
    state: ConnectionState,
    forced: bool,
) -> Result<Held, Refused> {
    let doors = Doors::before(change, &before.connection).await?;
    let after = switched(change, before, state, "organization.connection.deactivated").await?;
    doors.stay(change, forced).await?;
    Ok(after)
}

/// Nobody has looked at the metadata of a connection that is switched off: whether it has run out, of what was live.
pub async fn has_run_out(broker: &Broker, found: &Connection) -> Result<bool, StoreError> {
    let until = found.saml().and_then(|saml| saml.saml.described_until());
    let has = until.is_some_and(|until| until <= broker.now());
    Ok(has && connections::lifecycle_of(&mut &broker.db, found.id).await?.activated_at.is_some())
}

/// Then it is read before the connection is to be live, outside of any transaction. Whatever comes of it is judged as ever.
pub async fn look_first(broker: &Broker, found: &Connection) -> Result<(), StoreError> {
    if has_run_out(broker, found).await? {
        broker.saml_metadata.look(found.project_id, found.id).await?;
    }
    Ok(())
}

/// Switches it on again as it was; one that never was live is a draft again.
pub async fn enable(change: &mut Change<'_, '_>, before: Held) -> Result<Held, Refused> {
    if before.connection.state != ConnectionState::Disabled {
        return Ok(before);
    }
    refuse_too_many_in_use(change, before.connection.organization_id).await?;
    if before.lifecycle.activated_at.is_none() {
        return switched(change, &before, ConnectionState::Draft, "organization.connection.updated").await;
    }
    refuse_over_draft(change, &before)?;
    reopen(change, before).await
}

/// Whoever is believed by what was live, and no more by what has been drafted since, does not come back unawares (threats M15).
fn refuse_over_draft(change: &Change<'_, '_>, before: &Held) -> Result<(), Refused> {
    let Some(draft) = &before.draft else { return Ok(()) };
    if before.connection.settings.trusts_no_more(&draft.settings) || change.names_what_it_read() {
        return Ok(());
    }
    let detail = format!(
        "version {} is a draft by which the provider is believed otherwise: make that live, or throw it away; or read the \
         connection, and send its ETag as If-Match",
        draft.number
    );
    Err(Refused::new(Code::DraftUnread, detail))
}

/// As it was when it was live last.
pub async fn reopen(change: &mut Change<'_, '_>, before: Held) -> Result<Held, Refused> {
    let (settings, secret) = (&before.connection.settings, &before.connection.secret);
    may_be_live(change, &before, settings).await?;
    settings
        .may_be_live(secret.is_some(), change.keep.now)
        .map_err(|why| Refused::new(Code::ConnectionIncomplete, why.to_string()))?;
    let after =
        switched(change, &before, ConnectionState::Active, "organization.connection.activated").await?;
    connection_swap::tell_owners(change.tx, change.keep, &after.connection, Kind::ConnectionActivated)
        .await?;
    Ok(after)
}

pub async fn switched(
    change: &mut Change<'_, '_>,
    before: &Held,
    state: ConnectionState,
    action: &'static str,
) -> Result<Held, Refused> {
    let old = &before.connection;
    let after = Connection {
        state,
        version: connection_versions::renumber(change.tx, old).await?,
        updated_at: change.keep.now,
        ..old.clone()
    };
    connections::update(change.tx, &after).await?;
    settle_primary(change, after.organization_id).await?;
    let event = event(change, action, &after)
        .with("version", after.version)
        .changing(Some(json!({"state": old.state})), Some(json!({"state": state})));
    change.record(&event).await?;
    held(change, after.id).await
}
