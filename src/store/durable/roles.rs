//! Custom roles in the durable store.

use std::collections::BTreeMap;

use super::engine::{Lock, Read, Row, StoreError, Tx, params};
use super::{json, parsed, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, ProjectId, RoleId};
use crate::model::connection::Settings;
use crate::model::delegation::DelegationSettings;
use crate::model::domain::AutoJoin;
use crate::model::policy::Policy;
use crate::model::role::{self, Role, RoleScope};

/// The custom roles of an organization, with those that every organization of the project has: of a name there is only
/// one ([`is_taken`]).
pub async fn permissions(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let sql = "SELECT name, permissions FROM roles
               WHERE project_id = $1 AND COALESCE(organization_id, '') IN ('', $2) AND scope = 'organization'";
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

fn one(row: &Row) -> Result<Role, StoreError> {
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
    db.one(sql, params![project, id]).await?.as_ref().map(one).transpose()
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
    db.one(sql, params![project, place, name]).await?.as_ref().map(one).transpose()
}

/// What roles of an organization are called to people: a built-in one by its name, which the pages say in their own words.
pub async fn called(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
    names: &[String],
) -> Result<Vec<String>, StoreError> {
    if names.iter().all(|name| role::built_in(name).is_some()) {
        return Ok(names.to_vec());
    }
    let sql = "SELECT name, display_name FROM roles
               WHERE project_id = $1 AND COALESCE(organization_id, '') IN ('', $2) AND scope = 'organization'";
    let mut known = BTreeMap::<String, String>::new();
    for row in db.all(sql, params![project, organization]).await? {
        known.insert(row.get(0)?, row.get(1)?);
    }
    Ok(names.iter().map(|name| known.get(name).unwrap_or(name).clone()).collect())
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
        "WHERE project_id = $1 AND COALESCE(organization_id, '') IN ('', $2) AND scope = $3 AND id > $4
         ORDER BY id LIMIT $5"
    );
    let place = organization.map_or_else(String::new, |id| id.to_string());
    db.all(sql, params![project, place, scope.word(), after, most]).await?.iter().map(one).collect()
}

/// Whether a role of this name would stand where another one is meant: of an organization, where every one has it; of every
/// one, where some organization has its own. Whoever deleted the one would give the other to whom the first was given
/// (threats H01). The project is locked, so that of two who ask at once the second sees what the first has made.
pub async fn is_taken(
    tx: &mut Tx<'_>,
    project: ProjectId,
    (organization, scope): (Option<OrganizationId>, RoleScope),
    name: &str,
) -> Result<bool, StoreError> {
    tx.lock(Lock::Exclusive, "projects", &project.to_string()).await?;
    // What is the project's own is given in no organization.
    let sql = "SELECT 1 FROM roles
               WHERE project_id = $1 AND name = $2
                 AND (COALESCE(organization_id, '') = COALESCE(CAST($3 AS TEXT), '')
                      OR (scope = 'organization' AND CAST($4 AS TEXT) = 'organization'
                          AND (organization_id IS NULL OR CAST($3 AS TEXT) IS NULL)))
               LIMIT 1";
    Ok(tx.one(sql, params![project, name, organization, scope.word()]).await?.is_some())
}

/// Fails with [`StoreError::Unique`] where there is one of this name already; see [`is_taken`].
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

/// Holds roles that are to be given in an organization: until the transaction ends nobody deletes them. Fails with
/// [`StoreError::Conflict`] where one is gone: whoever looked a moment ago looks again.
pub async fn hold(tx: &mut Tx<'_>, organization: OrganizationId, names: &[String]) -> Result<(), StoreError> {
    for name in names.iter().filter(|name| role::built_in(name).is_none()) {
        let found = given_as(tx, organization, name).await?.ok_or(StoreError::Conflict)?;
        tx.lock(Lock::Shared, "roles", &found.to_string()).await?;
        if given_as(tx, organization, name).await? != Some(found) {
            return Err(StoreError::Conflict);
        }
    }
    Ok(())
}

/// The same of one of the project itself; absent: there is none of this name.
pub async fn hold_of_project(
    tx: &mut Tx<'_>,
    project: ProjectId,
    name: &str,
) -> Result<Option<RoleId>, StoreError> {
    let of_project = |role: &Role| role.scope == RoleScope::Project;
    let Some(found) = named(tx, project, None, name).await?.filter(of_project) else { return Ok(None) };
    tx.lock(Lock::Shared, "roles", &found.id.to_string()).await?;
    match by_id(tx, project, found.id).await? {
        Some(_) => Ok(Some(found.id)),
        None => Err(StoreError::Conflict),
    }
}

/// The role that this name means in an organization.
async fn given_as(
    db: &mut impl Read,
    organization: OrganizationId,
    name: &str,
) -> Result<Option<RoleId>, StoreError> {
    let sql = "SELECT r.id FROM organizations o JOIN roles r ON r.project_id = o.project_id
               WHERE o.id = $1 AND r.name = $2 AND r.scope = 'organization'
                 AND (r.organization_id IS NULL OR r.organization_id = o.id)";
    db.one(sql, params![organization, name]).await?.map(|row| row.get(0)).transpose()
}

/// A statement on what is in one place: in an organization, whose id the column is, or anywhere in a project. Two statements,
/// so that by each an index leads to what it is about.
macro_rules! placed {
    ($head:literal, $organization:literal, $rest:literal) => {
        Placed {
            organization: concat!($head, " WHERE ", $organization, " = $1 ", $rest),
            project: concat!($head, " WHERE project_id = $1 ", $rest),
        }
    };
}

struct Placed {
    organization: &'static str,
    project: &'static str,
}

/// Where a role is one: its first parameter, and which of two statements is meant.
struct Where {
    id: String,
    is_project: bool,
}

impl Where {
    fn of(project: ProjectId, organization: Option<OrganizationId>) -> Self {
        let id = organization.map_or_else(|| project.to_string(), |id| id.to_string());
        Self { id, is_project: organization.is_none() }
    }

    const fn sql(&self, placed: &Placed) -> &'static str {
        if self.is_project { placed.project } else { placed.organization }
    }
}

/// Memberships that hold a role.
const HELD: Placed = Placed {
    organization: "SELECT membership_id FROM membership_roles WHERE organization_id = $1 AND role = $2 LIMIT 1",
    project: "SELECT r.membership_id FROM membership_roles r
              CROSS JOIN organizations o
              WHERE o.id = r.organization_id AND o.project_id = $1 AND r.role = $2 LIMIT 1",
};

/// Whether somebody holds it, of whatever status, is expected to, is invited to, or has it by a rule: in the organization,
/// or in any of the project where it is the project's.
pub async fn in_use(
    db: &mut impl Read,
    project: ProjectId,
    organization: Option<OrganizationId>,
    name: &str,
) -> Result<bool, StoreError> {
    let place = Where::of(project, organization);
    let ruled = placed!("SELECT id FROM role_rules", "organization_id", "AND role = $2 LIMIT 1");
    for sql in [&HELD, &ruled] {
        if db.one(place.sql(sql), params![&place.id, name]).await?.is_some() {
            return Ok(true);
        }
    }
    // Only what holds the name at all is read.
    let quoted = to_json(&name);
    let expected = placed!(
        "SELECT roles FROM expected_members",
        "organization_id",
        "AND used_at IS NULL AND REPLACE(roles, $2, '') <> roles"
    );
    let invited = placed!(
        "SELECT roles FROM invitations",
        "organization_id",
        "AND accepted_at IS NULL AND revoked_at IS NULL AND REPLACE(roles, $2, '') <> roles"
    );
    for sql in [&expected, &invited] {
        for row in db.all(place.sql(sql), params![&place.id, quoted.as_str()]).await? {
            if json::<Vec<String>>(&row, 0)?.iter().any(|role| role == name) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// By what else than a membership a role is given, or what else is said of it: what names it must be changed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenBy {
    Delegation,
    Connection,
    AutoJoin,
    Policy,
}

/// Whether something gives it, in the organization, or in any of the project where it is the project's.
pub async fn given_by(
    db: &mut impl Read,
    project: ProjectId,
    organization: Option<OrganizationId>,
    name: &str,
) -> Result<Option<GivenBy>, StoreError> {
    let place = Where::of(project, organization);
    // Only what holds the name at all is read.
    let quoted = to_json(&name);
    let quoted = quoted.as_str();
    let delegations = placed!(
        "SELECT settings FROM delegations",
        "target_organization_id",
        "AND revoked_at IS NULL AND REPLACE(settings, $2, '') <> settings"
    );
    for row in db.all(place.sql(&delegations), params![&place.id, quoted]).await? {
        if json::<DelegationSettings>(&row, 0)?.roles.iter().any(|role| role == name) {
            return Ok(Some(GivenBy::Delegation));
        }
    }
    let connections = placed!(
        "SELECT settings, organization_id FROM connections",
        "organization_id",
        "AND REPLACE(settings, $2, '') <> settings"
    );
    let mut rows = db.all(place.sql(&connections), params![&place.id, quoted]).await?;
    // One of another organization may let people join this one, too.
    let others = "SELECT settings, organization_id FROM connections
                  WHERE project_id = $1 AND joins_others = 1 AND REPLACE(settings, $2, '') <> settings";
    rows.extend(db.all(others, params![project, quoted]).await?);
    for row in rows {
        let (settings, of): (Settings, Option<OrganizationId>) = (json(&row, 0)?, row.get(1)?);
        let is_joined =
            organization.is_none_or(|id| of == Some(id) || settings.assign_organizations.contains(&id));
        if is_joined && settings.default_roles.iter().any(|role| role == name) {
            return Ok(Some(GivenBy::Connection));
        }
    }
    let domains = placed!(
        "SELECT auto_join FROM domains",
        "organization_id",
        "AND state <> 'removed' AND REPLACE(auto_join, $2, '') <> auto_join"
    );
    for row in db.all(place.sql(&domains), params![&place.id, quoted]).await? {
        if json::<AutoJoin>(&row, 0)?.role.as_deref() == Some(name) {
            return Ok(Some(GivenBy::AutoJoin));
        }
    }
    let policies = placed!(
        "SELECT policy FROM organizations",
        "id",
        "AND deleted_at IS NULL AND REPLACE(policy, $2, '') <> policy"
    );
    for row in db.all(place.sql(&policies), params![&place.id, quoted]).await? {
        if json::<Policy>(&row, 0)?.mfa_required_for.iter().any(|role| role == name) {
            return Ok(Some(GivenBy::Policy));
        }
    }
    Ok(None)
}

/// From how many places a role was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub memberships: u64,
    pub expected: u64,
    pub invitations: u64,
    pub rules: u64,
}

/// Whether a name stands in a list of names in JSON just as it is, and can be taken out of it as a text.
pub fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':'))
}

/// Takes it from everybody who holds it, is expected to, is invited to, or has it by a rule, in as many statements whoever
/// they are. The name must be a plain one.
pub async fn take_away(
    tx: &mut Tx<'_>,
    project: ProjectId,
    organization: Option<OrganizationId>,
    name: &str,
    now: Moment,
) -> Result<Taken, StoreError> {
    let place = Where::of(project, organization);
    let (after, before, only) = (format!(",\"{name}\""), format!("\"{name}\","), format!("\"{name}\""));
    let (after, before, only) = (after.as_str(), before.as_str(), only.as_str());
    let memberships = Placed {
        organization: "UPDATE memberships
                       SET roles = REPLACE(REPLACE(REPLACE(roles, $3, ''), $4, ''), $5, ''), updated_at = $6
                       WHERE id IN (SELECT membership_id FROM membership_roles WHERE organization_id = $1 AND role = $2)",
        project: "UPDATE memberships
                  SET roles = REPLACE(REPLACE(REPLACE(roles, $3, ''), $4, ''), $5, ''), updated_at = $6
                  WHERE project_id = $1 AND id IN (SELECT membership_id FROM membership_roles WHERE role = $2)",
    };
    let memberships =
        tx.execute(place.sql(&memberships), params![&place.id, name, after, before, only, now]).await?;
    let held = Placed {
        organization: "DELETE FROM membership_roles WHERE organization_id = $1 AND role = $2",
        project: "DELETE FROM membership_roles
                  WHERE role = $2
                    AND EXISTS (SELECT 1 FROM organizations o WHERE o.id = organization_id AND o.project_id = $1)",
    };
    tx.execute(place.sql(&held), params![&place.id, name]).await?;
    let expected = placed!(
        "UPDATE expected_members SET roles = REPLACE(REPLACE(REPLACE(roles, $2, ''), $3, ''), $4, '')",
        "organization_id",
        "AND used_at IS NULL AND REPLACE(roles, $4, '') <> roles"
    );
    let expected = tx.execute(place.sql(&expected), params![&place.id, after, before, only]).await?;
    let invitations = placed!(
        "UPDATE invitations SET roles = REPLACE(REPLACE(REPLACE(roles, $2, ''), $3, ''), $4, '')",
        "organization_id",
        "AND accepted_at IS NULL AND revoked_at IS NULL AND REPLACE(roles, $4, '') <> roles"
    );
    let invitations = tx.execute(place.sql(&invitations), params![&place.id, after, before, only]).await?;
    let rules = placed!("DELETE FROM role_rules", "organization_id", "AND role = $2");
    let rules = tx.execute(place.sql(&rules), params![&place.id, name]).await?;
    Ok(Taken { memberships, expected, invitations, rules })
}
