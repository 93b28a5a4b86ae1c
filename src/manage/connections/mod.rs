//! Connections to identity providers: drafted, made live, taken back, switched off. What is live is the row of the
//! connection; whatever is made of it meanwhile is a version beside it, so that nobody who signs in meets it.

pub mod api;
mod ceilings;
mod doors;
mod made;
mod primary;
mod relied_on;
pub mod relink;
mod said;
pub mod sso_provider;
mod stated;
mod switched;
mod versions;
mod view;
mod written;

use super::desk::Change;
use super::refused::Refused;
use crate::broker::connection_swap::was_live;
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::keys::connection_secret;
use crate::keys::keyring::Keyring;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::connection::{Connection, Lifecycle, Settings, Undone, Upstream, Version};
use crate::store::durable::engine::{Lock, Read, StoreError};
use crate::store::durable::{applications, connection_versions, connections};

pub use said::checked::{Checked, NewSecret, heard};
pub use said::{presets, wanted};
pub use stated::{Stated, make, rewrite};
pub use switched::has_run_out;

/// A connection with what stands beside its row.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    pub connection: Connection,
    pub lifecycle: Lifecycle,
    pub draft: Option<Version>,
    /// What the draft would undo, where something else is live than when it was begun.
    pub undoes: Vec<Undone>,
}

impl Held {
    /// What is worked on: the draft, or else what is live. With its secret, sealed.
    pub fn head(&self) -> (&Settings, Option<&Vec<u8>>) {
        match &self.draft {
            Some(draft) => (&draft.settings, draft.secret.as_ref()),
            None => (&self.connection.settings, self.connection.secret.as_ref()),
        }
    }

    fn was_live(&self) -> bool {
        was_live(&self.connection, &self.lifecycle)
    }

    /// The number of what is to be live next, if there is anything.
    pub fn draft_number(&self) -> Option<i64> {
        let own = (!self.was_live()).then_some(self.connection.version);
        self.draft.as_ref().map(|draft| draft.number).or(own)
    }
}

async fn beside(db: &mut impl Read, connection: Connection) -> Result<Held, StoreError> {
    let lifecycle = connections::lifecycle_of(db, connection.id).await?;
    let draft = connection_versions::draft(db, connection.id).await?;
    let draft = draft.map(|draft| draft.in_place_of(&connection.settings));
    let undoes = versions::undoes(db, (&connection, &lifecycle), draft.as_ref()).await?;
    Ok(Held { connection, lifecycle, draft, undoes })
}

/// The connection as it is in this transaction, locked against whoever else changes it.
async fn held(change: &mut Change<'_, '_>, id: ConnectionId) -> Result<Held, Refused> {
    change.tx.lock(Lock::Exclusive, "connections", &id.to_string()).await?;
    let found = connections::by_id(change.tx, change.keep.project.id, id).await?;
    Ok(beside(change.tx, found.ok_or_else(Refused::hidden)?).await?)
}

/// Whether the caller has read it as it is now, if they say what they have read.
fn is_as_read(change: &Change<'_, '_>, before: &Held) -> Result<(), Refused> {
    change.matches(&view::tag(before, change.keyring, change.keep.now))
}

/// Another organization's reads like one that there is not.
async fn refuse_unknown_application(
    change: &mut Change<'_, '_>,
    of: Option<OrganizationId>,
    new: &Settings,
) -> Result<(), Refused> {
    let Upstream::Saml(saml) = &new.upstream else { return Ok(()) };
    let Some(name) = &saml.default_application else { return Ok(()) };
    let found = applications::by_client_id(change.tx, change.keep.project.id, name).await?;
    match found.filter(|found| found.organization_id.is_none() || found.organization_id == of) {
        Some(_) => Ok(()),
        None => Err(Refused::value("/default_application", "there is no such application")),
    }
}

fn sealed(
    change: &Change<'_, '_>,
    id: ConnectionId,
    secret: &NewSecret,
    keyring: &Keyring,
) -> Option<Vec<u8>> {
    match secret {
        NewSecret::Nothing => None,
        NewSecret::Kept(sealed) => Some(sealed.clone()),
        NewSecret::Given(secret) => Some(connection_secret::seal(keyring, &change.keep.random, id, secret)),
    }
}

fn event(change: &Change<'_, '_>, action: &'static str, connection: &Connection) -> AuditEvent {
    AuditEvent::new(change.keep.project.id, action, Outcome::Changed)
        .organization(connection.organization_id)
        .actor(change.keep.actor)
        .request(change.keep.request)
        .subject(connection.id)
        .with("slug", connection.slug.as_str())
}
