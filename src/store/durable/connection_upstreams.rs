//! What the providers of connections last said of themselves, in the durable store.

use super::engine::{Read, StoreError, Tx, params};
use super::json;
use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;

/// What was last said at this address.
pub async fn at(
    db: &mut impl Read,
    connection: ConnectionId,
    address: &str,
) -> Result<Option<Vec<String>>, StoreError> {
    let sql = "SELECT said FROM connection_upstreams WHERE connection_id = $1 AND address = $2";
    db.one(sql, params![connection, address]).await?.map(|row| json(&row, 0)).transpose()
}

pub async fn put(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    address: &str,
    said: &[String],
    now: Moment,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO connection_upstreams (connection_id, address, said, seen_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (connection_id, address) DO UPDATE SET said = excluded.said, seen_at = excluded.seen_at",
        params![connection, address, serde_json::json!(said).to_string(), now],
    )
    .await?;
    Ok(())
}
