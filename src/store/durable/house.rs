//! Facts about the store itself.

use super::engine::{Read, StoreError, Tx, params};

pub async fn get(db: &mut impl Read, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    db.one("SELECT value FROM house WHERE name = $1", params![name]).await?.map(|row| row.get(0)).transpose()
}

/// Writes a fact, in the place of what it was before. An error, if the store does not keep it.
pub async fn put(tx: &mut Tx<'_>, name: &str, value: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT INTO house (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    match tx.execute(sql, params![name, value]).await? {
        1 => Ok(()),
        _ => Err(StoreError::Statement("a fact of the house was not kept".to_owned())),
    }
}

/// Writes a fact that must not be there yet.
pub async fn insert(tx: &mut Tx<'_>, name: &str, value: &[u8]) -> Result<(), StoreError> {
    tx.execute("INSERT INTO house (name, value) VALUES ($1, $2)", params![name, value]).await?;
    Ok(())
}
