//! By what those who own an organization have come in, in the durable store: a change that leaves none of it open locks
//! them out.

use super::engine::{Read, StoreError, params};
use super::{connections, json, role_rules, roles};
use crate::foundation::email::Email;
use crate::foundation::id::{IdentityId, OrganizationId, ProjectId};
use crate::model::connection::Connection;
use crate::model::identity::{IdentityFacts, Naming};
use crate::model::organization::{Enforcement, Organization};
use crate::model::policy::{Policy, Switches};
use crate::model::role_rule;
use crate::model::session::Acr;

/// How an active owner has come in.
#[derive(Clone, Debug)]
pub struct WayIn {
    pub identity: IdentityId,
    /// As its provider called them last.
    pub email: Option<Email>,
    /// What they hold, with what role rules give them by what their provider said last: as when they come by it again.
    pub roles: Vec<String>,
    pub connection: Connection,
    /// How their provider called itself when they came.
    pub issuer: String,
    /// What its provider said of them.
    pub facts: IdentityFacts,
    /// By what it named them.
    pub naming: Naming,
    /// Whether a session of theirs by it was proved by more than one factor.
    pub multi_factor: bool,
}

impl WayIn {
    /// Whether the connection leads to the provider that knows them: under the same name, another one's people are others.
    pub fn is_known(&self) -> bool {
        self.connection.settings.upstream.issuer() == self.issuer
    }

    /// Whether its provider's answers still name people by what named them.
    pub fn is_named(&self) -> bool {
        self.connection.settings.upstream.names_by(&self.naming)
    }

    /// Whether switches, pins and enforcement leave it open.
    pub fn is_open(&self, organization: &Organization, project: &Switches) -> bool {
        let policy = &organization.policy;
        let own = self.connection.organization_id == Some(organization.id);
        (own || policy.enforcement == Enforcement::Off)
            && policy.lets_in_by(project, &self.connection, &self.facts)
    }

    /// Whether it has proved as much as the policy wants of who owns the organization.
    pub fn is_enough(&self, policy: &Policy) -> bool {
        self.multi_factor || !policy.wants_mfa_of(&self.roles)
    }
}

/// Owners and their identities are few.
const MOST: u32 = 200;

/// Organizations of a project, in the order of their ids, whose owners have come by anything.
pub async fn entered(db: &mut impl Read, project: ProjectId) -> Result<Vec<OrganizationId>, StoreError> {
    let sql = "SELECT DISTINCT r.organization_id
               FROM connections c
               JOIN identities i ON i.connection_id = c.id
               JOIN memberships m ON m.user_id = i.user_id AND m.status = 'active'
               JOIN membership_roles r ON r.membership_id = m.id AND r.role = 'owner'
               WHERE c.project_id = $1 ORDER BY r.organization_id";
    db.all(sql, params![project]).await?.iter().map(|row| row.get(0)).collect()
}

pub async fn of_owners(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
) -> Result<Vec<WayIn>, StoreError> {
    let sql = "SELECT c.id, c.project_id, c.organization_id, c.slug, c.display_name, c.state, c.version, c.settings,
                      c.secret, c.created_at, c.updated_at, m.roles, i.facts,
                      CASE WHEN EXISTS (SELECT 1 FROM sessions s
                                        WHERE s.user_id = i.user_id AND s.identity_id = i.id AND s.acr = $2)
                           THEN 1 ELSE 0 END,
                      i.id, i.email, i.issuer, i.naming
               FROM membership_roles r
               JOIN memberships m ON m.id = r.membership_id AND m.status = 'active'
               JOIN users u ON u.id = m.user_id AND u.disabled_at IS NULL
               JOIN identities i ON i.user_id = m.user_id
               JOIN connections c ON c.id = i.connection_id
               WHERE r.organization_id = $1 AND r.role = 'owner'
               ORDER BY i.id LIMIT $3";
    let rows = db.all(sql, params![organization, Acr::Multi.word(), MOST]).await?;
    let way = |row| {
        Ok(WayIn {
            connection: connections::connection(row, 0)?,
            roles: json(row, 11)?,
            facts: json(row, 12)?,
            multi_factor: row.get::<i64>(13)? == 1,
            identity: row.get(14)?,
            email: row.get::<Option<String>>(15)?.and_then(|text| Email::parse(&text).ok()),
            issuer: row.get(16)?,
            naming: json(row, 17)?,
        })
    };
    let mut ways = rows.iter().map(way).collect::<Result<Vec<_>, _>>()?;
    let rules =
        if ways.is_empty() { Vec::new() } else { role_rules::of_organization(db, organization).await? };
    if rules.is_empty() {
        return Ok(ways);
    }
    let custom = roles::permissions(db, project, organization).await?;
    for way in &mut ways {
        let own: Vec<_> = rules.iter().filter(|rule| rule.connection == way.connection.id).cloned().collect();
        way.roles.extend(role_rule::given(&own, &way.facts, &custom));
    }
    Ok(ways)
}
