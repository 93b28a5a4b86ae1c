//! Facts about the store itself.

use super::engine::{Read, StoreError, Tx, params};

pub async fn get(db: &mut impl Read, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    db.one("SELECT value FROM house WHERE name = $1", params![name]).await?.map(|row| row.get(0)).transpose()
}

/// Writes a fact that must not be there yet.
pub async fn insert(tx: &mut Tx<'_>, name: &str, value: &[u8]) -> Result<(), StoreError> {
    tx.execute("INSERT INTO house (name, value) VALUES ($1, $2)", params![name, value]).await?;
    Ok(())
}
