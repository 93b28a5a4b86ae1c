//! Organizations in the durable store.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, optional_json, to_json};
use crate::foundation::id::{OrganizationId, ProjectId};
use crate::model::organization::Organization;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, project_id, slug, display_name, description, logo_uri, functional_roles, policy, created_at,
                    updated_at, deactivated_at, deleted_at
             FROM organizations ",
            $rest
        )
    };
}

pub(super) fn organization(row: &Row, at: usize) -> Result<Organization, StoreError> {
    Ok(Organization {
        id: row.get(at)?,
        project_id: row.get(at + 1)?,
        slug: row.get(at + 2)?,
        display_name: row.get(at + 3)?,
        description: row.get(at + 4)?,
        logo_uri: row.get(at + 5)?,
        functional_roles: optional_json(row, at + 6)?,
        policy: json(row, at + 7)?,
        created_at: row.get(at + 8)?,
        updated_at: row.get(at + 9)?,
        deactivated_at: row.get(at + 10)?,
        deleted_at: row.get(at + 11)?,
    })
}

pub async fn by_id(
    db: &mut impl Read,
    project: ProjectId,
    id: OrganizationId,
) -> Result<Option<Organization>, StoreError> {
    let row = db.one(select!("WHERE id = $2 AND project_id = $1"), params![project, id]).await?;
    row.as_ref().map(|row| organization(row, 0)).transpose()
}

pub async fn by_slug(
    db: &mut impl Read,
    project: ProjectId,
    slug: &str,
) -> Result<Option<Organization>, StoreError> {
    let row = db.one(select!("WHERE project_id = $1 AND slug = $2"), params![project, slug]).await?;
    row.as_ref().map(|row| organization(row, 0)).transpose()
}

/// The organization that an application or a file names, by id or by slug.
pub async fn named(
    db: &mut impl Read,
    project: ProjectId,
    name: &str,
) -> Result<Option<Organization>, StoreError> {
    match name.parse() {
        Ok(id) => by_id(db, project, id).await,
        Err(_) => by_slug(db, project, name).await,
    }
}

pub async fn of_project(db: &mut impl Read, project: ProjectId) -> Result<Vec<Organization>, StoreError> {
    db.all(select!("WHERE project_id = $1 ORDER BY slug"), params![project])
        .await?
        .iter()
        .map(|row| organization(row, 0))
        .collect()
}

/// Whose slug this is or has been.
pub async fn slug_holder(
    db: &mut impl Read,
    project: ProjectId,
    slug: &str,
) -> Result<Option<OrganizationId>, StoreError> {
    let sql = "SELECT organization_id FROM organization_slugs WHERE project_id = $1 AND slug = $2";
    db.one(sql, params![project, slug]).await?.map(|row| row.get(0)).transpose()
}

pub async fn insert(tx: &mut Tx<'_>, organization: &Organization) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO organizations (id, project_id, slug, display_name, description, logo_uri, functional_roles,
                                    policy, created_at, updated_at, deactivated_at, deleted_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        params![
            organization.id,
            organization.project_id,
            &organization.slug,
            &organization.display_name,
            organization.description.as_deref(),
            organization.logo_uri.as_deref(),
            organization.functional_roles.as_ref().map(to_json),
            to_json(&organization.policy),
            organization.created_at,
            organization.updated_at,
            organization.deactivated_at,
            organization.deleted_at
        ],
    )
    .await?;
    keep_slug(tx, organization).await
}

pub async fn update(tx: &mut Tx<'_>, organization: &Organization) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE organizations
         SET slug = $2, display_name = $3, description = $4, logo_uri = $5, functional_roles = $6, policy = $7,
             updated_at = $8, deactivated_at = $9, deleted_at = $10
         WHERE id = $1",
        params![
            organization.id,
            &organization.slug,
            &organization.display_name,
            organization.description.as_deref(),
            organization.logo_uri.as_deref(),
            organization.functional_roles.as_ref().map(to_json),
            to_json(&organization.policy),
            organization.updated_at,
            organization.deactivated_at,
            organization.deleted_at
        ],
    )
    .await?;
    keep_slug(tx, organization).await
}

/// Fails with [`StoreError::Unique`] where another organization has or had the slug.
async fn keep_slug(tx: &mut Tx<'_>, organization: &Organization) -> Result<(), StoreError> {
    if slug_holder(tx, organization.project_id, &organization.slug).await? == Some(organization.id) {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO organization_slugs (project_id, slug, organization_id) VALUES ($1, $2, $3)",
        params![organization.project_id, &organization.slug, organization.id],
    )
    .await?;
    Ok(())
}

/// Where the logo of an organization is, whichever project it belongs to: ids are no secret, and not guessed.
pub async fn logo_uri(db: &mut impl Read, id: OrganizationId) -> Result<Option<String>, StoreError> {
    let row = db.one("SELECT logo_uri FROM organizations WHERE id = $1", params![id]).await?;
    row.map_or(Ok(None), |row| row.get(0))
}
