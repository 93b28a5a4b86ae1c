//! Custom roles in the durable store.

use std::collections::BTreeMap;

use super::engine::{Read, StoreError, Tx, params};
use super::{json, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, ProjectId, RoleId};
use crate::model::role::RoleScope;

/// The custom roles of an organization, with those that every organization of the project has; its own one
/// comes before a project's of the same name.
pub async fn permissions(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let sql = "SELECT name, permissions FROM roles
               WHERE project_id = $1 AND scope = 'organization' AND (organization_id IS NULL OR organization_id = $2)
               ORDER BY organization_id IS NOT NULL, name";
    let mut roles = BTreeMap::new();
    for row in db.all(sql, params![project, organization]).await? {
        roles.insert(row.get(0)?, json(&row, 1)?);
    }
    Ok(roles)
}

/// The custom roles of the project itself or of one organization alone.
pub async fn own(
    db: &mut impl Read,
    project: ProjectId,
    organization: Option<OrganizationId>,
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let sql = "SELECT name, permissions FROM roles
               WHERE project_id = $1 AND COALESCE(organization_id, '') = $2 ORDER BY name";
    let place = organization.map_or_else(String::new, |id| id.to_string());
    let mut roles = BTreeMap::new();
    for row in db.all(sql, params![project, place]).await? {
        roles.insert(row.get(0)?, json(&row, 1)?);
    }
    Ok(roles)
}

/// A custom role to write.
#[derive(Clone, Debug)]
pub struct RoleRow<'a> {
    pub id: RoleId,
    pub project: ProjectId,
    pub organization: Option<OrganizationId>,
    pub name: &'a str,
    pub permissions: &'a [String],
}

pub async fn put(tx: &mut Tx<'_>, role: &RoleRow<'_>, now: Moment) -> Result<(), StoreError> {
    let place = role.organization.map_or_else(String::new, |id| id.to_string());
    let changed = tx
        .execute(
            "UPDATE roles SET permissions = $4, updated_at = $5
             WHERE project_id = $1 AND name = $2 AND COALESCE(organization_id, '') = $3",
            params![role.project, role.name, place, to_json(&role.permissions), now],
        )
        .await?;
    if changed == 0 {
        tx.execute(
            "INSERT INTO roles (id, project_id, organization_id, scope, name, display_name, permissions, created_at,
                                updated_at)
             VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $7)",
            params![
                role.id,
                role.project,
                role.organization,
                RoleScope::Organization.word(),
                role.name,
                to_json(&role.permissions),
                now
            ],
        )
        .await?;
    }
    Ok(())
}
