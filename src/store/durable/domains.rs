//! Domains in the durable store, and the routing by them.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{connections, json, parsed};
use crate::foundation::clock::Moment;
use crate::foundation::domain_name::DomainName;
use crate::foundation::id::{ConnectionId, DomainId, OrganizationId, ProjectId};
use crate::model::connection::Connection;
use crate::model::domain::{Domain, DomainState};
use crate::model::organization::Policy;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.project_id, d.organization_id, d.name, d.state, d.challenge, d.routing_since, d.trust_since,
                    d.auto_join_since, d.created_at, d.updated_at, d.verified_at, d.lapsed_at, d.checked_at,
                    d.next_check_at, d.misses
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
        challenge: row.get(5)?,
        routing_since: row.get(6)?,
        trust_since: row.get(7)?,
        auto_join_since: row.get(8)?,
        created_at: row.get(9)?,
        updated_at: row.get(10)?,
        verified_at: row.get(11)?,
        lapsed_at: row.get(12)?,
        checked_at: row.get(13)?,
        next_check_at: row.get(14)?,
        misses: row.get(15)?,
    })
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

/// The same, by their ids.
pub async fn routes(
    db: &mut impl Read,
    project: ProjectId,
    name: &DomainName,
) -> Result<Vec<ConnectionId>, StoreError> {
    Ok(routed(db, project, name).await?.into_iter().map(|(connection, _)| connection.id).collect())
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

/// Claims whose next look at DNS is due.
pub async fn due(db: &mut impl Read, now: Moment, limit: i64) -> Result<Vec<Domain>, StoreError> {
    let sql =
        select!("WHERE d.next_check_at <= $1 AND d.state <> 'removed' ORDER BY d.next_check_at LIMIT $2");
    domains(db.all(sql, params![now, limit]).await?)
}

pub async fn connections_of(db: &mut impl Read, domain: DomainId) -> Result<Vec<ConnectionId>, StoreError> {
    let sql = "SELECT connection_id FROM domain_connections WHERE domain_id = $1 ORDER BY connection_id";
    db.all(sql, params![domain]).await?.iter().map(|row| row.get(0)).collect()
}

pub async fn insert(tx: &mut Tx<'_>, domain: &Domain) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO domains (id, project_id, organization_id, name, state, challenge, routing_since, trust_since,
                              auto_join_since, created_at, updated_at, verified_at, lapsed_at, checked_at,
                              next_check_at, misses)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        params![
            domain.id,
            domain.project_id,
            domain.organization_id,
            domain.name.as_str(),
            domain.state.word(),
            &domain.challenge,
            domain.routing_since,
            domain.trust_since,
            domain.auto_join_since,
            domain.created_at,
            domain.updated_at,
            domain.verified_at,
            domain.lapsed_at,
            domain.checked_at,
            domain.next_check_at,
            domain.misses
        ],
    )
    .await?;
    Ok(())
}

/// Fails with [`StoreError::Unique`] where another organization holds the domain verified.
pub async fn update(tx: &mut Tx<'_>, domain: &Domain) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE domains
         SET state = $2, challenge = $3, routing_since = $4, trust_since = $5, auto_join_since = $6, updated_at = $7,
             verified_at = $8, lapsed_at = $9, checked_at = $10, next_check_at = $11, misses = $12
         WHERE id = $1",
        params![
            domain.id,
            domain.state.word(),
            &domain.challenge,
            domain.routing_since,
            domain.trust_since,
            domain.auto_join_since,
            domain.updated_at,
            domain.verified_at,
            domain.lapsed_at,
            domain.checked_at,
            domain.next_check_at,
            domain.misses
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
