//! Sign-ins on trial in the durable store. How one ended is written once.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, parsed, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId, TestId, UserId};
use crate::foundation::secret::Digest;
use crate::model::connection_test::{ConnectionTest, DomainRule, TestOutcome, TestResult, Tester};
use crate::model::role;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, project_id, organization_id, connection_id, version, created_by, created_at, expires_at,
                    began_at, ended_at, outcome, reason, expected, found, subject, email, user_id, tester, domain_rule,
                    claims, facts, left_out
             FROM connection_tests ",
            $rest
        )
    };
}

fn test(row: &Row) -> Result<ConnectionTest, StoreError> {
    Ok(ConnectionTest {
        id: row.get(0)?,
        project_id: row.get(1)?,
        organization_id: row.get(2)?,
        connection_id: row.get(3)?,
        version: row.get(4)?,
        created_by: row.get(5)?,
        created_at: row.get(6)?,
        expires_at: row.get(7)?,
        began_at: row.get(8)?,
        result: match row.get(9)? {
            Some(ended_at) => Some(result(row, ended_at)?),
            None => None,
        },
    })
}

fn result(row: &Row, ended_at: Moment) -> Result<TestResult, StoreError> {
    let email = row.get::<Option<String>>(15)?;
    let rule = (!row.is_null(18)).then(|| parsed(row, 18, DomainRule::from_word)).transpose()?;
    Ok(TestResult {
        ended_at,
        outcome: parsed(row, 10, TestOutcome::from_word)?,
        reason: row.get(11)?,
        expected: row.get(12)?,
        found: row.get(13)?,
        subject: row.get(14)?,
        email: email.map(|text| Email::parse(&text).map_err(|_| row.corrupt(15))).transpose()?,
        user: row.get(16)?,
        tester: parsed(row, 17, Tester::from_word)?,
        domain_rule: rule,
        claims: json(row, 19)?,
        left_out: json(row, 21)?,
        facts: json(row, 20)?,
    })
}

pub async fn insert(tx: &mut Tx<'_>, test: &ConnectionTest, link: Digest) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO connection_tests (id, project_id, organization_id, connection_id, version, digest, created_by,
                                       created_at, expires_at, claims, facts)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '{}', '{}')",
        params![
            test.id,
            test.project_id,
            test.organization_id,
            test.connection_id,
            test.version,
            link,
            &test.created_by,
            test.created_at,
            test.expires_at
        ],
    )
    .await?;
    Ok(())
}

/// The one that a link opens, while it does.
pub async fn by_link(
    db: &mut impl Read,
    project: ProjectId,
    link: Digest,
    now: Moment,
) -> Result<Option<ConnectionTest>, StoreError> {
    let sql = select!("WHERE digest = $2 AND project_id = $1 AND ended_at IS NULL AND expires_at > $3");
    db.one(sql, params![project, link, now]).await?.as_ref().map(test).transpose()
}

/// One of a connection.
pub async fn of(
    db: &mut impl Read,
    connection: ConnectionId,
    id: TestId,
) -> Result<Option<ConnectionTest>, StoreError> {
    let sql = select!("WHERE connection_id = $1 AND id = $2");
    db.one(sql, params![connection, id]).await?.as_ref().map(test).transpose()
}

/// Those of a connection, newest first, before one of them.
pub async fn page(
    db: &mut impl Read,
    connection: ConnectionId,
    before: Option<TestId>,
    most: u32,
) -> Result<Vec<ConnectionTest>, StoreError> {
    let sql = select!("WHERE connection_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
    let before = before.unwrap_or(TestId::from_u128(u128::MAX));
    db.all(sql, params![connection, before, most]).await?.iter().map(test).collect()
}

/// Says that somebody has begun; that nobody has ended it is for [`end`].
pub async fn begin(tx: &mut Tx<'_>, id: TestId, now: Moment) -> Result<(), StoreError> {
    let sql = "UPDATE connection_tests SET began_at = COALESCE(began_at, $2) WHERE id = $1";
    tx.execute(sql, params![id, now]).await?;
    Ok(())
}

/// Writes how it ended, once: of several who have begun, one ends it. False: it had ended, or run out.
pub async fn end(tx: &mut Tx<'_>, id: TestId, result: &TestResult) -> Result<bool, StoreError> {
    let touched = tx
        .execute(
            "UPDATE connection_tests
             SET ended_at = $2, outcome = $3, reason = $4, subject = $5, email = $6, user_id = $7, tester = $8,
                 domain_rule = $9, claims = $10, expected = $11, found = $12, facts = $13,
                 left_out = $14
             WHERE id = $1 AND ended_at IS NULL AND expires_at > $2",
            params![
                id,
                result.ended_at,
                result.outcome.word(),
                result.reason.as_deref(),
                result.subject.as_deref(),
                result.email.as_ref().map(Email::as_str),
                result.user,
                result.tester.word(),
                result.domain_rule.map(DomainRule::word),
                to_json(&result.claims),
                result.expected.as_deref(),
                result.found.as_deref(),
                to_json(&result.facts),
                to_json(&result.left_out)
            ],
        )
        .await?;
    Ok(touched == 1)
}

/// Whether anybody has signed in on trial by this version, since then.
pub async fn has_succeeded(
    db: &mut impl Read,
    (connection, version): (ConnectionId, i64),
    since: Moment,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM connection_tests
               WHERE connection_id = $1 AND version = $2 AND outcome = 'succeeded' AND ended_at >= $3 LIMIT 1";
    Ok(db.one(sql, params![connection, version, since]).await?.is_some())
}

/// Versions of an organization's connections by which somebody who administers nothing has signed in on trial, since then.
pub async fn tried(
    db: &mut impl Read,
    organization: OrganizationId,
    since: Moment,
) -> Result<Vec<(ConnectionId, i64)>, StoreError> {
    let sql = "SELECT DISTINCT connection_id, version FROM connection_tests
               WHERE organization_id = $1 AND outcome = 'succeeded' AND tester = 'colleague' AND ended_at >= $2";
    let rows = db.all(sql, params![organization, since]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Who administers the organization and is this user, or has this address: an owner, an administrator, or who holds a role
/// that lets them change anything.
pub async fn is_administrator(
    db: &mut impl Read,
    organization: OrganizationId,
    user: Option<UserId>,
    email: Option<&Email>,
) -> Result<bool, StoreError> {
    let sql = "SELECT r.role, o.permissions FROM memberships m
               JOIN users u ON u.id = m.user_id
               JOIN membership_roles r ON r.membership_id = m.id
               LEFT JOIN roles o ON o.project_id = m.project_id AND o.name = r.role
                    AND (o.organization_id IS NULL OR o.organization_id = m.organization_id)
               WHERE m.organization_id = $1 AND m.status = 'active' AND (u.id = $2 OR u.email = $3)";
    let rows = db.all(sql, params![organization, user, email.map(Email::as_str)]).await?;
    for row in &rows {
        let name: String = row.get(0)?;
        let changes = |permission: &String| !permission.ends_with(":read");
        let own: Vec<String> = if row.is_null(1) { Vec::new() } else { json(row, 1)? };
        if name == role::OWNER || name == role::ADMIN || own.iter().any(changes) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgets links that opened nothing in time, and results that are older.
pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM connection_tests WHERE expires_at < $1", params![before]).await
}
