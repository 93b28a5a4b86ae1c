//! Sessions in the durable store.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, parsed, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ProjectId, SessionId};
use crate::model::session::{Acr, Assurance, Session};

pub(super) fn session(row: &Row, at: usize) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.get(at)?,
        project_id: row.get(at + 1)?,
        user_id: row.get(at + 2)?,
        identity_id: row.get(at + 3)?,
        connection_id: row.get(at + 4)?,
        authenticated_at: row.get(at + 5)?,
        assurance: Assurance { amr: json(row, at + 6)?, acr: parsed(row, at + 7, Acr::from_word)? },
        created_at: row.get(at + 8)?,
        expires_at: row.get(at + 9)?,
        ended_at: row.get(at + 10)?,
        current_organization: row.get(at + 11)?,
    })
}

pub async fn by_id(
    db: &mut impl Read,
    project: ProjectId,
    id: SessionId,
) -> Result<Option<Session>, StoreError> {
    let sql =
        "SELECT id, project_id, user_id, identity_id, connection_id, authenticated_at, amr, acr, created_at,
                      expires_at, ended_at, current_organization_id
               FROM sessions WHERE id = $2 AND project_id = $1";
    db.one(sql, params![project, id]).await?.as_ref().map(|row| session(row, 0)).transpose()
}

pub async fn insert(tx: &mut Tx<'_>, session: &Session) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sessions (id, project_id, user_id, identity_id, connection_id, authenticated_at, amr, acr,
                               created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            session.id,
            session.project_id,
            session.user_id,
            session.identity_id,
            session.connection_id,
            session.authenticated_at,
            to_json(&session.assurance.amr),
            session.assurance.acr.word(),
            session.created_at,
            session.expires_at
        ],
    )
    .await?;
    Ok(())
}

/// The same person has proved again who they are. False: the session has ended.
pub async fn renew(tx: &mut Tx<'_>, session: &Session) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE sessions SET connection_id = $2, authenticated_at = $3, amr = $4, acr = $5, expires_at = $6 WHERE id = $1 AND ended_at IS NULL",
        params![
            session.id,
            session.connection_id,
            session.authenticated_at,
            to_json(&session.assurance.amr),
            session.assurance.acr.word(),
            session.expires_at
        ],
    )
    .await?;
    Ok(changed == 1)
}

/// Ends a session. True: it was alive until now.
pub async fn end(tx: &mut Tx<'_>, id: SessionId, now: Moment) -> Result<bool, StoreError> {
    let sql = "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    Ok(tx.execute(sql, params![id, now]).await? == 1)
}

/// Forgets some sessions that ran out before `before`, with the token families that hang on them; zero when there
/// are no more.
pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    let gone = "SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT 500";
    let rows = tx.all(gone, params![before]).await?;
    for row in &rows {
        let id: SessionId = row.get(0)?;
        tx.execute("DELETE FROM grants WHERE session_id = $1", params![id]).await?;
        tx.execute("DELETE FROM sessions WHERE id = $1", params![id]).await?;
    }
    Ok(rows.len() as u64)
}
