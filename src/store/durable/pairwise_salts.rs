//! What pairwise names of people are derived of, sealed: one for each project.

use super::engine::{Read, StoreError, Tx, params};
use crate::foundation::clock::Moment;
use crate::foundation::id::ProjectId;

pub async fn of(db: &mut impl Read, project: ProjectId) -> Result<Option<Vec<u8>>, StoreError> {
    let row = db.one("SELECT salt FROM pairwise_salts WHERE project_id = $1", params![project]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Keeps it, unless there is one.
pub async fn insert(tx: &mut Tx<'_>, project: ProjectId, salt: &[u8], now: Moment) -> Result<(), StoreError> {
    let sql = "INSERT INTO pairwise_salts (project_id, salt, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    tx.execute(sql, params![project, salt, now]).await?;
    Ok(())
}
