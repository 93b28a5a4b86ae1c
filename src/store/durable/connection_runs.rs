//! How the versions of connections do, in the durable store: counters by the hour, and failures in a row.

use std::time::Duration;

use super::engine::{Read, Row, StoreError, Tx, params};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::foundation::secret::Digest;

const HOUR: i64 = 3_600_000;
const DAY: Duration = Duration::from_secs(86_400);

/// How one version does. The default: nothing is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// When somebody first signed in by it.
    pub worked_at: Option<Moment>,
    /// In a row, since somebody last did: those alone that nobody can feign but who the provider is, or was before.
    pub failures: i64,
    pub failing_since: Option<Moment>,
    /// When a sign-in last left groups out; of one day the first that did.
    pub groups_missing_at: Option<Moment>,
}

/// Sign-ins of one hour that ended alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    pub begins: Moment,
    pub version: i64,
    /// Empty: somebody signed in.
    pub reason: String,
    pub many: i64,
}

/// When its hour began.
pub fn hour_of(moment: Moment) -> Moment {
    Moment::from_millis(moment.millis().div_euclid(HOUR) * HOUR)
}

/// Counts; nothing where there is no such connection (any more).
pub async fn count(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    version: i64,
    reason: &str,
    (hour, many): (Moment, i64),
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO connection_hours (connection_id, hour, version, reason, many)
         SELECT c.id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS BIGINT)
         FROM connections c WHERE c.id = $1
         ON CONFLICT (connection_id, hour, version, reason)
         DO UPDATE SET many = connection_hours.many + excluded.many",
        params![connection, hour_of(hour), version, reason, many],
    )
    .await?;
    Ok(())
}

/// The version that is live.
pub async fn live_version(db: &mut impl Read, connection: ConnectionId) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT version FROM connections WHERE id = $1";
    db.one(sql, params![connection]).await?.map(|row| row.get(0)).transpose()
}

/// Whom failures befell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Befell {
    /// Different people, or networks where nobody knew who.
    pub many: i64,
    /// Those of them who are known.
    pub known: i64,
}

/// One more failure in a row, which befell `who`, somebody known or not.
pub async fn failed(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    version: i64,
    (who, is_known): (Digest, bool),
    now: Moment,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO connection_runs (connection_id, version, worked_at, failures, failing_since)
         VALUES ($1, $2, NULL, 1, $3)
         ON CONFLICT (connection_id, version)
         DO UPDATE SET failures = connection_runs.failures + 1,
                       failing_since = COALESCE(connection_runs.failing_since, excluded.failing_since)",
        params![connection, version, now],
    )
    .await?;
    tx.execute(
        "INSERT INTO connection_run_failures (connection_id, version, who, failed_at, known_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (connection_id, version, who)
         DO UPDATE SET failed_at = excluded.failed_at,
                       known_at = COALESCE(excluded.known_at, connection_run_failures.known_at)",
        params![connection, version, who, now, is_known.then_some(now)],
    )
    .await?;
    Ok(())
}

/// Somebody signed in: what failed before is over. Writes only what that changes; true: something.
pub async fn worked(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    version: i64,
    now: Moment,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO connection_runs (connection_id, version, worked_at, failures, failing_since)
               VALUES ($1, $2, $3, 0, NULL)
               ON CONFLICT (connection_id, version)
               DO UPDATE SET worked_at = COALESCE(connection_runs.worked_at, excluded.worked_at), failures = 0,
                             failing_since = NULL
               WHERE connection_runs.worked_at IS NULL OR connection_runs.failures > 0";
    let changed = tx.execute(sql, params![connection, version, now]).await? > 0;
    if changed {
        let sql = "DELETE FROM connection_run_failures WHERE connection_id = $1 AND version = $2";
        tx.execute(sql, params![connection, version]).await?;
        let sql = "UPDATE connection_versions SET worked_at = $3
                   WHERE connection_id = $1 AND version = $2 AND worked_at IS NULL";
        tx.execute(sql, params![connection, version, now]).await?;
    }
    Ok(changed)
}

fn read(row: &Row, at: usize) -> Result<Run, StoreError> {
    Ok(Run {
        worked_at: row.get(at)?,
        failures: row.get(at + 1)?,
        failing_since: row.get(at + 2)?,
        groups_missing_at: row.get(at + 3)?,
    })
}

/// Somebody signed in without groups that they may have. Written once a day.
pub async fn groups_missing(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    version: i64,
    now: Moment,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO connection_runs (connection_id, version, worked_at, failures, failing_since,
                                            groups_missing_at)
               VALUES ($1, $2, NULL, 0, NULL, $3)
               ON CONFLICT (connection_id, version)
               DO UPDATE SET groups_missing_at = excluded.groups_missing_at
               WHERE COALESCE(connection_runs.groups_missing_at, 0) <= $4";
    tx.execute(sql, params![connection, version, now, now.minus(DAY)]).await?;
    Ok(())
}

pub async fn of(db: &mut impl Read, connection: ConnectionId, version: i64) -> Result<Run, StoreError> {
    let sql = "SELECT worked_at, failures, failing_since, groups_missing_at FROM connection_runs
               WHERE connection_id = $1 AND version = $2";
    let run = db.one(sql, params![connection, version]).await?;
    run.map_or(Ok(Run::default()), |row| read(&row, 0))
}

/// What is known of one version is known of another, which is the same under a number that is new.
pub async fn carry_on(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    (from, to): (i64, i64),
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO connection_runs (connection_id, version, worked_at, failures, failing_since, told_at,
                                      groups_missing_at)
         SELECT connection_id, CAST($3 AS BIGINT), worked_at, failures, failing_since, told_at, groups_missing_at
         FROM connection_runs WHERE connection_id = $1 AND version = $2",
        params![connection, from, to],
    )
    .await?;
    tx.execute(
        "INSERT INTO connection_run_failures (connection_id, version, who, failed_at, known_at)
         SELECT connection_id, CAST($3 AS BIGINT), who, failed_at, known_at
         FROM connection_run_failures WHERE connection_id = $1 AND version = $2",
        params![connection, from, to],
    )
    .await?;
    Ok(())
}

/// Whom a version's failures befell.
pub async fn befell(
    db: &mut impl Read,
    connection: ConnectionId,
    version: i64,
) -> Result<Befell, StoreError> {
    let sql = "SELECT COUNT(*), COUNT(known_at) FROM connection_run_failures
               WHERE connection_id = $1 AND version = $2";
    let row = db.one(sql, params![connection, version]).await?;
    row.map_or(Ok(Befell { many: 0, known: 0 }), |row| Ok(Befell { many: row.get(0)?, known: row.get(1)? }))
}

/// That owners are told of a version that fails; true: they had not been.
pub async fn tell(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    version: i64,
    now: Moment,
) -> Result<bool, StoreError> {
    let sql = "UPDATE connection_runs SET told_at = $3
               WHERE connection_id = $1 AND version = $2 AND told_at IS NULL";
    Ok(tx.execute(sql, params![connection, version, now]).await? > 0)
}

/// Of an organization: each connection's live version.
pub async fn of_organization(
    db: &mut impl Read,
    organization: OrganizationId,
) -> Result<Vec<(ConnectionId, Run)>, StoreError> {
    let sql = "SELECT c.id, r.worked_at, r.failures, r.failing_since, r.groups_missing_at FROM connections c
               JOIN connection_runs r ON r.connection_id = c.id AND r.version = c.version
               WHERE c.organization_id = $1 ORDER BY c.id";
    let rows = db.all(sql, params![organization]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, read(row, 1)?))).collect()
}

/// Of one connection, from an hour on, newest first.
pub async fn hours(
    db: &mut impl Read,
    connection: ConnectionId,
    from: Moment,
) -> Result<Vec<Hour>, StoreError> {
    let sql =
        "SELECT hour, version, reason, many FROM connection_hours WHERE connection_id = $1 AND hour >= $2
               ORDER BY hour DESC, version DESC, reason";
    let rows = db.all(sql, params![connection, hour_of(from)]).await?;
    let hour = |row: &super::engine::Row| {
        Ok(Hour { begins: row.get(0)?, version: row.get(1)?, reason: row.get(2)?, many: row.get(3)? })
    };
    rows.iter().map(hour).collect()
}

/// Sign-ins of an organization's connections from an hour on: those that ended well, and those that did not.
pub async fn totals(
    db: &mut impl Read,
    organization: OrganizationId,
    from: Moment,
) -> Result<(i64, i64), StoreError> {
    let sql = "SELECT CAST(COALESCE(SUM(CASE WHEN h.reason = '' THEN h.many ELSE 0 END), 0) AS BIGINT),
                      CAST(COALESCE(SUM(CASE WHEN h.reason = '' THEN 0 ELSE h.many END), 0) AS BIGINT)
               FROM connections c JOIN connection_hours h ON h.connection_id = c.id
               WHERE c.organization_id = $1 AND h.hour >= $2";
    let row = db.one(sql, params![organization, hour_of(from)]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Forgets what is older.
pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    let gone = tx.execute("DELETE FROM connection_hours WHERE hour < $1", params![before]).await?;
    let sql = "DELETE FROM connection_run_failures WHERE failed_at < $1";
    Ok(gone + tx.execute(sql, params![before]).await?)
}
