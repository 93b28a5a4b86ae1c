//! Connections in the durable store.

use std::collections::BTreeMap;

use super::engine::{Lock, Read, Row, StoreError, Tx, params};
use super::known::Known;
use super::{connection_versions, parsed, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId};
use crate::foundation::shared::Shared;
use crate::model::connection::{Connection, ConnectionState, Jit, Lifecycle, Settings, primary};

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

static SETTINGS: Known<ConnectionId, Shared<Settings>> = Known::new();

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

/// Live ones by which whoever is new becomes a member of the organization: its own, and those of others that the operator
/// lets join it; some of them, in the order of their ids.
pub async fn that_join(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
    (after, most): (&str, u32),
) -> Result<Vec<Connection>, StoreError> {
    let own = select!(
        "WHERE project_id = $1 AND COALESCE(organization_id, '') = $2 AND state = 'active' AND id > $3"
    );
    let others = select!("WHERE project_id = $1 AND joins_others = 1 AND state = 'active' AND id > $2");
    let mut rows = db.all(own, params![project, organization, after]).await?;
    rows.extend(db.all(others, params![project, after]).await?);
    let joins = |one: &Connection| {
        let settings = &one.settings;
        settings.jit == Jit::CreateAndJoin
            && (one.organization_id == Some(organization)
                || settings.assign_organizations.contains(&organization))
    };
    let mut found = BTreeMap::new();
    for row in &rows {
        let one = connection(row, 0)?;
        if joins(&one) {
            found.insert(one.id, one);
        }
    }
    Ok(found.into_values().take(most as usize).collect())
}

/// Whether a project has any.
pub async fn any_of(db: &mut impl Read, project: ProjectId) -> Result<bool, StoreError> {
    let sql = "SELECT id FROM connections WHERE project_id = $1 LIMIT 1";
    Ok(db.one(sql, params![project]).await?.is_some())
}

/// Those that no organization has.
pub async fn of_nobody(db: &mut impl Read, project: ProjectId) -> Result<Vec<Connection>, StoreError> {
    let sql = select!("WHERE project_id = $1 AND COALESCE(organization_id, '') = '' ORDER BY id");
    db.all(sql, params![project]).await?.iter().map(|row| connection(row, 0)).collect()
}

pub async fn insert(tx: &mut Tx<'_>, connection: &Connection) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO connections (id, project_id, organization_id, slug, display_name, state, version, settings,
                                  secret, created_at, updated_at, certificates_end_at, joins_others)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
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
            connection.updated_at,
            certificates_end_at(connection),
            joins_others(connection)
        ],
    )
    .await?;
    Ok(())
}

pub async fn update(tx: &mut Tx<'_>, connection: &Connection) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE connections
         SET display_name = $2, state = $3, version = $4, settings = $5, secret = $6, updated_at = $7,
             certificates_end_at = $8, joins_others = $9
         WHERE id = $1",
        params![
            connection.id,
            &connection.display_name,
            connection.state.word(),
            connection.version,
            to_json(&connection.settings),
            connection.secret.as_deref(),
            connection.updated_at,
            certificates_end_at(connection),
            joins_others(connection)
        ],
    )
    .await?;
    Ok(())
}

fn joins_others(connection: &Connection) -> Option<i64> {
    (!connection.settings.assign_organizations.is_empty()).then_some(1)
}

fn certificates_end_at(connection: &Connection) -> Option<Moment> {
    connection.saml()?.saml.endings().iter().map(|ending| ending.at).min()
}

/// Live ones of which a certificate ends by then, some of them: those after one, with when it does, in this order.
pub async fn ending(
    db: &mut impl Read,
    by: Moment,
    (after, id): (Moment, &str),
    limit: u32,
) -> Result<Vec<(Moment, Connection)>, StoreError> {
    let sql = "SELECT id, project_id, organization_id, slug, display_name, state, version, settings, secret, created_at,
                      updated_at, certificates_end_at
               FROM connections
               WHERE certificates_end_at <= $1 AND (certificates_end_at, id) > ($2, $3) AND state = 'active'
               ORDER BY certificates_end_at, id LIMIT $4";
    let rows = db.all(sql, params![by, after, id, limit]).await?;
    rows.iter().map(|row| Ok((row.get(11)?, connection(row, 0)?))).collect()
}

/// Switches every connection of an organization off; a login that is under way by one of them does not complete.
pub async fn disable_all(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    now: Moment,
) -> Result<u64, StoreError> {
    for one in of_organization(tx, organization).await? {
        tx.lock(Lock::Exclusive, "connections", &one.id.to_string()).await?;
    }
    let mut many = 0;
    for before in of_organization(tx, organization).await? {
        if before.state == ConnectionState::Disabled {
            continue;
        }
        let version = connection_versions::renumber(tx, &before).await?;
        let off = Connection { state: ConnectionState::Disabled, version, updated_at: now, ..before };
        update(tx, &off).await?;
        many += 1;
    }
    Ok(many)
}

fn lifecycle(row: &Row, at: usize) -> Result<Lifecycle, StoreError> {
    Ok(Lifecycle {
        previous_version: row.get(at)?,
        activated_at: row.get(at + 1)?,
        primary_since: row.get(at + 2)?,
    })
}

/// What a login needs to know nothing of.
pub async fn lifecycle_of(db: &mut impl Read, id: ConnectionId) -> Result<Lifecycle, StoreError> {
    let sql = "SELECT previous_version, activated_at, primary_since FROM connections WHERE id = $1";
    let row = db.one(sql, params![id]).await?;
    row.as_ref().map(|row| lifecycle(row, 0)).transpose().map(Option::unwrap_or_default)
}

pub async fn set_lifecycle(
    tx: &mut Tx<'_>,
    id: ConnectionId,
    lifecycle: &Lifecycle,
) -> Result<(), StoreError> {
    let sql =
        "UPDATE connections SET previous_version = $2, activated_at = $3, primary_since = $4 WHERE id = $1";
    let Lifecycle { previous_version, activated_at, primary_since } = lifecycle;
    tx.execute(sql, params![id, *previous_version, *activated_at, *primary_since]).await?;
    Ok(())
}

/// Those whose live version went live since then, never worked, and has failed so often; with where they belong.
pub async fn failing(
    db: &mut impl Read,
    failures: i64,
    since: Moment,
) -> Result<Vec<(ProjectId, Option<OrganizationId>, ConnectionId)>, StoreError> {
    // What fails is little, and looked for in this order.
    let sql = "SELECT c.project_id, c.organization_id, c.id FROM connection_runs r
               CROSS JOIN connections c
               WHERE c.id = r.connection_id AND c.version = r.version
                 AND r.failures >= $1 AND r.failures > 0 AND r.worked_at IS NULL AND c.state = 'active' AND c.activated_at >= $2
                 AND c.previous_version IS NOT NULL
               ORDER BY CASE WHEN r.told_at IS NULL THEN 0 ELSE 1 END, c.id LIMIT 100";
    let rows = db.all(sql, params![failures, since]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Says that somebody should look a connection over, or that somebody has.
pub async fn set_review(tx: &mut Tx<'_>, id: ConnectionId, since: Option<Moment>) -> Result<u64, StoreError> {
    let sql = "UPDATE connections SET review_since = $2
               WHERE id = $1 AND (review_since IS NULL) <> (CAST($2 AS BIGINT) IS NULL)";
    tx.execute(sql, params![id, since]).await
}

/// Since when somebody should look a connection over.
pub async fn review_since(db: &mut impl Read, id: ConnectionId) -> Result<Option<Moment>, StoreError> {
    let row = db.one("SELECT review_since FROM connections WHERE id = $1", params![id]).await?;
    row.map_or(Ok(None), |row| row.get(0))
}

/// Those of an organization that somebody should look over, the longest waiting first.
pub async fn to_review(
    db: &mut impl Read,
    organization: OrganizationId,
) -> Result<Vec<(String, Moment)>, StoreError> {
    let sql = "SELECT slug, review_since FROM connections
               WHERE organization_id = $1 AND review_since IS NOT NULL AND state <> 'disabled'
               ORDER BY review_since, id LIMIT 20";
    let rows = db.all(sql, params![organization]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

macro_rules! whole {
    ($rest:literal) => {
        concat!(
            "SELECT id, project_id, organization_id, slug, display_name, state, version, settings, secret, created_at,
                    updated_at, previous_version, activated_at, primary_since
             FROM connections ",
            $rest
        )
    };
}

type Whole = (Connection, Lifecycle);

fn whole(row: &Row) -> Result<Whole, StoreError> {
    Ok((connection(row, 0)?, lifecycle(row, 11)?))
}

/// Those of an organization, or else those that are the project's own, by their ids after `after`.
pub async fn page(
    db: &mut impl Read,
    project: ProjectId,
    organization: Option<OrganizationId>,
    after: &str,
    limit: u32,
) -> Result<Vec<Whole>, StoreError> {
    let rows = match organization {
        Some(organization) => {
            let sql = whole!("WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3");
            db.all(sql, params![organization, after, limit]).await?
        }
        None => {
            let sql = whole!(
                "WHERE project_id = $1 AND COALESCE(organization_id, '') = '' AND id > $2 ORDER BY id LIMIT $3"
            );
            db.all(sql, params![project, after, limit]).await?
        }
    };
    rows.iter().map(whole).collect()
}

/// Those of every organization and of the project.
pub async fn page_of_all(
    db: &mut impl Read,
    project: ProjectId,
    after: &str,
    limit: u32,
) -> Result<Vec<Whole>, StoreError> {
    let sql = whole!("WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    db.all(sql, params![project, after, limit]).await?.iter().map(whole).collect()
}

/// The one of an organization that is meant where no other is named (S1-O6, S3-11).
pub async fn primary_of(
    db: &mut impl Read,
    organization: OrganizationId,
) -> Result<Option<Connection>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND primary_since IS NOT NULL AND state <> 'disabled'");
    db.one(sql, params![organization]).await?.as_ref().map(|row| connection(row, 0)).transpose()
}

/// Sees to it that an organization has exactly one primary connection as long as it has any that is not disabled. Whoever
/// calls this holds up everybody else who could. Tells which one it is now.
pub async fn settle_primary(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    now: Moment,
) -> Result<Option<ConnectionId>, StoreError> {
    let sql = whole!("WHERE organization_id = $1 ORDER BY created_at, id");
    let rows = tx.all(sql, params![organization]).await?;
    let all: Vec<_> = rows.iter().map(whole).collect::<Result<_, _>>()?;
    let (is, wanted) = (all.iter().find(|(_, lifecycle)| lifecycle.is_primary()), primary(&all));
    if is.map(|(is, _)| is.id) != wanted {
        make_primary(tx, organization, wanted, now).await?;
    }
    Ok(wanted)
}

/// Makes this one primary, and no other.
pub async fn make_primary(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    id: Option<ConnectionId>,
    now: Moment,
) -> Result<(), StoreError> {
    let sql = "UPDATE connections SET primary_since = NULL WHERE organization_id = $1 AND primary_since IS NOT NULL";
    tx.execute(sql, params![organization]).await?;
    if let Some(id) = id {
        let sql = "UPDATE connections SET primary_since = $3 WHERE organization_id = $1 AND id = $2";
        tx.execute(sql, params![organization, id, now]).await?;
    }
    Ok(())
}
