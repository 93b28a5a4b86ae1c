//! Browsers in the durable store: what a session cookie's id points to.

use std::collections::BTreeMap;

use super::engine::{Read, StoreError, Tx, params};
use super::{json, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ProjectId, SessionId};
use crate::foundation::secret::Digest;

/// The sessions of a browser: a project's id, and the session's.
pub type Pointers = BTreeMap<String, String>;

pub async fn load(db: &mut impl Read, digest: Digest, now: Moment) -> Result<Option<Pointers>, StoreError> {
    let sql = "SELECT sessions FROM browsers WHERE digest = $1 AND expires_at > $2";
    db.one(sql, params![digest, now]).await?.map(|row| json(&row, 0)).transpose()
}

pub async fn put(
    tx: &mut Tx<'_>,
    digest: Digest,
    pointers: &Pointers,
    now: Moment,
    expires_at: Moment,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO browsers (digest, sessions, created_at, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (digest) DO UPDATE SET sessions = excluded.sessions, expires_at = excluded.expires_at",
        params![digest, to_json(pointers), now, expires_at],
    )
    .await?;
    Ok(())
}

/// Points a browser to a session of a project, under another id: the old one is gone (threats C28).
pub async fn turn(
    tx: &mut Tx<'_>,
    from: Option<Digest>,
    to: Digest,
    (project, session): (ProjectId, SessionId),
    now: Moment,
    expires_at: Moment,
) -> Result<(), StoreError> {
    let mut pointers = Pointers::new();
    if let Some(from) = from {
        pointers = load(tx, from, now).await?.unwrap_or_default();
        delete(tx, from).await?;
    }
    pointers.insert(project.to_string(), session.to_string());
    put(tx, to, &pointers, now, expires_at).await
}

pub async fn delete(tx: &mut Tx<'_>, digest: Digest) -> Result<(), StoreError> {
    tx.execute("DELETE FROM browsers WHERE digest = $1", params![digest]).await?;
    Ok(())
}

pub async fn sweep(tx: &mut Tx<'_>, now: Moment) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM browsers WHERE expires_at < $1", params![now]).await
}
