//! Applications in the durable store.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::known::Known;
use super::to_json;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, OrganizationId, ProjectId, SessionId};
use crate::foundation::secret::Digest;
use crate::foundation::shared::Shared;
use crate::model::application::{Application, ApplicationSettings};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, project_id, client_id, display_name, settings, created_at, updated_at, disabled_at,
                    organization_id, stopped_at
             FROM applications ",
            $rest
        )
    };
}

static SETTINGS: Known<ApplicationId, Shared<ApplicationSettings>> = Known::new();

pub(super) fn application(row: &Row, at: usize) -> Result<Application, StoreError> {
    let id = row.get(at)?;
    Ok(Application {
        id,
        project_id: row.get(at + 1)?,
        client_id: row.get(at + 2)?,
        display_name: row.get(at + 3)?,
        settings: SETTINGS.json(id, row, at + 4)?,
        created_at: row.get(at + 5)?,
        updated_at: row.get(at + 6)?,
        disabled_at: row.get(at + 7)?,
        organization_id: row.get(at + 8)?,
        stopped_at: row.get(at + 9)?,
    })
}

pub async fn by_client_id(
    db: &mut impl Read,
    project: ProjectId,
    client_id: &str,
) -> Result<Option<Application>, StoreError> {
    let row =
        db.one(select!("WHERE project_id = $1 AND client_id = $2"), params![project, client_id]).await?;
    row.as_ref().map(|row| application(row, 0)).transpose()
}

/// The same, with the digests of its secrets: who proves to be it by one is asked at every token.
pub async fn with_secrets(
    db: &mut impl Read,
    project: ProjectId,
    client_id: &str,
) -> Result<Option<(Application, Vec<Digest>)>, StoreError> {
    let sql =
        "SELECT a.id, a.project_id, a.client_id, a.display_name, a.settings, a.created_at, a.updated_at,
                      a.disabled_at, a.organization_id, a.stopped_at, s.digest
               FROM applications a LEFT JOIN application_secrets s ON s.application_id = a.id
               WHERE a.project_id = $1 AND a.client_id = $2";
    let rows = db.all(sql, params![project, client_id]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let digests = rows.iter().filter(|row| !row.is_null(10)).map(|row| row.get(10));
    Ok(Some((application(first, 0)?, digests.collect::<Result<_, _>>()?)))
}

pub async fn by_id(
    db: &mut impl Read,
    project: ProjectId,
    id: ApplicationId,
) -> Result<Option<Application>, StoreError> {
    let row = db.one(select!("WHERE id = $2 AND project_id = $1"), params![project, id]).await?;
    row.as_ref().map(|row| application(row, 0)).transpose()
}

/// One of whatever project, unless it is out of service.
pub async fn enabled(db: &mut impl Read, id: ApplicationId) -> Result<Option<Application>, StoreError> {
    let row =
        db.one(select!("WHERE id = $1 AND disabled_at IS NULL AND stopped_at IS NULL"), params![id]).await?;
    row.as_ref().map(|row| application(row, 0)).transpose()
}

pub async fn of_project(db: &mut impl Read, project: ProjectId) -> Result<Vec<Application>, StoreError> {
    db.all(select!("WHERE project_id = $1 ORDER BY id"), params![project])
        .await?
        .iter()
        .map(|row| application(row, 0))
        .collect()
}

/// A page, in the order of the ids.
pub async fn page(
    db: &mut impl Read,
    project: ProjectId,
    after: &str,
    most: u32,
) -> Result<Vec<Application>, StoreError> {
    let sql = select!(
        "WHERE project_id = $1 AND id > $2
           AND NOT EXISTS (SELECT 1 FROM organizations o
                           WHERE o.id = applications.organization_id AND o.deleted_at IS NOT NULL)
         ORDER BY id LIMIT $3"
    );
    db.all(sql, params![project, after, most]).await?.iter().map(|row| application(row, 0)).collect()
}

/// A page of those that an organization owns, in the order of the ids.
pub async fn page_of(
    db: &mut impl Read,
    organization: OrganizationId,
    after: &str,
    most: u32,
) -> Result<Vec<Application>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    db.all(sql, params![organization, after, most]).await?.iter().map(|row| application(row, 0)).collect()
}

/// How many an organization owns: those that are enabled, and all.
pub async fn count_of(db: &mut impl Read, organization: OrganizationId) -> Result<(i64, i64), StoreError> {
    let sql = "SELECT COUNT(*) - COUNT(disabled_at), COUNT(*) FROM applications WHERE organization_id = $1";
    db.one(sql, params![organization]).await?.map_or(Ok((0, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Organizations that own any.
pub async fn owners(db: &mut impl Read, project: ProjectId) -> Result<Vec<OrganizationId>, StoreError> {
    let sql = "SELECT DISTINCT organization_id FROM applications
               WHERE project_id = $1 AND organization_id IS NOT NULL ORDER BY organization_id";
    db.all(sql, params![project]).await?.iter().map(|row| row.get(0)).collect()
}

/// The client ids of those that were taken out of service at this moment, each with the slug of whose it is.
pub async fn stopped_at(
    db: &mut impl Read,
    project: ProjectId,
    at: Moment,
) -> Result<Vec<(String, String)>, StoreError> {
    let sql =
        "SELECT a.client_id, o.slug FROM applications a JOIN organizations o ON o.id = a.organization_id
               WHERE a.project_id = $1 AND a.stopped_at = $2 AND a.disabled_at IS NULL ORDER BY a.client_id";
    db.all(sql, params![project, at]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Takes it out of service, or lets it go on, as whose it is may own any.
pub async fn set_stopped(
    tx: &mut Tx<'_>,
    id: ApplicationId,
    stopped_at: Option<Moment>,
) -> Result<(), StoreError> {
    tx.execute("UPDATE applications SET stopped_at = $2 WHERE id = $1", params![id, stopped_at]).await?;
    Ok(())
}

/// Disables all that an organization owns; how many there were.
pub async fn disable_all(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    now: Moment,
) -> Result<u64, StoreError> {
    let sql = "UPDATE applications SET disabled_at = $2, updated_at = $2
               WHERE organization_id = $1 AND disabled_at IS NULL";
    tx.execute(sql, params![organization, now]).await
}

/// Those that got tokens in a session and are told when it ends, so many at most.
pub async fn entered(
    db: &mut impl Read,
    project: ProjectId,
    session: SessionId,
    most: u32,
) -> Result<Vec<Application>, StoreError> {
    let sql = select!(
        "WHERE project_id = $1 AND id IN (SELECT application_id FROM session_applications WHERE session_id = $2)
         ORDER BY id LIMIT $3"
    );
    db.all(sql, params![project, session, most]).await?.iter().map(|row| application(row, 0)).collect()
}

/// Adds a secret; of those before, the newest goes on working if `keeps_one`, and any other no more.
pub async fn add_secret(
    tx: &mut Tx<'_>,
    id: ApplicationId,
    secret: Digest,
    keeps_one: bool,
    now: Moment,
) -> Result<(), StoreError> {
    let kept = i64::from(keeps_one);
    tx.execute(
        "DELETE FROM application_secrets WHERE application_id = $1 AND digest NOT IN
         (SELECT digest FROM application_secrets WHERE application_id = $1 ORDER BY created_at DESC, digest LIMIT $2)",
        params![id, kept],
    )
    .await?;
    let sql = "INSERT INTO application_secrets (application_id, digest, created_at) VALUES ($1, $2, $3)";
    tx.execute(sql, params![id, secret, now]).await?;
    Ok(())
}

pub async fn secrets(db: &mut impl Read, id: ApplicationId) -> Result<Vec<Digest>, StoreError> {
    let sql = "SELECT digest FROM application_secrets WHERE application_id = $1 ORDER BY created_at";
    db.all(sql, params![id]).await?.iter().map(|row| row.get(0)).collect()
}

/// Whether a listed organization may use the application.
pub async fn is_listed(
    db: &mut impl Read,
    id: ApplicationId,
    organization: OrganizationId,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM application_organizations WHERE application_id = $1 AND organization_id = $2";
    Ok(db.one(sql, params![id, organization]).await?.is_some())
}

pub async fn listed(db: &mut impl Read, id: ApplicationId) -> Result<Vec<OrganizationId>, StoreError> {
    let sql = "SELECT organization_id FROM application_organizations WHERE application_id = $1 ORDER BY organization_id";
    db.all(sql, params![id]).await?.iter().map(|row| row.get(0)).collect()
}

pub async fn insert(tx: &mut Tx<'_>, application: &Application) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO applications (id, project_id, client_id, display_name, settings, created_at, updated_at,
                                   disabled_at, organization_id, stopped_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            application.id,
            application.project_id,
            &application.client_id,
            &application.display_name,
            to_json(&application.settings),
            application.created_at,
            application.updated_at,
            application.disabled_at,
            application.organization_id,
            application.stopped_at
        ],
    )
    .await?;
    set_origins(tx, application).await
}

/// Whose it is never changes, and why it is out of service is written apart.
pub async fn update(tx: &mut Tx<'_>, application: &Application) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE applications SET display_name = $2, settings = $3, updated_at = $4, disabled_at = $5 WHERE id = $1",
        params![
            application.id,
            &application.display_name,
            to_json(&application.settings),
            application.updated_at,
            application.disabled_at
        ],
    )
    .await?;
    set_origins(tx, application).await
}

async fn set_origins(tx: &mut Tx<'_>, application: &Application) -> Result<(), StoreError> {
    tx.execute("DELETE FROM application_origins WHERE application_id = $1", params![application.id]).await?;
    for origin in &application.settings.client.cors_origins {
        tx.execute(
            "INSERT INTO application_origins (application_id, project_id, origin) VALUES ($1, $2, $3)",
            params![application.id, application.project_id, origin.as_str()],
        )
        .await?;
    }
    Ok(())
}

/// Whether some application of the project, which is not disabled, has pages of this origin.
pub async fn is_origin(db: &mut impl Read, project: ProjectId, origin: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM application_origins o JOIN applications a ON a.id = o.application_id
               WHERE o.project_id = $1 AND o.origin = $2 AND a.disabled_at IS NULL AND a.stopped_at IS NULL LIMIT 1";
    Ok(db.one(sql, params![project, origin]).await?.is_some())
}

pub async fn set_secrets(
    tx: &mut Tx<'_>,
    id: ApplicationId,
    secrets: &[Digest],
    now: Moment,
) -> Result<(), StoreError> {
    tx.execute("DELETE FROM application_secrets WHERE application_id = $1", params![id]).await?;
    for digest in secrets {
        tx.execute(
            "INSERT INTO application_secrets (application_id, digest, created_at) VALUES ($1, $2, $3)",
            params![id, *digest, now],
        )
        .await?;
    }
    Ok(())
}

pub async fn set_listed(
    tx: &mut Tx<'_>,
    id: ApplicationId,
    organizations: &[OrganizationId],
) -> Result<(), StoreError> {
    tx.execute("DELETE FROM application_organizations WHERE application_id = $1", params![id]).await?;
    for organization in organizations {
        tx.execute(
            "INSERT INTO application_organizations (application_id, organization_id) VALUES ($1, $2)",
            params![id, *organization],
        )
        .await?;
    }
    Ok(())
}
