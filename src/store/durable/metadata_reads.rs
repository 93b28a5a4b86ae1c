//! When the metadata of SAML identity providers is read again, in the durable store.

use super::engine::{Read, Row, StoreError, Tx, params};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId};

/// How reading one connection's metadata goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataRead {
    pub connection_id: ConnectionId,
    pub next_read_at: Moment,
    /// The last time that it was read in full.
    pub read_at: Moment,
    /// In a row, since then.
    pub failures: i64,
    pub failure: Option<String>,
}

fn read(row: &Row) -> Result<MetadataRead, StoreError> {
    Ok(MetadataRead {
        connection_id: row.get(0)?,
        next_read_at: row.get(1)?,
        read_at: row.get(2)?,
        failures: row.get(3)?,
        failure: row.get(4)?,
    })
}

pub async fn find(db: &mut impl Read, connection: ConnectionId) -> Result<Option<MetadataRead>, StoreError> {
    let sql = "SELECT connection_id, next_read_at, read_at, failures, failure FROM metadata_reads
               WHERE connection_id = $1";
    db.one(sql, params![connection]).await?.as_ref().map(read).transpose()
}

/// Those whose turn it is, with their projects; what is disabled waits.
pub async fn due(
    db: &mut impl Read,
    now: Moment,
    limit: i64,
) -> Result<Vec<(ProjectId, MetadataRead)>, StoreError> {
    let sql = "SELECT m.connection_id, m.next_read_at, m.read_at, m.failures, m.failure, c.project_id
               FROM metadata_reads m JOIN connections c ON c.id = m.connection_id
               WHERE m.next_read_at <= $1 AND c.state <> 'disabled'
               ORDER BY m.next_read_at LIMIT $2";
    let rows = db.all(sql, params![now, limit]).await?;
    rows.iter().map(|row| Ok((row.get(5)?, read(row)?))).collect()
}

/// Of an organization's connections, at most so many whose metadata could not be read at least so often in a row, the longest
/// one first: since when, and why the last time.
pub async fn failing(
    db: &mut impl Read,
    organization: OrganizationId,
    (least, most): (i64, usize),
) -> Result<Vec<(String, Moment, Option<String>)>, StoreError> {
    let sql = "SELECT c.slug, m.read_at, m.failure FROM metadata_reads m JOIN connections c ON c.id = m.connection_id
               WHERE c.organization_id = $1 AND c.state = 'active' AND m.failures >= $2 ORDER BY m.read_at LIMIT $3";
    let rows = db.all(sql, params![organization, least, most as i64]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Takes one turn: false where another node has taken it.
pub async fn claim(tx: &mut Tx<'_>, turn: &MetadataRead, next_read_at: Moment) -> Result<bool, StoreError> {
    let sql = "UPDATE metadata_reads SET next_read_at = $3 WHERE connection_id = $1 AND next_read_at = $2";
    Ok(tx.execute(sql, params![turn.connection_id, turn.next_read_at, next_read_at]).await? == 1)
}

pub async fn put(tx: &mut Tx<'_>, turn: &MetadataRead) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO metadata_reads (connection_id, next_read_at, read_at, failures, failure)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (connection_id) DO UPDATE
         SET next_read_at = excluded.next_read_at, read_at = excluded.read_at, failures = excluded.failures,
             failure = excluded.failure",
        params![turn.connection_id, turn.next_read_at, turn.read_at, turn.failures, turn.failure.as_deref()],
    )
    .await?;
    Ok(())
}

/// That the trail tells what waits for somebody, by its digest; true: it does not wait since it was told. What comes again is
/// told again if nothing was told since that moment.
pub async fn tell_offer(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    digest: &str,
    (since, now): (Moment, Moment),
) -> Result<bool, StoreError> {
    let sql = "UPDATE metadata_reads SET told_offer = $2, told_at = $3
               WHERE connection_id = $1 AND COALESCE(told_offer, '') <> $2
               AND (told_offer IS NOT NULL OR told_at IS NULL OR told_at <= $4)";
    Ok(tx.execute(sql, params![connection, digest, now, since]).await? > 0)
}

/// Nothing waits any more.
pub async fn end_offer(tx: &mut Tx<'_>, connection: ConnectionId) -> Result<(), StoreError> {
    let sql =
        "UPDATE metadata_reads SET told_offer = NULL WHERE connection_id = $1 AND told_offer IS NOT NULL";
    tx.execute(sql, params![connection]).await?;
    Ok(())
}

/// That owners are written to about what waits for somebody; true: they were not, about this since the first moment, nor about
/// anything since the second.
pub async fn mail_offer(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    digest: &str,
    ((this, any), now): ((Moment, Moment), Moment),
) -> Result<bool, StoreError> {
    let sql = "UPDATE metadata_reads SET mailed_offer = $2, mailed_at = $3
               WHERE connection_id = $1
               AND (mailed_at IS NULL OR mailed_at <= $4 OR (mailed_offer <> $2 AND mailed_at <= $5))";
    Ok(tx.execute(sql, params![connection, digest, now, this, any]).await? > 0)
}

/// The connection is read at no address any more.
pub async fn remove(tx: &mut Tx<'_>, connection: ConnectionId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM metadata_reads WHERE connection_id = $1", params![connection]).await?;
    Ok(())
}
