//! Signing keys in the durable store.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::parsed;
use crate::foundation::clock::Moment;
use crate::foundation::id::{KeyId, ProjectId};
use crate::model::signing_key::KeyRecord;

fn key(row: &Row) -> Result<KeyRecord, StoreError> {
    Ok(KeyRecord {
        id: row.get(0)?,
        project_id: row.get(1)?,
        algorithm: parsed(row, 2, KeyRecord::algorithm_named)?,
        generation: row.get(3)?,
        public_jwk: row.get(4)?,
        private_key: row.get(5)?,
        created_at: row.get(6)?,
        signs_from: row.get(7)?,
        signs_until: row.get(8)?,
        published_until: row.get(9)?,
    })
}

/// The keys of a project that are still published, oldest first.
pub async fn published(
    db: &mut impl Read,
    project: ProjectId,
    now: Moment,
) -> Result<Vec<KeyRecord>, StoreError> {
    let sql = "SELECT id, project_id, algorithm, generation, public_jwk, private_key, created_at, signs_from,
                      signs_until, published_until
               FROM signing_keys
               WHERE project_id = $1 AND (published_until IS NULL OR published_until > $2)
               ORDER BY algorithm, generation";
    db.all(sql, params![project, now]).await?.iter().map(key).collect()
}

/// The public part of a key, however long ago it signed: its row stays.
pub async fn public_jwk(
    db: &mut impl Read,
    project: ProjectId,
    id: KeyId,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT public_jwk FROM signing_keys WHERE id = $2 AND project_id = $1";
    db.one(sql, params![project, id]).await?.map(|row| row.get(0)).transpose()
}

/// Every public key of an algorithm that the project has or ever had.
pub async fn ever_public(
    db: &mut impl Read,
    project: ProjectId,
    algorithm: &'static str,
) -> Result<Vec<String>, StoreError> {
    let sql =
        "SELECT public_jwk FROM signing_keys WHERE project_id = $1 AND algorithm = $2 ORDER BY generation";
    db.all(sql, params![project, algorithm]).await?.iter().map(|row| row.get(0)).collect()
}

/// Fails with [`StoreError::Unique`] where another node has made this generation.
pub async fn insert(tx: &mut Tx<'_>, key: &KeyRecord) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO signing_keys (id, project_id, algorithm, generation, public_jwk, private_key, created_at,
                                   signs_from, signs_until, published_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            key.id,
            key.project_id,
            key.algorithm.name(),
            key.generation,
            &key.public_jwk,
            key.private_key.as_slice(),
            key.created_at,
            key.signs_from,
            key.signs_until,
            key.published_until
        ],
    )
    .await?;
    Ok(())
}

/// Says when a key signs for the last time, and until when it is published.
pub async fn retire(
    tx: &mut Tx<'_>,
    id: KeyId,
    signs_until: Moment,
    published_until: Moment,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE signing_keys SET signs_until = $2, published_until = $3 WHERE id = $1",
        params![id, signs_until, published_until],
    )
    .await?;
    Ok(())
}

/// The highest generation ever made, so that none is made twice.
pub async fn latest_generation(
    db: &mut impl Read,
    project: ProjectId,
    algorithm: &'static str,
) -> Result<i64, StoreError> {
    let sql = "SELECT generation FROM signing_keys WHERE project_id = $1 AND algorithm = $2
               ORDER BY generation DESC LIMIT 1";
    let row = db.one(sql, params![project, algorithm]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Wipes keys that are published no more.
pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    // The row stays, so that its generation is never made again; the key itself goes.
    let sql = "UPDATE signing_keys SET private_key = $2 WHERE published_until < $1 AND private_key <> $2";
    tx.execute(sql, params![before, &b""[..]]).await
}
