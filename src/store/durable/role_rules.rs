//! Role rules in the durable store.

use std::collections::BTreeMap;
use std::time::Duration;

use super::engine::{Read, Row, StoreError, Tx, params};
use super::standing::Standing;
use super::{json, parsed, roles};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId, RoleRuleId, UserId};
use crate::model::identity::IdentityFacts;
use crate::model::role_rule::{self, Approval, Matching, RoleRule};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, connection_id, claim, matching, value, role, approved_by, created_at, updated_at,
                    (SELECT COUNT(*) FROM memberships m
                     JOIN membership_roles o ON o.membership_id = m.id AND o.role = 'owner'
                     JOIN users u ON u.id = m.user_id
                     WHERE m.organization_id = role_rules.organization_id AND m.user_id = role_rules.approved_by
                       AND m.status = 'active' AND u.disabled_at IS NULL)
             FROM role_rules ",
            $rest
        )
    };
}

fn rule(row: &Row) -> Result<RoleRule, StoreError> {
    let (by, owners): (Option<String>, i64) = (row.get(7)?, row.get(10)?);
    // What the operator made counts as it is.
    let approval = by.map(|by| Approval { counts: owners > 0 || by.parse::<UserId>().is_err(), by });
    Ok(RoleRule {
        id: row.get(0)?,
        organization: row.get(1)?,
        connection: row.get(2)?,
        claim: row.get(3)?,
        matching: parsed(row, 4, Matching::from_word)?,
        value: row.get(5)?,
        role: row.get(6)?,
        approval,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
    })
}

/// By its organization and its id.
pub async fn by_id(
    db: &mut impl Read,
    organization: OrganizationId,
    id: RoleRuleId,
) -> Result<Option<RoleRule>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    db.one(sql, params![organization, id]).await?.as_ref().map(rule).transpose()
}

/// A page of them in the order of their ids: all, or those of one connection.
pub async fn page(
    db: &mut impl Read,
    organization: OrganizationId,
    connection: Option<ConnectionId>,
    after: &str,
    most: u32,
) -> Result<Vec<RoleRule>, StoreError> {
    let sql = select!(
        "WHERE organization_id = $1 AND (CAST($2 AS TEXT) IS NULL OR connection_id = $2) AND id > $3
         ORDER BY id LIMIT $4"
    );
    db.all(sql, params![organization, connection, after, most]).await?.iter().map(rule).collect()
}

/// All of an organization, in the order of their ids.
pub async fn of_organization(
    db: &mut impl Read,
    organization: OrganizationId,
) -> Result<Vec<RoleRule>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY id");
    db.all(sql, params![organization]).await?.iter().map(rule).collect()
}

/// Those for which somebody answers who owns the organization.
pub async fn held_up_by(
    db: &mut impl Read,
    organization: OrganizationId,
    owner: UserId,
) -> Result<Vec<RoleRule>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND approved_by = $2 ORDER BY id");
    let mut rules: Vec<_> =
        db.all(sql, params![organization, owner]).await?.iter().map(rule).collect::<Result<_, _>>()?;
    rules.retain(RoleRule::is_approved);
    Ok(rules)
}

/// Those by which a connection of the organization gives roles there.
pub async fn of_connection(
    db: &mut impl Read,
    organization: OrganizationId,
    connection: ConnectionId,
) -> Result<Vec<RoleRule>, StoreError> {
    let sql = select!("WHERE connection_id = $1 AND organization_id = $2 ORDER BY id");
    db.all(sql, params![connection, organization]).await?.iter().map(rule).collect()
}

/// The roles that rules give somebody in the organization whose connection proved them, and in no other; most people come
/// by a connection without any, which costs nothing.
pub async fn given(
    db: &mut impl Read,
    project: ProjectId,
    standing: &Standing,
) -> Result<Vec<String>, StoreError> {
    let Some(provider) = standing.provider.as_ref().filter(|_| standing.has_rules) else {
        return Ok(Vec::new());
    };
    let mut rules = of_connection(db, provider.id, standing.connection.id).await?;
    rules.retain(|rule| rule.because(&standing.facts).is_some());
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let custom = roles::permissions(db, project, provider.id).await?;
    Ok(role_rule::given(&rules, &standing.facts, &custom))
}

/// How long a provider's word of somebody stands where they are not there: whoever has not signed in for so long, of them
/// nobody says it any more (threats H05).
const STANDS_FOR: Duration = Duration::from_secs(30 * 86_400);

/// The roles that rules give somebody in an organization by what its own connections last said of them. Who is on their way
/// is judged by [`given`]: this is for what somebody did earlier, and answers for now.
pub async fn held_by(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
    (user, now): (UserId, Moment),
    custom: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT i.connection_id, i.facts FROM identities i JOIN connections c ON c.id = i.connection_id
               WHERE i.project_id = $1 AND i.user_id = $2 AND c.organization_id = $3 AND c.state = 'active'
                 AND i.last_login_at >= $4
               ORDER BY i.id";
    let rows = db.all(sql, params![project, user, organization, now.minus(STANDS_FOR)]).await?;
    let rules = if rows.is_empty() { Vec::new() } else { of_organization(db, organization).await? };
    let mut roles = Vec::new();
    for row in &rows {
        let (connection, facts): (ConnectionId, IdentityFacts) = (row.get(0)?, json(row, 1)?);
        let own: Vec<_> = rules.iter().filter(|rule| rule.connection == connection).cloned().collect();
        roles.extend(role_rule::given(&own, &facts, custom));
    }
    Ok(roles)
}

pub async fn insert(tx: &mut Tx<'_>, project: ProjectId, rule: &RoleRule) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO role_rules (id, project_id, organization_id, connection_id, claim, matching, value, role,
                                 approved_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            rule.id,
            project,
            rule.organization,
            rule.connection,
            &rule.claim,
            rule.matching.word(),
            &rule.value,
            &rule.role,
            rule.approval.as_ref().map(|approval| &*approval.by),
            rule.created_at,
            rule.updated_at
        ],
    )
    .await?;
    Ok(())
}

/// Its organization and its connection stay.
pub async fn update(tx: &mut Tx<'_>, rule: &RoleRule) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE role_rules SET claim = $2, matching = $3, value = $4, role = $5, approved_by = $6, updated_at = $7
         WHERE id = $1",
        params![
            rule.id,
            &rule.claim,
            rule.matching.word(),
            &rule.value,
            &rule.role,
            rule.approval.as_ref().map(|approval| &*approval.by),
            rule.updated_at
        ],
    )
    .await?;
    Ok(())
}

pub async fn delete(tx: &mut Tx<'_>, id: RoleRuleId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM role_rules WHERE id = $1", params![id]).await?;
    Ok(())
}
