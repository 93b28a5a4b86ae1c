//! Identities in the durable store: the only way in which a login finds a user.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, to_json, users};
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{ConnectionId, IdentityId, OrganizationId, ProjectId, UserId};
use crate::model::identity::{Identity, IdentityFacts, Naming};

fn identity(row: &Row) -> Result<Identity, StoreError> {
    Ok(Identity {
        id: row.get(0)?,
        user_id: row.get(1)?,
        connection_id: row.get(2)?,
        issuer: row.get(3)?,
        subject: row.get(4)?,
        last_login_at: row.get(5)?,
        naming: json(row, 6)?,
    })
}

pub async fn find(
    db: &mut impl Read,
    connection: ConnectionId,
    issuer: &str,
    subject: &str,
) -> Result<Option<Identity>, StoreError> {
    let sql = "SELECT id, user_id, connection_id, issuer, subject, last_login_at, naming FROM identities
               WHERE connection_id = $1 AND issuer = $2 AND subject = $3";
    db.one(sql, params![connection, issuer, subject]).await?.as_ref().map(identity).transpose()
}

/// What a provider calls whoever has this address with it.
pub async fn subjects_of(
    db: &mut impl Read,
    connection: ConnectionId,
    issuer: &str,
    email: &Email,
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT subject FROM identities WHERE connection_id = $1 AND issuer = $2 AND email = $3
               ORDER BY subject LIMIT 100";
    let rows = db.all(sql, params![connection, issuer, email.as_str()]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

pub async fn insert(
    tx: &mut Tx<'_>,
    project: ProjectId,
    identity: &Identity,
    email: Option<&str>,
    facts: &IdentityFacts,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO identities (id, project_id, user_id, connection_id, issuer, subject, email, created_at,
                                 last_login_at, facts, naming)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)",
        params![
            identity.id,
            project,
            identity.user_id,
            identity.connection_id,
            &identity.issuer,
            &identity.subject,
            email,
            identity.last_login_at,
            to_json(facts),
            to_json(&identity.naming)
        ],
    )
    .await?;
    Ok(())
}

pub async fn touch(
    tx: &mut Tx<'_>,
    id: IdentityId,
    email: Option<&str>,
    (facts, naming): (&IdentityFacts, &Naming),
    now: Moment,
) -> Result<(), StoreError> {
    // Long facts stay where they are as long as they say the same.
    let sql = "UPDATE identities SET email = $2, last_login_at = $3,
                      facts = CASE WHEN facts = $4 THEN facts ELSE $4 END, naming = $5, renamed_at = NULL
               WHERE id = $1";
    tx.execute(sql, params![id, email, now, to_json(facts), to_json(naming)]).await?;
    Ok(())
}

/// People of a provider whom another connection has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub from: ConnectionId,
    pub slug: String,
    pub display_name: String,
    pub identities: i64,
    /// Those of them by whose names somebody is known to the new connection.
    pub taken: i64,
}

/// What connections that are switched off, of the same organization or of the project itself, have left of people of an
/// issuer; for the one that may take them over.
pub async fn left(
    db: &mut impl Read,
    project: ProjectId,
    organization: Option<OrganizationId>,
    (to, issuer): (ConnectionId, &str),
) -> Result<Vec<Left>, StoreError> {
    let sql = "SELECT c.id, c.slug, c.display_name, COUNT(i.id), COUNT(n.id)
               FROM connections c
               JOIN identities i ON i.connection_id = c.id AND i.issuer = $4
               LEFT JOIN identities n ON n.connection_id = $3 AND n.issuer = i.issuer AND n.subject = i.subject
               WHERE c.project_id = $1 AND COALESCE(c.organization_id, '') = $2 AND c.id <> $3 AND c.state = 'disabled'
               GROUP BY c.id ORDER BY c.id LIMIT 100";
    let place = organization.map_or_else(String::new, |id| id.to_string());
    let left = |row: &Row| {
        Ok(Left {
            from: row.get(0)?,
            slug: row.get(1)?,
            display_name: row.get(2)?,
            identities: row.get(3)?,
            taken: row.get(4)?,
        })
    };
    db.all(sql, params![project, place, to, issuer]).await?.iter().map(left).collect()
}

/// Makes people of an issuer known to another connection, under the same names. Fails with [`StoreError::Unique`] where
/// somebody is known by one of them already.
pub async fn relink(
    tx: &mut Tx<'_>,
    (from, to): (ConnectionId, ConnectionId),
    issuer: &str,
    now: Moment,
) -> Result<u64, StoreError> {
    let sql =
        "UPDATE identities SET connection_id = $2, named_at = $4 WHERE connection_id = $1 AND issuer = $3";
    tx.execute(sql, params![from, to, issuer, now]).await
}

/// By what kinds of names people of an issuer are known to a connection, and how many are by each.
pub async fn namings(
    db: &mut impl Read,
    connection: ConnectionId,
    issuer: &str,
) -> Result<Vec<(Naming, i64)>, StoreError> {
    let sql = "SELECT naming, COUNT(*) FROM identities WHERE connection_id = $1 AND issuer = $2
               GROUP BY naming ORDER BY naming LIMIT 100";
    let rows = db.all(sql, params![connection, issuer]).await?;
    rows.iter().map(|row| Ok((json(row, 0)?, row.get(1)?))).collect()
}

/// Some of the people of an issuer who are known to a connection by names of a kind: those after one, in order.
pub async fn named(
    db: &mut impl Read,
    (connection, issuer): (ConnectionId, &str),
    naming: &Naming,
    after: Option<IdentityId>,
) -> Result<Vec<Identity>, StoreError> {
    let sql = "SELECT id, user_id, connection_id, issuer, subject, last_login_at, naming FROM identities
               WHERE connection_id = $1 AND issuer = $2 AND naming = $3 AND id > $4 ORDER BY id LIMIT 500";
    let after = after.map_or_else(String::new, |id| id.to_string());
    db.all(sql, params![connection, issuer, to_json(naming), after]).await?.iter().map(identity).collect()
}

/// Keeps the name that somebody has in another spelling. Fails with [`StoreError::Unique`] where somebody has that.
pub async fn respell(tx: &mut Tx<'_>, id: IdentityId, subject: &str) -> Result<(), StoreError> {
    tx.execute("UPDATE identities SET subject = $2 WHERE id = $1", params![id, subject]).await?;
    Ok(())
}

/// Makes names of a kind names of another one, for all people of an issuer who are known to a connection by it.
pub async fn change_naming(
    tx: &mut Tx<'_>,
    (connection, issuer): (ConnectionId, &str),
    (from, to): (&Naming, &Naming),
    now: Moment,
) -> Result<u64, StoreError> {
    let sql = "UPDATE identities SET naming = $4, renamed_at = $5, named_at = $5
               WHERE connection_id = $1 AND issuer = $2 AND naming = $3";
    tx.execute(sql, params![connection, issuer, to_json(from), to_json(to), now]).await
}

/// What an issuer calls a user by a connection: more than one name, if they have more than one account there.
pub async fn of_user(
    db: &mut impl Read,
    (connection, issuer): (ConnectionId, &str),
    user: UserId,
) -> Result<Vec<Identity>, StoreError> {
    let sql = "SELECT id, user_id, connection_id, issuer, subject, last_login_at, naming FROM identities
               WHERE connection_id = $1 AND issuer = $2 AND user_id = $3 ORDER BY id LIMIT 100";
    db.all(sql, params![connection, issuer, user]).await?.iter().map(identity).collect()
}

/// By which provider somebody is known so.
pub async fn issuer_of(db: &mut impl Read, id: IdentityId) -> Result<Option<String>, StoreError> {
    let row = db.one("SELECT issuer FROM identities WHERE id = $1", params![id]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Has somebody known by another name. Fails with [`StoreError::Unique`] where somebody is known by it already.
pub async fn rename(
    tx: &mut Tx<'_>,
    id: IdentityId,
    (subject, naming): (&str, &Naming),
    now: Moment,
) -> Result<(), StoreError> {
    let sql = "UPDATE identities SET subject = $2, naming = $3, renamed_at = $4, named_at = $4 WHERE id = $1";
    tx.execute(sql, params![id, subject, to_json(naming), now]).await?;
    Ok(())
}

/// Of whom somebody has said at a moment what an issuer calls them, or by which connection they come: some of them, after one,
/// and where each is written to.
pub async fn named_at(
    db: &mut impl Read,
    (connection, issuer): (ConnectionId, &str),
    at: Moment,
    after: Option<UserId>,
) -> Result<Vec<(UserId, Option<Email>)>, StoreError> {
    let sql = "SELECT DISTINCT u.id, u.email_claim, CASE WHEN u.email_verified_at IS NULL THEN NULL ELSE u.email END
               FROM identities i JOIN users u ON u.id = i.user_id
               WHERE i.connection_id = $1 AND i.issuer = $2 AND i.named_at = $3 AND u.id > $4
               ORDER BY u.id LIMIT 500";
    let after = after.map_or_else(String::new, |id| id.to_string());
    let rows = db.all(sql, params![connection, issuer, at, after]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, users::address(row, 1)?))).collect()
}
