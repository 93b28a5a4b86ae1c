//! What the providers of connections last said of themselves, in the durable store.

use super::engine::{Read, StoreError, Tx, params};
use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::foundation::secret::Digest;

pub async fn of(
    db: &mut impl Read,
    connection: ConnectionId,
    issuer: &str,
) -> Result<Option<Digest>, StoreError> {
    let sql = "SELECT digest FROM connection_upstreams WHERE connection_id = $1 AND issuer = $2";
    db.one(sql, params![connection, issuer]).await?.map(|row| row.get(0)).transpose()
}

pub async fn put(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    issuer: &str,
    digest: Digest,
    now: Moment,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO connection_upstreams (connection_id, issuer, digest, seen_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (connection_id, issuer) DO UPDATE SET digest = excluded.digest, seen_at = excluded.seen_at",
        params![connection, issuer, digest, now],
    )
    .await?;
    Ok(())
}
