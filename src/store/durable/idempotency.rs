//! What was answered to writes that named themselves, in the durable store: with the write, in one transaction.

use super::engine::{Read, StoreError, Tx, params};
use crate::foundation::clock::Moment;
use crate::foundation::id::ProjectId;
use crate::foundation::secret::Digest;

/// One name of a write. Names are the caller's own: nobody meets another one's.
#[derive(Clone, Debug)]
pub struct Name {
    pub project: ProjectId,
    /// The caller, with what they act by.
    pub caller: String,
    pub value: String,
}

/// What stands under a name.
#[derive(Debug)]
pub enum Claim {
    /// Nothing did: it is the caller's now, until the transaction ends.
    Fresh,
    Answered {
        fingerprint: Digest,
        answer: Vec<u8>,
    },
}

/// The fingerprint and the answer that stand under a name.
pub async fn find(
    db: &mut impl Read,
    name: &Name,
    now: Moment,
) -> Result<Option<(Digest, Vec<u8>)>, StoreError> {
    let sql = "SELECT fingerprint, answer FROM idempotency_keys
               WHERE project_id = $1 AND caller = $2 AND value = $3 AND expires_at > $4";
    let row = db.one(sql, params![name.project, &name.caller, &name.value, now]).await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// Takes the name, or tells what was answered under it. Who comes while another transaction has it waits for that.
pub async fn claim(
    tx: &mut Tx<'_>,
    name: &Name,
    fingerprint: Digest,
    now: Moment,
    expires_at: Moment,
) -> Result<Claim, StoreError> {
    let sql = "DELETE FROM idempotency_keys
               WHERE project_id = $1 AND caller = $2 AND value = $3 AND expires_at <= $4";
    tx.execute(sql, params![name.project, &name.caller, &name.value, now]).await?;
    let sql = "INSERT INTO idempotency_keys (project_id, caller, value, fingerprint, answer, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let nothing = Vec::<u8>::new();
    let taken = tx
        .execute(sql, params![name.project, &name.caller, &name.value, fingerprint, nothing, expires_at])
        .await?;
    if taken == 1 {
        return Ok(Claim::Fresh);
    }
    let sql = "SELECT fingerprint, answer FROM idempotency_keys
               WHERE project_id = $1 AND caller = $2 AND value = $3";
    let row = tx.one(sql, params![name.project, &name.caller, &name.value]).await?;
    let row = row.ok_or(StoreError::Conflict)?;
    Ok(Claim::Answered { fingerprint: row.get(0)?, answer: row.get(1)? })
}

/// Keeps the answer, sealed.
pub async fn keep(tx: &mut Tx<'_>, name: &Name, answer: &[u8]) -> Result<(), StoreError> {
    let sql = "UPDATE idempotency_keys SET answer = $4 WHERE project_id = $1 AND caller = $2 AND value = $3";
    tx.execute(sql, params![name.project, &name.caller, &name.value, answer]).await?;
    Ok(())
}

pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM idempotency_keys WHERE expires_at < $1", params![before]).await
}
