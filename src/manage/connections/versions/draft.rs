//! The draft of a connection, beside what is live: made, gone on with, thrown away. And the name that people know it by.

use serde_json::{Value, json};

use crate::audit;
use crate::keys::keyring::Keyring;
use crate::manage::connections::ceilings::{fits, refuse_unread};
use crate::manage::connections::{Checked, Held, event, held, refuse_unknown_application, sealed};
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::{Connection, Settings, Version, VersionState, shown};
use crate::store::durable::{connection_versions, connections};

/// Makes what was said the draft, in the place of any other one. What is live stays as it is; a connection that never was
/// live is what its draft is.
pub async fn redraft(
    change: &mut Change<'_, '_>,
    before: Held,
    display_name: Option<String>,
    (checked, keyring): (&Checked, &Keyring),
) -> Result<Held, Refused> {
    refuse_unread(change, &before)?;
    rename(change, &before.connection, display_name).await?;
    let secret = sealed(change, before.connection.id, &checked.secret, keyring);
    if *before.head().0 != checked.settings {
        let of = before.connection.organization_id;
        refuse_unknown_application(change, of, &checked.settings).await?;
    }
    // Going on with a draft is not to have seen what went live since.
    let begun_on = match &before.draft {
        Some(draft) => draft.begun_on,
        None => begun_on(change, &before).await?,
    };
    put_draft(change, before, begun_on, (&checked.settings, secret)).await
}

/// On which version a draft is begun now.
pub async fn begun_on(change: &mut Change<'_, '_>, before: &Held) -> Result<Option<i64>, Refused> {
    if !before.was_live() {
        return Ok(None);
    }
    let live = connection_versions::live(change.tx, before.connection.id).await?;
    Ok(live.map(|live| live.number))
}

pub async fn put_draft(
    change: &mut Change<'_, '_>,
    before: Held,
    begun_on: Option<i64>,
    (settings, secret): (&Settings, Option<Vec<u8>>),
) -> Result<Held, Refused> {
    let keep = change.keep;
    let connection = &before.connection;
    let (known, known_secret) = before.head();
    let is_same_secret = secret.as_ref() == known_secret;
    let is_begun_alike = before.draft.as_ref().is_none_or(|draft| draft.begun_on == begun_on);
    if known == settings && is_same_secret && is_begun_alike {
        return held(change, connection.id).await;
    }
    fits(change, connection.organization_id, Some(known), settings).await?;
    let draft = Version {
        connection_id: connection.id,
        number: connection_versions::next(change.tx, connection).await?,
        state: VersionState::Draft,
        settings: settings.clone(),
        secret: secret.clone(),
        created_by: keep.actor.to_string(),
        by_leave: change.leave(),
        created_at: keep.now,
        begun_on,
        activated_at: None,
        worked_at: None,
        ended_at: None,
        reason: None,
    };
    connection_versions::remove_draft(change.tx, connection.id).await?;
    connection_versions::put(change.tx, &draft).await?;
    let facts = |settings| Value::Object(shown::settings(settings));
    let (was, is) = audit::differing(&facts(known), &facts(settings));
    let event = event(change, "organization.connection.drafted", connection)
        .with("version", draft.number)
        .with("secret_changed", !is_same_secret)
        .changing(Some(was), Some(is));
    if !before.was_live() {
        let now = held(change, connection.id).await?.connection;
        let mirror = Connection {
            version: draft.number,
            settings: draft.settings.into(),
            secret,
            updated_at: keep.now,
            ..now
        };
        connections::update(change.tx, &mirror).await?;
    }
    change.record(&event).await?;
    held(change, connection.id).await
}

/// Throws the draft away: what is worked on next is what is live.
pub async fn discard(change: &mut Change<'_, '_>, before: &Held) -> Result<(), Refused> {
    let connection = &before.connection;
    if !before.was_live() {
        let detail = "it never was live, and is nothing but its draft: delete the connection";
        return Err(Refused::new(Code::NoVersion, detail));
    }
    let draft = before.draft.as_ref().ok_or_else(Refused::hidden)?;
    connection_versions::discard_draft(change.tx, connection.id, change.keep.now).await?;
    let facts = |settings| Value::Object(shown::settings(settings));
    let (was, is) = audit::differing(&facts(&draft.settings), &facts(&connection.settings));
    let event = event(change, "organization.connection.draft_discarded", connection)
        .with("version", draft.number)
        .with("secret_changed", draft.secret != connection.secret)
        .changing(Some(was), Some(is));
    change.record(&event).await
}

/// Gives a connection another name for people, and nothing else.
pub async fn renamed(
    change: &mut Change<'_, '_>,
    before: Held,
    name: Option<String>,
) -> Result<Held, Refused> {
    rename(change, &before.connection, name).await?;
    held(change, before.connection.id).await
}

/// A name for people is no version: it changes at once.
pub async fn rename(
    change: &mut Change<'_, '_>,
    before: &Connection,
    name: Option<String>,
) -> Result<(), Refused> {
    let Some(display_name) = name.filter(|name| *name != before.display_name) else { return Ok(()) };
    let (was, is) = (json!({"display_name": before.display_name}), json!({"display_name": display_name}));
    let after = Connection { display_name, updated_at: change.keep.now, ..before.clone() };
    connections::update(change.tx, &after).await?;
    let event = event(change, "organization.connection.renamed", before);
    change.record(&event.changing(Some(was), Some(is))).await
}
