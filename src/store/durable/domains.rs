//! Domains in the durable store, and the routing by them.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{connections, json, optional_json, parsed, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::domain_name::DomainName;
use crate::foundation::id::{ConnectionId, DomainId, OrganizationId, ProjectId};
use crate::model::connection::Connection;
use crate::model::domain::{Domain, DomainState, Method, NextChallenge};
use crate::model::organization::Policy;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.project_id, d.organization_id, d.name, d.state, d.method, d.challenge, d.challenge_until,
                    d.next_challenge, d.next_challenge_since, d.proved_at, d.routing_since, d.trust_since,
                    d.auto_join_since, d.auto_join, d.created_at, d.updated_at, d.verified_at, d.lapsed_at,
                    d.removed_at, d.checked_at, d.next_check_at, d.misses, d.missed_at, d.answer, d.nameservers
             FROM domains d ",
            $rest
        )
    };
}

fn domain(row: &Row) -> Result<Domain, StoreError> {
    Ok(Domain {
        id: row.get(0)?,
        project_id: row.get(1)?,
        organization_id: row.get(2)?,
        name: parsed(row, 3, |text| DomainName::parse(text).ok())?,
        state: parsed(row, 4, DomainState::from_word)?,
        method: parsed(row, 5, Method::from_word)?,
        challenge: row.get(6)?,
        challenge_until: row.get(7)?,
        next_challenge: next_challenge(row)?,
        proved_at: row.get(10)?,
        routing_since: row.get(11)?,
        trust_since: row.get(12)?,
        auto_join_since: row.get(13)?,
        auto_join: json(row, 14)?,
        created_at: row.get(15)?,
        updated_at: row.get(16)?,
        verified_at: row.get(17)?,
        lapsed_at: row.get(18)?,
        removed_at: row.get(19)?,
        checked_at: row.get(20)?,
        next_check_at: row.get(21)?,
        misses: row.get(22)?,
        missed_at: row.get(23)?,
        answer: optional_json(row, 24)?,
        nameservers: optional_json(row, 25)?,
    })
}

fn next_challenge(row: &Row) -> Result<Option<NextChallenge>, StoreError> {
    let (challenge, since): (Option<String>, Option<Moment>) = (row.get(8)?, row.get(9)?);
    Ok(challenge.zip(since).map(|(challenge, since)| NextChallenge { challenge, since }))
}

fn domains(rows: Vec<Row>) -> Result<Vec<Domain>, StoreError> {
    rows.iter().map(domain).collect()
}

pub async fn by_name(
    db: &mut impl Read,
    organization: OrganizationId,
    name: &DomainName,
) -> Result<Option<Domain>, StoreError> {
    let sql = select!("WHERE d.organization_id = $1 AND d.name = $2");
    db.one(sql, params![organization, name.as_str()]).await?.as_ref().map(domain).transpose()
}

pub async fn by_id(db: &mut impl Read, id: DomainId) -> Result<Option<Domain>, StoreError> {
    db.one(select!("WHERE d.id = $1"), params![id]).await?.as_ref().map(domain).transpose()
}

pub async fn of_organization(
    db: &mut impl Read,
    organization: OrganizationId,
) -> Result<Vec<Domain>, StoreError> {
    domains(db.all(select!("WHERE d.organization_id = $1 ORDER BY d.name"), params![organization]).await?)
}

pub async fn of_project(db: &mut impl Read, project: ProjectId) -> Result<Vec<Domain>, StoreError> {
    domains(db.all(select!("WHERE d.project_id = $1 ORDER BY d.name, d.id"), params![project]).await?)
}

/// Every claim on a name, of whichever organization.
pub async fn claims(
    db: &mut impl Read,
    project: ProjectId,
    name: &DomainName,
) -> Result<Vec<Domain>, StoreError> {
    let sql = select!("WHERE d.project_id = $1 AND d.name = $2 ORDER BY d.id");
    domains(db.all(sql, params![project, name.as_str()]).await?)
}

/// Whoever holds the domain: verified, whether or not their organization is active. A domain whose organization is
/// shut down for a while is not free for others meanwhile.
pub async fn held(
    db: &mut impl Read,
    project: ProjectId,
    name: &DomainName,
) -> Result<Option<Domain>, StoreError> {
    let sql = select!("WHERE d.project_id = $1 AND d.name = $2 AND d.state = 'verified'");
    db.one(sql, params![project, name.as_str()]).await?.as_ref().map(domain).transpose()
}

/// The active connections to which addresses of this domain are routed, now, each with its settings and the policy of
/// the domain's holder.
pub async fn routed(
    db: &mut impl Read,
    project: ProjectId,
    name: &DomainName,
) -> Result<Vec<(Connection, Policy)>, StoreError> {
    let sql = "SELECT c.id, c.project_id, c.organization_id, c.slug, c.display_name, c.state, c.version, c.settings,
                c.secret, c.created_at, c.updated_at, o.policy
         FROM domains d
         JOIN organizations o ON o.id = d.organization_id
         JOIN domain_connections r ON r.domain_id = d.id
         JOIN connections c ON c.id = r.connection_id
         WHERE d.project_id = $1 AND d.name = $2 AND d.state = 'verified' AND d.routing_since IS NOT NULL
           AND o.deactivated_at IS NULL AND o.deleted_at IS NULL
           AND c.state = 'active' AND c.organization_id = d.organization_id
         ORDER BY c.id";
    let rows = db.all(sql, params![project, name.as_str()]).await?;
    rows.iter().map(|row| Ok((connections::connection(row, 0)?, json(row, 11)?))).collect()
}

/// The claim by which `connection` may assert addresses of this domain, now (invariant 2): verified, by the
/// connection's own organization, and routed to it.
pub async fn asserted_by(
    db: &mut impl Read,
    connection: ConnectionId,
    name: &DomainName,
) -> Result<Option<Domain>, StoreError> {
    let sql = select!(
        "JOIN organizations o ON o.id = d.organization_id
         JOIN domain_connections r ON r.domain_id = d.id
         JOIN connections c ON c.id = r.connection_id
         WHERE c.id = $1 AND d.name = $2 AND d.project_id = c.project_id AND d.state = 'verified'
           AND d.routing_since IS NOT NULL AND c.state = 'active' AND c.organization_id = d.organization_id
           AND o.deactivated_at IS NULL AND o.deleted_at IS NULL"
    );
    db.one(sql, params![connection, name.as_str()]).await?.as_ref().map(domain).transpose()
}

/// Claims whose next look is due.
pub async fn due(db: &mut impl Read, now: Moment, limit: i64) -> Result<Vec<Domain>, StoreError> {
    let sql =
        select!("WHERE d.next_check_at <= $1 AND d.state <> 'removed' ORDER BY d.next_check_at LIMIT $2");
    domains(db.all(sql, params![now, limit]).await?)
}

/// A claim of this organization, unless it was given up.
pub async fn of(
    db: &mut impl Read,
    organization: OrganizationId,
    id: DomainId,
) -> Result<Option<Domain>, StoreError> {
    let sql = select!("WHERE d.id = $1 AND d.organization_id = $2 AND d.state <> 'removed'");
    db.one(sql, params![id, organization]).await?.as_ref().map(domain).transpose()
}

/// Claims of an organization that it has not given up, in the order of their ids.
pub async fn page(
    db: &mut impl Read,
    organization: OrganizationId,
    after: Option<DomainId>,
    limit: u32,
) -> Result<Vec<Domain>, StoreError> {
    let sql =
        select!("WHERE d.organization_id = $1 AND d.state <> 'removed' AND d.id > $2 ORDER BY d.id LIMIT $3");
    let after = after.map_or_else(String::new, |id| id.to_string());
    domains(db.all(sql, params![organization, after, i64::from(limit)]).await?)
}

/// How many claims an organization has that it has not given up.
pub async fn count(db: &mut impl Read, organization: OrganizationId) -> Result<i64, StoreError> {
    let sql = "SELECT COUNT(*) FROM domains WHERE organization_id = $1 AND state <> 'removed'";
    db.one(sql, params![organization]).await?.map_or(Ok(0), |row| row.get(0))
}

/// To which connections each domain of an organization is routed.
pub async fn routes_of(
    db: &mut impl Read,
    organization: OrganizationId,
) -> Result<Vec<(DomainId, ConnectionId)>, StoreError> {
    let sql = "SELECT r.domain_id, r.connection_id FROM domains d
               JOIN domain_connections r ON r.domain_id = d.id
               WHERE d.organization_id = $1 ORDER BY r.domain_id, r.connection_id";
    let rows = db.all(sql, params![organization]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Names of verified domains that lead to a connection, now.
pub async fn leading_to(db: &mut impl Read, connection: ConnectionId) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT d.name FROM domain_connections r JOIN domains d ON d.id = r.domain_id
               WHERE r.connection_id = $1 AND d.state = 'verified' AND d.routing_since IS NOT NULL";
    db.all(sql, params![connection]).await?.iter().map(|row| row.get(0)).collect()
}

/// The same of every connection of a project.
pub async fn all_leading(
    db: &mut impl Read,
    project: ProjectId,
) -> Result<Vec<(ConnectionId, String)>, StoreError> {
    let sql = "SELECT r.connection_id, d.name FROM domains d JOIN domain_connections r ON r.domain_id = d.id
               WHERE d.project_id = $1 AND d.state = 'verified' AND d.routing_since IS NOT NULL";
    let rows = db.all(sql, params![project]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Names of all verified domains of a project.
pub async fn all_held(db: &mut impl Read, project: ProjectId) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT name FROM domains WHERE project_id = $1 AND state = 'verified'";
    db.all(sql, params![project]).await?.iter().map(|row| row.get(0)).collect()
}

pub async fn connections_of(db: &mut impl Read, domain: DomainId) -> Result<Vec<ConnectionId>, StoreError> {
    let sql = "SELECT connection_id FROM domain_connections WHERE domain_id = $1 ORDER BY connection_id";
    db.all(sql, params![domain]).await?.iter().map(|row| row.get(0)).collect()
}

pub async fn insert(tx: &mut Tx<'_>, domain: &Domain) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO domains (id, project_id, organization_id, name, state, method, challenge, challenge_until,
                              next_challenge, next_challenge_since, proved_at, routing_since, trust_since,
                              auto_join_since, auto_join, created_at, updated_at, verified_at, lapsed_at, removed_at,
                              checked_at, next_check_at, misses, missed_at, answer, nameservers)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                 $23, $24, $25, $26)",
        params![
            domain.id,
            domain.project_id,
            domain.organization_id,
            domain.name.as_str(),
            domain.state.word(),
            domain.method.word(),
            &domain.challenge,
            domain.challenge_until,
            domain.next_challenge.as_ref().map(|next| next.challenge.clone()),
            domain.next_challenge.as_ref().map(|next| next.since),
            domain.proved_at,
            domain.routing_since,
            domain.trust_since,
            domain.auto_join_since,
            to_json(&domain.auto_join),
            domain.created_at,
            domain.updated_at,
            domain.verified_at,
            domain.lapsed_at,
            domain.removed_at,
            domain.checked_at,
            domain.next_check_at,
            domain.misses,
            domain.missed_at,
            domain.answer.as_ref().map(to_json),
            domain.nameservers.as_ref().map(to_json)
        ],
    )
    .await?;
    Ok(())
}

/// Fails with [`StoreError::Unique`] where another organization holds the domain verified.
pub async fn update(tx: &mut Tx<'_>, domain: &Domain) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE domains
         SET state = $2, method = $3, challenge = $4, challenge_until = $5, next_challenge = $6,
             next_challenge_since = $7, proved_at = $8, routing_since = $9, trust_since = $10, auto_join_since = $11,
             auto_join = $12, updated_at = $13, verified_at = $14, lapsed_at = $15, removed_at = $16, checked_at = $17,
             next_check_at = $18, misses = $19, missed_at = $20, answer = $21, nameservers = $22
         WHERE id = $1",
        params![
            domain.id,
            domain.state.word(),
            domain.method.word(),
            &domain.challenge,
            domain.challenge_until,
            domain.next_challenge.as_ref().map(|next| next.challenge.clone()),
            domain.next_challenge.as_ref().map(|next| next.since),
            domain.proved_at,
            domain.routing_since,
            domain.trust_since,
            domain.auto_join_since,
            to_json(&domain.auto_join),
            domain.updated_at,
            domain.verified_at,
            domain.lapsed_at,
            domain.removed_at,
            domain.checked_at,
            domain.next_check_at,
            domain.misses,
            domain.missed_at,
            domain.answer.as_ref().map(to_json),
            domain.nameservers.as_ref().map(to_json)
        ],
    )
    .await?;
    Ok(())
}

pub async fn set_connections(
    tx: &mut Tx<'_>,
    domain: DomainId,
    connections: &[ConnectionId],
) -> Result<(), StoreError> {
    tx.execute("DELETE FROM domain_connections WHERE domain_id = $1", params![domain]).await?;
    for connection in connections {
        tx.execute(
            "INSERT INTO domain_connections (domain_id, connection_id) VALUES ($1, $2)",
            params![domain, *connection],
        )
        .await?;
    }
    Ok(())
}
