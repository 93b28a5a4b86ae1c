//! Custom roles in the durable store.

use std::collections::BTreeMap;

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, parsed, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, ProjectId, RoleId};
use crate::model::connection::Settings;
use crate::model::delegation::DelegationSettings;
use crate::model::role::{Role, RoleScope};

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

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, scope, name, display_name, permissions, created_at, updated_at FROM roles ",
            $rest
        )
    };
}

fn role(row: &Row) -> Result<Role, StoreError> {
    Ok(Role {
        id: row.get(0)?,
        organization: row.get(1)?,
        scope: parsed(row, 2, RoleScope::from_word)?,
        name: row.get(3)?,
        display_name: row.get(4)?,
        permissions: json(row, 5)?,
        created_at: row.get(6)?,
        updated_at: row.get(7)?,
    })
}

pub async fn by_id(db: &mut impl Read, project: ProjectId, id: RoleId) -> Result<Option<Role>, StoreError> {
    let sql = select!("WHERE project_id = $1 AND id = $2");
    db.one(sql, params![project, id]).await?.as_ref().map(role).transpose()
}

/// One of the project itself or of one organization alone, by its name.
pub async fn named(
    db: &mut impl Read,
    project: ProjectId,
    organization: Option<OrganizationId>,
    name: &str,
) -> Result<Option<Role>, StoreError> {
    let sql = select!("WHERE project_id = $1 AND COALESCE(organization_id, '') = $2 AND name = $3");
    let place = organization.map_or_else(String::new, |id| id.to_string());
    db.one(sql, params![project, place, name]).await?.as_ref().map(role).transpose()
}

/// In the order of the ids: of an organization, with those that every one has; or, of the project, its own alone.
pub async fn page(
    db: &mut impl Read,
    project: ProjectId,
    organization: Option<OrganizationId>,
    scope: RoleScope,
    after: &str,
    most: u32,
) -> Result<Vec<Role>, StoreError> {
    let sql = select!(
        "WHERE project_id = $1 AND (organization_id IS NULL OR organization_id = $2) AND scope = $3 AND id > $4
         ORDER BY id LIMIT $5"
    );
    db.all(sql, params![project, organization, scope.word(), after, most]).await?.iter().map(role).collect()
}

/// Fails with [`StoreError::Unique`] where there is one of this name already.
pub async fn insert(tx: &mut Tx<'_>, project: ProjectId, role: &Role) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO roles (id, project_id, organization_id, scope, name, display_name, permissions, created_at,
                            updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            role.id,
            project,
            role.organization,
            role.scope.word(),
            &role.name,
            &role.display_name,
            to_json(&role.permissions),
            role.created_at,
            role.updated_at
        ],
    )
    .await?;
    Ok(())
}

/// Its name, its organization and its scope stay.
pub async fn update(tx: &mut Tx<'_>, role: &Role) -> Result<(), StoreError> {
    let sql = "UPDATE roles SET display_name = $2, permissions = $3, updated_at = $4 WHERE id = $1";
    let permissions = to_json(&role.permissions);
    tx.execute(sql, params![role.id, &role.display_name, permissions, role.updated_at]).await?;
    Ok(())
}

pub async fn delete(tx: &mut Tx<'_>, id: RoleId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM roles WHERE id = $1", params![id]).await?;
    Ok(())
}

/// Whether somebody holds it, of whatever status, is expected to, or has it by a rule: in the organization, or in any of the project where
/// it is the project's. A project's role that an organization has its own of the same name of counts there all the same.
pub async fn in_use(
    db: &mut impl Read,
    project: ProjectId,
    organization: Option<OrganizationId>,
    name: &str,
) -> Result<bool, StoreError> {
    let held = "SELECT 1 FROM membership_roles r JOIN organizations o ON o.id = r.organization_id
                WHERE o.project_id = $1 AND r.role = $2 AND (CAST($3 AS TEXT) IS NULL OR r.organization_id = $3)
                LIMIT 1";
    if db.one(held, params![project, name, organization]).await?.is_some() {
        return Ok(true);
    }
    let ruled = "SELECT 1 FROM role_rules
                 WHERE project_id = $1 AND role = $2 AND (CAST($3 AS TEXT) IS NULL OR organization_id = $3) LIMIT 1";
    if db.one(ruled, params![project, name, organization]).await?.is_some() {
        return Ok(true);
    }
    let waiting = "SELECT roles FROM expected_members
                   WHERE project_id = $1 AND used_at IS NULL AND (CAST($2 AS TEXT) IS NULL OR organization_id = $2)";
    for row in db.all(waiting, params![project, organization]).await? {
        if json::<Vec<String>>(&row, 0)?.iter().any(|role| role == name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// By what else than a membership a role is given: what that names must be changed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenBy {
    Delegation,
    Connection,
}

/// Whether a delegation or a connection gives it, in the organization, or in any of the project where it is the project's.
pub async fn given_by(
    db: &mut impl Read,
    project: ProjectId,
    organization: Option<OrganizationId>,
    name: &str,
) -> Result<Option<GivenBy>, StoreError> {
    // Only what holds the name at all is read.
    let quoted = to_json(&name);
    let delegations = "SELECT settings FROM delegations
                       WHERE project_id = $1 AND revoked_at IS NULL AND REPLACE(settings, $3, '') <> settings
                         AND (CAST($2 AS TEXT) IS NULL OR target_organization_id = $2)";
    for row in db.all(delegations, params![project, organization, quoted.as_str()]).await? {
        if json::<DelegationSettings>(&row, 0)?.roles.iter().any(|role| role == name) {
            return Ok(Some(GivenBy::Delegation));
        }
    }
    let connections = "SELECT settings FROM connections
                       WHERE project_id = $1 AND REPLACE(settings, $3, '') <> settings
                         AND (CAST($2 AS TEXT) IS NULL OR organization_id = $2)";
    for row in db.all(connections, params![project, organization, quoted.as_str()]).await? {
        if json::<Settings>(&row, 0)?.default_roles.iter().any(|role| role == name) {
            return Ok(Some(GivenBy::Connection));
        }
    }
    Ok(None)
}

/// From how many places a role was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub memberships: u64,
    pub expected: u64,
    pub rules: u64,
}

/// Whether a name stands in a list of names in JSON just as it is, and can be taken out of it as a text.
pub fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':'))
}

/// Takes it from everybody who holds it, is expected to, or has it by a rule, in as many statements whoever they are. Where
/// it is the project's, an organization that has its own one of this name keeps that. The name must be a plain one.
pub async fn take_away(
    tx: &mut Tx<'_>,
    project: ProjectId,
    organization: Option<OrganizationId>,
    name: &str,
    now: Moment,
) -> Result<Taken, StoreError> {
    let (after, before, only) = (format!(",\"{name}\""), format!("\"{name}\","), format!("\"{name}\""));
    let (after, before, only) = (after.as_str(), before.as_str(), only.as_str());
    let memberships = tx
        .execute(
            "UPDATE memberships SET roles = REPLACE(REPLACE(REPLACE(roles, $4, ''), $5, ''), $6, ''), updated_at = $7
             WHERE id IN (SELECT r.membership_id FROM membership_roles r
                          JOIN organizations o ON o.id = r.organization_id
                          WHERE o.project_id = $1 AND r.role = $3
                            AND (r.organization_id = $2 OR (CAST($2 AS TEXT) IS NULL AND NOT EXISTS
                                 (SELECT 1 FROM roles w WHERE w.organization_id = o.id AND w.name = $3))))",
            params![project, organization, name, after, before, only, now],
        )
        .await?;
    tx.execute(
        "DELETE FROM membership_roles
         WHERE role = $3 AND organization_id IN
               (SELECT o.id FROM organizations o
                WHERE o.project_id = $1 AND (o.id = $2 OR (CAST($2 AS TEXT) IS NULL AND NOT EXISTS
                      (SELECT 1 FROM roles w WHERE w.organization_id = o.id AND w.name = $3))))",
        params![project, organization, name],
    )
    .await?;
    let expected = tx
        .execute(
            "UPDATE expected_members SET roles = REPLACE(REPLACE(REPLACE(roles, $4, ''), $5, ''), $6, '')
             WHERE project_id = $1 AND used_at IS NULL AND REPLACE(roles, $6, '') <> roles
               AND (organization_id = $2 OR (CAST($2 AS TEXT) IS NULL AND NOT EXISTS
                    (SELECT 1 FROM roles w WHERE w.organization_id = expected_members.organization_id AND w.name = $3)))",
            params![project, organization, name, after, before, only],
        )
        .await?;
    let rules = tx
        .execute(
            "DELETE FROM role_rules
             WHERE project_id = $1 AND role = $3
               AND (organization_id = $2 OR (CAST($2 AS TEXT) IS NULL AND NOT EXISTS
                    (SELECT 1 FROM roles w WHERE w.organization_id = role_rules.organization_id AND w.name = $3)))",
            params![project, organization, name],
        )
        .await?;
    Ok(Taken { memberships, expected, rules })
}
