//! By what those who own an organization have come in, in the durable store: a policy that leaves none of it open locks
//! them out.

use super::engine::{Read, StoreError, params};
use super::{connections, json};
use crate::foundation::email::Email;
use crate::foundation::id::{IdentityId, OrganizationId};
use crate::model::connection::Connection;
use crate::model::identity::IdentityFacts;
use crate::model::policy::{Policy, Switches};
use crate::model::session::Acr;

/// How an active owner has come in.
#[derive(Clone, Debug)]
pub struct WayIn {
    pub identity: IdentityId,
    /// As its provider called them last.
    pub email: Option<Email>,
    pub roles: Vec<String>,
    pub connection: Connection,
    /// What its provider said of them.
    pub facts: IdentityFacts,
    /// Whether a session of theirs by it was proved by more than one factor.
    pub multi_factor: bool,
}

impl WayIn {
    /// Whether switches and pins leave it open.
    pub fn is_open(&self, policy: &Policy, project: &Switches) -> bool {
        self.connection.is_active() && policy.lets_in_by(project, &self.connection, &self.facts)
    }

    /// Whether it has proved as much as the policy wants of who owns the organization.
    pub fn is_enough(&self, policy: &Policy) -> bool {
        self.multi_factor || !policy.wants_mfa_of(&self.roles)
    }
}

/// Owners and their identities are few.
const MOST: u32 = 200;

pub async fn of_owners(db: &mut impl Read, organization: OrganizationId) -> Result<Vec<WayIn>, StoreError> {
    let sql = "SELECT c.id, c.project_id, c.organization_id, c.slug, c.display_name, c.state, c.version, c.settings,
                      c.secret, c.created_at, c.updated_at, m.roles, i.facts,
                      CASE WHEN EXISTS (SELECT 1 FROM sessions s
                                        WHERE s.user_id = i.user_id AND s.identity_id = i.id AND s.acr = $2)
                           THEN 1 ELSE 0 END,
                      i.id, i.email
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
        })
    };
    rows.iter().map(way).collect()
}
