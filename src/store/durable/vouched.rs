//! What the word of a connection's provider opens, in the durable store: whoever may change that word may take it all
//! (threats C02).

use std::collections::BTreeSet;

use super::engine::{Read, StoreError, params};
use super::json;
use crate::foundation::id::{ConnectionId, DomainId, OrganizationId, ProjectId};

/// What people have because the provider says who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vouched {
    /// Roles in the connection's own organization.
    pub own: BTreeSet<String>,
    /// Whether they have any in another one, or act for one.
    pub elsewhere: bool,
}

impl Vouched {
    fn add(&mut self, own: bool, roles: impl IntoIterator<Item = String>) {
        match own {
            true => self.own.extend(roles),
            false => self.elsewhere |= roles.into_iter().next().is_some(),
        }
    }
}

/// Roles of those who have come by the connection, of those who are expected from its organization's domains, and those
/// that rules give; and whether its organization's people act for others.
pub async fn by(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
    connection: ConnectionId,
) -> Result<Vouched, StoreError> {
    let mut found = Vouched::default();
    let sql = "SELECT DISTINCT CASE WHEN m.organization_id = $2 THEN 1 ELSE 0 END, r.role
               FROM identities i
               JOIN memberships m ON m.user_id = i.user_id AND m.status <> 'removed'
               JOIN membership_roles r ON r.membership_id = m.id
               WHERE i.connection_id = $1";
    for row in db.all(sql, params![connection, organization]).await? {
        found.add(row.get::<i64>(0)? == 1, [row.get::<String>(1)?]);
    }
    let sql = "SELECT DISTINCT CASE WHEN e.organization_id = $2 THEN 1 ELSE 0 END, e.roles
               FROM expected_members e
               JOIN domains d ON d.organization_id = $2 AND d.state <> 'removed'
                             AND (d.state = 'verified' OR d.routing_since IS NOT NULL)
                             AND substr(e.email, length(e.email) - length(d.name)) = '@' || d.name
               WHERE e.project_id = $1 AND e.used_at IS NULL";
    for row in db.all(sql, params![project, organization]).await? {
        found.add(row.get::<i64>(0)? == 1, json::<Vec<String>>(&row, 1)?);
    }
    let sql = "SELECT role FROM role_rules WHERE connection_id = $1 AND organization_id = $2";
    for row in db.all(sql, params![connection, organization]).await? {
        found.add(true, [row.get::<String>(0)?]);
    }
    let sql = "SELECT 1 FROM delegations WHERE home_organization_id = $1 AND revoked_at IS NULL LIMIT 1";
    found.elsewhere |= db.one(sql, params![organization]).await?.is_some();
    Ok(found)
}

/// Roles of those who are expected from a domain, by which they come in as soon as it leads to whatever connection.
pub async fn expected(
    db: &mut impl Read,
    project: ProjectId,
    (organization, domain): (OrganizationId, DomainId),
) -> Result<Vouched, StoreError> {
    let mut found = Vouched::default();
    let sql = "SELECT DISTINCT CASE WHEN e.organization_id = $2 THEN 1 ELSE 0 END, e.roles
               FROM expected_members e
               JOIN domains d ON d.id = $3 AND substr(e.email, length(e.email) - length(d.name)) = '@' || d.name
               WHERE e.project_id = $1 AND e.used_at IS NULL";
    for row in db.all(sql, params![project, organization, domain]).await? {
        found.add(row.get::<i64>(0)? == 1, json::<Vec<String>>(&row, 1)?);
    }
    Ok(found)
}
