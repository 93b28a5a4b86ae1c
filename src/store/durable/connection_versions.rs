//! Versions of connections in the durable store: the draft, and what was live before. What is live is the row of the
//! connection itself.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{connection_runs, json, parsed, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::model::connection::{Connection, Version, VersionState};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT connection_id, version, state, settings, secret, created_by, created_at, begun_on, activated_at,
                    worked_at, ended_at, reason, by_leave
             FROM connection_versions ",
            $rest
        )
    };
}

fn version(row: &Row) -> Result<Version, StoreError> {
    Ok(Version {
        connection_id: row.get(0)?,
        number: row.get(1)?,
        state: parsed(row, 2, VersionState::from_word)?,
        settings: json(row, 3)?,
        secret: row.get(4)?,
        created_by: row.get(5)?,
        created_at: row.get(6)?,
        begun_on: row.get(7)?,
        activated_at: row.get(8)?,
        worked_at: row.get(9)?,
        ended_at: row.get(10)?,
        reason: row.get(11)?,
        by_leave: row.get(12)?,
    })
}

/// What is to be live next, if there is anything.
pub async fn draft(db: &mut impl Read, connection: ConnectionId) -> Result<Option<Version>, StoreError> {
    let sql = select!("WHERE connection_id = $1 AND state = 'draft'");
    db.one(sql, params![connection]).await?.as_ref().map(version).transpose()
}

/// What went live last, as it was then; absent where a file made it so.
pub async fn live(db: &mut impl Read, connection: ConnectionId) -> Result<Option<Version>, StoreError> {
    let sql = select!("WHERE connection_id = $1 AND state = 'live'");
    db.one(sql, params![connection]).await?.as_ref().map(version).transpose()
}

pub async fn by_number(
    db: &mut impl Read,
    connection: ConnectionId,
    number: i64,
) -> Result<Option<Version>, StoreError> {
    let sql = select!("WHERE connection_id = $1 AND version = $2");
    db.one(sql, params![connection, number]).await?.as_ref().map(version).transpose()
}

/// What was live until then, or longer.
pub async fn ended_since(
    db: &mut impl Read,
    connection: ConnectionId,
    since: Moment,
) -> Result<Vec<Version>, StoreError> {
    let sql =
        select!("WHERE connection_id = $1 AND state IN ('superseded', 'rolled_back') AND ended_at >= $2");
    db.all(sql, params![connection, since]).await?.iter().map(version).collect()
}

/// The newest first, those before `before`.
pub async fn page(
    db: &mut impl Read,
    connection: ConnectionId,
    before: i64,
    limit: u32,
) -> Result<Vec<Version>, StoreError> {
    let sql = select!("WHERE connection_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3");
    db.all(sql, params![connection, before, limit]).await?.iter().map(version).collect()
}

/// The numbers of the drafts of some connections, one page of them.
pub async fn drafts_between(
    db: &mut impl Read,
    first: ConnectionId,
    last: ConnectionId,
) -> Result<Vec<(ConnectionId, i64)>, StoreError> {
    let sql = "SELECT connection_id, version FROM connection_versions
               WHERE connection_id >= $1 AND connection_id <= $2 AND state = 'draft'";
    db.all(sql, params![first, last]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// A number that no version of the connection ever had: they only grow (threats H04).
pub async fn next(db: &mut impl Read, connection: &Connection) -> Result<i64, StoreError> {
    // A draft that was given up may have been tried: that must not speak for another one.
    let sql = "SELECT MAX(version) FROM (
                   SELECT MAX(version) AS version FROM connection_versions WHERE connection_id = $1
                   UNION ALL SELECT MAX(version) FROM connection_tests WHERE connection_id = $1) AS known";
    let row = db.one(sql, params![connection.id]).await?;
    let highest = row.map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten().unwrap_or(0);
    Ok(connection.version.max(highest) + 1)
}

/// Another number for what is live, or was last, and stays what it is: by it nobody completes what was begun before
/// (threats H04). How it did goes on.
pub async fn renumber(tx: &mut Tx<'_>, connection: &Connection) -> Result<i64, StoreError> {
    let number = next(tx, connection).await?;
    connection_runs::carry_on(tx, connection.id, (connection.version, number)).await?;
    Ok(number)
}

pub async fn put(tx: &mut Tx<'_>, version: &Version) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO connection_versions (connection_id, version, state, settings, secret, created_by, created_at,
                                          begun_on, activated_at, worked_at, ended_at, reason, by_leave)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (connection_id, version) DO UPDATE
         SET state = excluded.state, settings = excluded.settings, secret = excluded.secret,
             activated_at = excluded.activated_at, worked_at = excluded.worked_at, ended_at = excluded.ended_at,
             reason = excluded.reason",
        params![
            version.connection_id,
            version.number,
            version.state.word(),
            to_json(&version.settings),
            version.secret.as_deref(),
            &version.created_by,
            version.created_at,
            version.begun_on,
            version.activated_at,
            version.worked_at,
            version.ended_at,
            version.reason.as_deref(),
            version.by_leave.as_deref()
        ],
    )
    .await?;
    Ok(())
}

/// Takes the draft away, if there is one.
pub async fn remove_draft(tx: &mut Tx<'_>, connection: ConnectionId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM connection_versions WHERE connection_id = $1 AND state = 'draft'";
    Ok(tx.execute(sql, params![connection]).await? > 0)
}

/// Throws the draft away, if there is one, and its secret; that there was one stays known.
pub async fn discard_draft(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    now: Moment,
) -> Result<bool, StoreError> {
    let sql = "UPDATE connection_versions SET state = 'discarded', secret = NULL, ended_at = $2
               WHERE connection_id = $1 AND state = 'draft'";
    Ok(tx.execute(sql, params![connection, now]).await? > 0)
}

/// Whether somebody has come by the connection since then.
pub async fn is_used_since(
    db: &mut impl Read,
    connection: ConnectionId,
    since: Moment,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM identities WHERE connection_id = $1 AND last_login_at >= $2 LIMIT 1";
    Ok(db.one(sql, params![connection, since]).await?.is_some())
}
