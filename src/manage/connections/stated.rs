//! A connection as the operator's file states it: made, drafted and made live by the same steps as over the API, in one go.
//! Nobody can have tried what was written down a moment ago: the operator answers for it.

use super::made::{begin, refuse_too_many};
use super::relied_on::{Force, released};
use super::switched::{disable, reopen, shut, switched};
use super::versions::{activate, begun_on, put_draft, rename};
use super::{Checked, Held, held, sealed};
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::manage::desk::Change;
use crate::manage::refused::Refused;
use crate::model::connection::{Connection, ConnectionState};
use crate::store::durable::connection_versions;

/// All of it.
#[derive(Clone, Debug)]
pub struct Stated {
    pub slug: String,
    pub display_name: String,
    pub state: ConnectionState,
    pub checked: Checked,
}

/// Makes it, of an organization or of the project itself.
pub async fn make(
    change: &mut Change<'_, '_>,
    of: Option<OrganizationId>,
    stated: &Stated,
) -> Result<Held, Refused> {
    let keep = change.keep;
    refuse_too_many(change, of).await?;
    let id = ConnectionId::new(&keep.random, keep.now);
    let connection = Connection {
        id,
        project_id: keep.project.id,
        organization_id: of,
        slug: stated.slug.clone(),
        display_name: stated.display_name.clone(),
        state: ConnectionState::Draft,
        version: 1,
        settings: stated.checked.settings.clone().into(),
        secret: sealed(change, id, &stated.checked.secret, change.keyring),
        created_at: keep.now,
        updated_at: keep.now,
    };
    let made = begin(change, connection).await?;
    turned(change, made, stated.state).await
}

/// Makes one that there is what is stated. What is said of one that is to be off, and was live, is kept as its draft.
pub async fn rewrite(
    change: &mut Change<'_, '_>,
    id: ConnectionId,
    stated: &Stated,
) -> Result<Held, Refused> {
    let before = held(change, id).await?;
    rename(change, &before.connection, Some(stated.display_name.clone())).await?;
    let secret = sealed(change, id, &stated.checked.secret, change.keyring);
    let live = before.was_live().then_some((&*before.connection.settings, before.connection.secret.as_ref()));
    if live == Some((&stated.checked.settings, secret.as_ref())) {
        let named = held(change, id).await?;
        return turned(change, named, stated.state).await;
    }
    let others =
        before.draft.clone().filter(|_| before.head() != (&stated.checked.settings, secret.as_ref()));
    // All of it is said anew.
    let begun_on = begun_on(change, &before).await?;
    let drafted = put_draft(change, before, begun_on, (&stated.checked.settings, secret)).await?;
    if stated.state != ConnectionState::Active {
        return turned(change, drafted, stated.state).await;
    }
    activate(change, drafted, None, true).await?;
    // What somebody else works on is theirs to go on with.
    if let Some(draft) = &others {
        connection_versions::put(change.tx, draft).await?;
    }
    held(change, id).await
}

/// Switches it on or off.
async fn turned(change: &mut Change<'_, '_>, before: Held, wanted: ConnectionState) -> Result<Held, Refused> {
    let now = before.connection.state;
    if now == wanted {
        return Ok(before);
    }
    if now == ConnectionState::Active {
        released(change, &before, Force::default()).await?;
    }
    match wanted {
        ConnectionState::Active if before.was_live() => reopen(change, before).await,
        ConnectionState::Active => activate(change, before, None, true).await,
        // Whoever is locked out by the file is let in by it again.
        ConnectionState::Disabled => disable(change, before, true).await,
        state if now == ConnectionState::Active => shut(change, &before, state, true).await,
        state => switched(change, &before, state, "organization.connection.updated").await,
    }
}
