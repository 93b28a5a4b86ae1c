//! What has been used once and must never be used again, across nodes and restarts (invariant 4).

use super::engine::{StoreError, Tx, params};
use crate::foundation::clock::Moment;

/// True for the first caller, once and for all until `expires_at`.
pub async fn first(
    tx: &mut Tx<'_>,
    kind: &'static str,
    scope: &str,
    value: &str,
    expires_at: Moment,
) -> Result<bool, StoreError> {
    let sql =
        "INSERT INTO used (kind, scope, value, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, params![kind, scope, value, expires_at]).await? == 1)
}

pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM used WHERE expires_at < $1", params![before]).await
}
