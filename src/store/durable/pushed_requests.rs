//! Authorization requests that were pushed, and are still to be used.

use super::engine::{StoreError, Tx, params};
use super::{json, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, ProjectId};
use crate::foundation::secret::Digest;
use crate::model::login::Asked;

/// `digest`: of its name.
pub async fn insert(
    tx: &mut Tx<'_>,
    digest: Digest,
    project: ProjectId,
    asked: &Asked,
    expires_at: Moment,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO pushed_requests (digest, project_id, application_id, asked, expires_at)
               VALUES ($1, $2, $3, $4, $5)";
    tx.execute(sql, params![digest, project, asked.application, to_json(asked), expires_at]).await?;
    Ok(())
}

/// Uses a request: the first caller gets it, whoever comes later or too late gets nothing, and neither does another
/// application (RFC 9126, section 7.3).
pub async fn take(
    tx: &mut Tx<'_>,
    digest: Digest,
    application: ApplicationId,
    now: Moment,
) -> Result<Option<Asked>, StoreError> {
    let sql = "DELETE FROM pushed_requests WHERE digest = $1 AND application_id = $2 AND expires_at > $3
               RETURNING asked";
    tx.one(sql, params![digest, application, now]).await?.map(|row| json(&row, 0)).transpose()
}

/// Forgets what has run out.
pub async fn sweep(tx: &mut Tx<'_>, now: Moment) -> Result<u64, StoreError> {
    let sql = "DELETE FROM pushed_requests WHERE digest IN
               (SELECT digest FROM pushed_requests WHERE expires_at < $1 ORDER BY expires_at LIMIT 2000)";
    tx.execute(sql, params![now]).await
}
