//! By what those who own an organization have come in, in the durable store: a change that leaves none of it open locks
//! them out.

use super::engine::{Read, StoreError, params};
use super::{connections, json, organizations};
use crate::foundation::email::Email;
use crate::foundation::id::{ConnectionId, IdentityId, OrganizationId, ProjectId};
use crate::model::connection::Connection;
use crate::model::identity::{IdentityFacts, Naming};
use crate::model::organization::{Enforcement, Organization};
use crate::model::policy::Switches;
use crate::model::session::Acr;

/// How an active owner has come in.
#[derive(Clone, Debug)]
pub struct WayIn {
    pub identity: IdentityId,
    /// As its provider called them last.
    pub email: Option<Email>,
    /// What they own.
    pub organization: Organization,
    /// What they hold; what role rules give them comes with what their provider says.
    pub roles: Vec<String>,
    pub connection: Connection,
    /// How their provider called itself when they came.
    pub issuer: String,
    /// What its provider said of them.
    pub facts: IdentityFacts,
    /// By what it named them.
    pub naming: Naming,
    /// Whether somebody has said since how they are called: nobody has come under that name yet.
    pub renamed: bool,
    /// Whether a session of theirs by it was proved by more than one factor.
    pub multi_factor: bool,
    /// Whether whose connection it is may be acted for: nobody comes by that of one that is deactivated.
    pub host_is_active: bool,
}

impl WayIn {
    /// Whether the connection leads to the provider that knows them: under the same name, another one's people are others.
    pub fn is_known(&self) -> bool {
        self.connection.settings.upstream.issuer() == self.issuer
    }

    /// Whether its provider's answers still name people by what named them, and they are known by what it called them.
    pub fn is_named(&self) -> bool {
        !self.renamed && self.connection.settings.upstream.names_by(&self.naming)
    }

    /// Whether it leads anywhere, as far as that is for those to say whose connection it is. To be deactivated oneself shuts
    /// out nobody who could come back when that is over.
    pub fn is_live(&self) -> bool {
        self.connection.is_active() && (self.host_is_active || self.is_own())
    }

    fn is_own(&self) -> bool {
        self.connection.organization_id == Some(self.organization.id)
    }

    /// Whether switches, pins and enforcement leave it open.
    pub fn is_open(&self, project: &Switches) -> bool {
        let policy = &self.organization.policy;
        (self.is_own() || policy.enforcement == Enforcement::Off)
            && policy.lets_in_by(project, &self.connection, &self.facts)
    }

    /// Whether it has proved as much as the policy wants of who has these roles besides.
    pub fn is_enough(&self, by_rule: &[String]) -> bool {
        let policy = &self.organization.policy;
        self.multi_factor || !(policy.wants_mfa_of(&self.roles) || policy.wants_mfa_of(by_rule))
    }
}

/// The ways of whom.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    Organization(OrganizationId),
    /// Of every organization of the project.
    Project,
    /// Of the others whose owners have come by a connection of this organization's.
    GuestsOf(OrganizationId),
    /// Of those whose owners have come by this connection.
    Through(ConnectionId),
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.project_id, c.organization_id, c.slug, c.display_name, c.state, c.version, c.settings,
                    c.secret, c.created_at, c.updated_at, m.roles, i.facts,
                    CASE WHEN EXISTS (SELECT 1 FROM sessions s
                                      WHERE s.user_id = i.user_id AND s.identity_id = i.id AND s.acr = $2)
                         THEN 1 ELSE 0 END,
                    i.id, i.email, i.issuer, i.naming,
                    o.id, o.project_id, o.slug, o.display_name, o.description, o.logo_uri, o.functional_roles, o.policy,
                    o.created_at, o.updated_at, o.deactivated_at, o.deleted_at, o.kind, o.purge_at, o.epoch,
                    CASE WHEN i.renamed_at IS NULL THEN 0 ELSE 1 END,
                    CASE WHEN p.deactivated_at IS NULL AND p.deleted_at IS NULL THEN 1 ELSE 0 END
             FROM membership_roles r
             JOIN memberships m ON m.id = r.membership_id AND m.status = 'active'
             JOIN organizations o ON o.id = r.organization_id AND o.project_id = $1 AND o.deleted_at IS NULL
             JOIN users u ON u.id = m.user_id AND u.disabled_at IS NULL
             JOIN identities i ON i.user_id = m.user_id
             JOIN connections c ON c.id = i.connection_id
             LEFT JOIN organizations p ON p.id = c.organization_id
             WHERE r.role = 'owner'",
            $rest
        )
    };
}

/// In the order of the organizations. Each in one read, however many there are.
pub async fn of_owners(db: &mut impl Read, project: ProjectId, of: Of) -> Result<Vec<WayIn>, StoreError> {
    let rows = match of {
        Of::Organization(id) => {
            // Owners and their identities are few.
            let sql = select!(" AND r.organization_id = $3 ORDER BY i.id LIMIT 200");
            db.all(sql, params![project, Acr::Multi.word(), id]).await?
        }
        Of::Project => {
            let sql = select!(" ORDER BY r.organization_id, i.id");
            db.all(sql, params![project, Acr::Multi.word()]).await?
        }
        Of::GuestsOf(id) => {
            let sql = select!(
                " AND r.organization_id <> $3
                  AND r.organization_id IN (SELECT g.organization_id FROM connections k
                                            JOIN identities h ON h.connection_id = k.id
                                            JOIN memberships n ON n.user_id = h.user_id AND n.status = 'active'
                                            JOIN membership_roles g ON g.membership_id = n.id AND g.role = 'owner'
                                            WHERE k.organization_id = $3)
                  ORDER BY r.organization_id, i.id"
            );
            db.all(sql, params![project, Acr::Multi.word(), id]).await?
        }
        Of::Through(id) => {
            let sql = select!(
                " AND EXISTS (SELECT 1 FROM membership_roles g
                              JOIN memberships n ON n.id = g.membership_id AND n.status = 'active'
                              JOIN identities h ON h.user_id = n.user_id
                              WHERE g.organization_id = r.organization_id AND g.role = 'owner'
                                AND h.connection_id = $3)
                  ORDER BY r.organization_id, i.id"
            );
            db.all(sql, params![project, Acr::Multi.word(), id]).await?
        }
    };
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
            organization: organizations::organization(row, 18)?,
            renamed: row.get::<i64>(33)? == 1,
            host_is_active: row.get::<i64>(34)? == 1,
        })
    };
    rows.iter().map(way).collect()
}
