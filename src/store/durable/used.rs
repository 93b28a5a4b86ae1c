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

/// Remembers a moment, unless a later one is remembered already.
pub async fn mark(
    tx: &mut Tx<'_>,
    kind: &'static str,
    scope: &str,
    value: &str,
    at: Moment,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO used (kind, scope, value, expires_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (kind, scope, value) DO UPDATE SET expires_at = excluded.expires_at
               WHERE used.expires_at < excluded.expires_at";
    tx.execute(sql, params![kind, scope, value, at]).await?;
    Ok(())
}

/// The moment that was marked.
pub async fn marked(
    tx: &mut Tx<'_>,
    kind: &'static str,
    scope: &str,
    value: &str,
) -> Result<Option<Moment>, StoreError> {
    let sql = "SELECT expires_at FROM used WHERE kind = $1 AND scope = $2 AND value = $3";
    tx.one(sql, params![kind, scope, value]).await?.map(|row| row.get(0)).transpose()
}

pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM used WHERE expires_at < $1", params![before]).await
}

/// As [`sweep`], of one kind.
pub async fn sweep_of(tx: &mut Tx<'_>, kind: &'static str, before: Moment) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM used WHERE kind = $1 AND expires_at < $2", params![kind, before]).await
}
