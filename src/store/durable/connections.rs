//! Connections in the durable store.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::known::Known;
use super::{parsed, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId};
use crate::model::connection::{Connection, ConnectionState, Settings};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, project_id, organization_id, slug, display_name, state, version, settings, secret, created_at,
                    updated_at
             FROM connections ",
            $rest
        )
    };
}

static SETTINGS: Known<ConnectionId, Settings> = Known::new();

pub(super) fn connection(row: &Row, at: usize) -> Result<Connection, StoreError> {
    let id = row.get(at)?;
    Ok(Connection {
        id,
        project_id: row.get(at + 1)?,
        organization_id: row.get(at + 2)?,
        slug: row.get(at + 3)?,
        display_name: row.get(at + 4)?,
        state: parsed(row, at + 5, ConnectionState::from_word)?,
        version: row.get(at + 6)?,
        settings: SETTINGS.json(id, row, at + 7)?,
        secret: row.get(at + 8)?,
        created_at: row.get(at + 9)?,
        updated_at: row.get(at + 10)?,
    })
}

pub async fn by_id(
    db: &mut impl Read,
    project: ProjectId,
    id: ConnectionId,
) -> Result<Option<Connection>, StoreError> {
    let row = db.one(select!("WHERE id = $2 AND project_id = $1"), params![project, id]).await?;
    row.as_ref().map(|row| connection(row, 0)).transpose()
}

pub async fn by_slug(
    db: &mut impl Read,
    project: ProjectId,
    slug: &str,
) -> Result<Option<Connection>, StoreError> {
    let row = db.one(select!("WHERE project_id = $1 AND slug = $2"), params![project, slug]).await?;
    row.as_ref().map(|row| connection(row, 0)).transpose()
}

/// The connection that an application or a file names, by id or by slug.
pub async fn named(
    db: &mut impl Read,
    project: ProjectId,
    name: &str,
) -> Result<Option<Connection>, StoreError> {
    match name.parse() {
        Ok(id) => by_id(db, project, id).await,
        Err(_) => by_slug(db, project, name).await,
    }
}

pub async fn of_organization(
    db: &mut impl Read,
    organization: OrganizationId,
) -> Result<Vec<Connection>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY id");
    db.all(sql, params![organization]).await?.iter().map(|row| connection(row, 0)).collect()
}

pub async fn of_project(db: &mut impl Read, project: ProjectId) -> Result<Vec<Connection>, StoreError> {
    db.all(select!("WHERE project_id = $1 ORDER BY id"), params![project])
        .await?
        .iter()
        .map(|row| connection(row, 0))
        .collect()
}

/// Those that no organization has.
pub async fn of_nobody(db: &mut impl Read, project: ProjectId) -> Result<Vec<Connection>, StoreError> {
    let sql = select!("WHERE project_id = $1 AND organization_id IS NULL ORDER BY id");
    db.all(sql, params![project]).await?.iter().map(|row| connection(row, 0)).collect()
}

pub async fn insert(tx: &mut Tx<'_>, connection: &Connection) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO connections (id, project_id, organization_id, slug, display_name, state, version, settings,
                                  secret, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            connection.id,
            connection.project_id,
            connection.organization_id,
            &connection.slug,
            &connection.display_name,
            connection.state.word(),
            connection.version,
            to_json(&connection.settings),
            connection.secret.as_deref(),
            connection.created_at,
            connection.updated_at
        ],
    )
    .await?;
    Ok(())
}

pub async fn update(tx: &mut Tx<'_>, connection: &Connection) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE connections
         SET display_name = $2, state = $3, version = $4, settings = $5, secret = $6, updated_at = $7
         WHERE id = $1",
        params![
            connection.id,
            &connection.display_name,
            connection.state.word(),
            connection.version,
            to_json(&connection.settings),
            connection.secret.as_deref(),
            connection.updated_at
        ],
    )
    .await?;
    Ok(())
}

/// Switches every connection of an organization off; a login that is under way by one of them does not complete.
pub async fn disable_all(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    now: Moment,
) -> Result<u64, StoreError> {
    let sql = "UPDATE connections SET state = $2, version = version + 1, updated_at = $3
               WHERE organization_id = $1 AND state <> $2";
    tx.execute(sql, params![organization, ConnectionState::Disabled.word(), now]).await
}
