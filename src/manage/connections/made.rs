//! A new connection: its own draft, whatever is said of it.

use serde_json::Value;

use super::ceilings::fits;
use super::primary::settle_primary;
use super::said::checked::Checked;
use super::{Held, beside, event, refuse_unknown_application, sealed};
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::keys::keyring::Keyring;
use crate::manage::authority::Standing;
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::{Connection, ConnectionState, Version, VersionState, shown};
use crate::model::organization::Organization;
use crate::store::durable::{connection_versions, connections};

/// Connections that an organization may have which are not switched off, and that it may ever have made: whoever came by
/// one stays known.
const MOST: usize = 100;
const MOST_EVER: u32 = 1_000;
/// What is said of a new connection beside its settings.
#[derive(Clone, Debug)]
pub struct Named {
    pub slug: Option<String>,
    pub display_name: Option<String>,
}

/// Makes a connection: a draft, whatever is said of it.
pub async fn create(
    change: &mut Change<'_, '_>,
    organization: Option<&Organization>,
    named: Named,
    (checked, keyring): (&Checked, &Keyring),
) -> Result<Held, Refused> {
    let keep = change.keep;
    let of = organization.map(|organization| organization.id);
    refuse_too_many(change, of).await?;
    let settings = checked.settings.clone();
    refuse_unknown_application(change, of, &settings).await?;
    let id = ConnectionId::new(&keep.random, keep.now);
    let slug = named.slug.unwrap_or_else(|| usual_slug(organization, id));
    let connection = Connection {
        id,
        project_id: keep.project.id,
        organization_id: of,
        display_name: named.display_name.unwrap_or_else(|| slug.clone()),
        slug,
        state: ConnectionState::Draft,
        version: 1,
        settings: settings.into(),
        secret: sealed(change, id, &checked.secret, keyring),
        created_at: keep.now,
        updated_at: keep.now,
    };
    begin(change, connection).await
}

pub async fn refuse_too_many(change: &mut Change<'_, '_>, of: Option<OrganizationId>) -> Result<(), Refused> {
    let all = refuse_too_many_in_use(change, of).await?;
    if all >= MOST_EVER as usize && !matches!(change.standing, Standing::Operator(_)) {
        let told =
            format!("{MOST_EVER} have been made, with those that are switched off: the operator makes more");
        return Err(Refused::new(Code::LimitReached, told));
    }
    Ok(())
}

/// Tells how many there are, with those that are switched off.
pub async fn refuse_too_many_in_use(
    change: &mut Change<'_, '_>,
    of: Option<OrganizationId>,
) -> Result<usize, Refused> {
    let all = connections::page(change.tx, change.keep.project.id, of, "", MOST_EVER).await?;
    let in_use = all.iter().filter(|(one, _)| one.state != ConnectionState::Disabled);
    match in_use.count() >= MOST {
        true => Err(Refused::new(Code::LimitReached, format!("there may be at most {MOST}: disable one"))),
        false => Ok(all.len()),
    }
}

/// Writes a new one, which is its own draft.
pub async fn begin(change: &mut Change<'_, '_>, connection: Connection) -> Result<Held, Refused> {
    let (keep, of) = (change.keep, connection.organization_id);
    fits(change, of, None, &connection.settings).await?;
    connections::insert(change.tx, &connection).await?;
    let draft = Version {
        created_by: keep.actor.to_string(),
        by_leave: change.leave(),
        created_at: keep.now,
        ..Version::of(&connection, VersionState::Draft)
    };
    connection_versions::put(change.tx, &draft).await?;
    settle_primary(change, of).await?;
    let event = event(change, "organization.connection.created", &connection);
    let facts = Value::Object(shown::settings(&connection.settings));
    change.record(&event.with("version", 1).changing(None, Some(facts))).await?;
    Ok(beside(change.tx, connection).await?)
}

/// Of the organization's name, and none that was ever given: who asks for one learns of no other one's.
fn usual_slug(organization: Option<&Organization>, id: ConnectionId) -> String {
    let name = organization.map_or("project", |organization| organization.slug.as_str());
    let start: String = name.chars().take(50).collect();
    let id = id.to_string();
    let end: String = id.chars().skip(id.len().saturating_sub(8)).collect();
    format!("{}-{end}", start.trim_end_matches('-'))
}
