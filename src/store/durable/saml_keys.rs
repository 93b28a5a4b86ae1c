//! SAML keys in the durable store.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::parsed;
use crate::foundation::clock::Moment;
use crate::foundation::id::{KeyId, ProjectId};
use crate::model::saml_key::{Purpose, SamlKeyRecord};

fn key(row: &Row) -> Result<SamlKeyRecord, StoreError> {
    Ok(SamlKeyRecord {
        id: row.get(0)?,
        project_id: row.get(1)?,
        purpose: parsed(row, 2, Purpose::from_word)?,
        generation: row.get(3)?,
        certificate: row.get(4)?,
        private_key: row.get(5)?,
        created_at: row.get(6)?,
        begins_at: row.get(7)?,
        ends_at: row.get(8)?,
        kept_until: row.get(9)?,
    })
}

/// The keys of a project that are still kept, oldest first.
pub async fn kept(
    db: &mut impl Read,
    project: ProjectId,
    now: Moment,
) -> Result<Vec<SamlKeyRecord>, StoreError> {
    let sql = "SELECT id, project_id, purpose, generation, certificate, private_key, created_at, begins_at, ends_at,
                      kept_until
               FROM saml_keys
               WHERE project_id = $1 AND (kept_until IS NULL OR kept_until > $2)
               ORDER BY purpose, generation";
    db.all(sql, params![project, now]).await?.iter().map(key).collect()
}

/// Fails with [`StoreError::Unique`] where another node has made this generation.
pub async fn insert(tx: &mut Tx<'_>, key: &SamlKeyRecord) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO saml_keys (id, project_id, purpose, generation, certificate, private_key, created_at, begins_at,
                                ends_at, kept_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            key.id,
            key.project_id,
            key.purpose.word(),
            key.generation,
            key.certificate.as_slice(),
            key.private_key.as_slice(),
            key.created_at,
            key.begins_at,
            key.ends_at,
            key.kept_until
        ],
    )
    .await?;
    Ok(())
}

/// Says when a key takes its predecessor's place.
pub async fn begin(tx: &mut Tx<'_>, id: KeyId, begins_at: Moment) -> Result<(), StoreError> {
    tx.execute("UPDATE saml_keys SET begins_at = $2 WHERE id = $1", params![id, begins_at]).await?;
    Ok(())
}

/// Says when a key's successor takes its place, and until when it is kept.
pub async fn retire(
    tx: &mut Tx<'_>,
    id: KeyId,
    ends_at: Moment,
    kept_until: Moment,
) -> Result<(), StoreError> {
    let sql = "UPDATE saml_keys SET ends_at = $2, kept_until = $3 WHERE id = $1";
    tx.execute(sql, params![id, ends_at, kept_until]).await?;
    Ok(())
}

/// The highest generation ever made, so that none is made twice.
pub async fn latest_generation(
    db: &mut impl Read,
    project: ProjectId,
    purpose: Purpose,
) -> Result<i64, StoreError> {
    let sql = "SELECT generation FROM saml_keys WHERE project_id = $1 AND purpose = $2
               ORDER BY generation DESC LIMIT 1";
    let row = db.one(sql, params![project, purpose.word()]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Wipes keys that are kept no more; the row stays, so that its generation is never made again.
pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    let sql = "UPDATE saml_keys SET private_key = $2 WHERE kept_until < $1 AND private_key <> $2";
    tx.execute(sql, params![before, &b""[..]]).await
}
