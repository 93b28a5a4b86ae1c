//! What applications are still to be told of sessions that ended: put there once, taken by one node at a time, and gone
//! when it is told or given up.

use super::engine::{Read, Row, StoreError, Tx, params};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, OrganizationId, SessionId};
use crate::model::sign_out::Notice;

/// A notice that this node is telling.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub notice: Notice,
    /// How often it has been tried, this time included.
    pub tries: i64,
    /// Until when no other node takes it; it tells this claim from another.
    pub until: Moment,
}

fn claimed(row: &Row) -> Result<Claimed, StoreError> {
    let notice = Notice {
        id: row.get(0)?,
        project_id: row.get(1)?,
        application_id: row.get(2)?,
        session_id: row.get(3)?,
        user_id: row.get(4)?,
        organization_id: row.get(5)?,
        created_at: row.get(6)?,
        expires_at: row.get(7)?,
    };
    Ok(Claimed { notice, tries: row.get(8)?, until: row.get(9)? })
}

pub async fn queue(tx: &mut Tx<'_>, notice: &Notice) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO logout_notices (id, project_id, application_id, session_id, user_id, organization_id, created_at,
                                     expires_at, tries, next_try_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $7)",
        params![
            notice.id,
            notice.project_id,
            notice.application_id,
            notice.session_id,
            notice.user_id,
            notice.organization_id,
            notice.created_at,
            notice.expires_at
        ],
    )
    .await?;
    Ok(())
}

/// An application has got tokens again in a session of which it was still to be told: of all of it, or of what it had for this
/// organization. It would end what it has just begun.
pub async fn overtaken(
    tx: &mut Tx<'_>,
    session: SessionId,
    application: ApplicationId,
    organization: Option<OrganizationId>,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM logout_notices
               WHERE session_id = $1 AND application_id = $2
                 AND (organization_id IS NULL OR organization_id = $3)";
    tx.execute(sql, params![session, application, organization]).await?;
    Ok(())
}

/// The applications that are to be told something now.
pub async fn due(db: &mut impl Read, now: Moment, most: i64) -> Result<Vec<ApplicationId>, StoreError> {
    let sql = "SELECT application_id FROM logout_notices
               WHERE next_try_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)
               GROUP BY application_id ORDER BY MIN(next_try_at), application_id LIMIT $2";
    db.all(sql, params![now, most]).await?.iter().map(|row| row.get(0)).collect()
}

/// Takes some of one application's, until a moment: of many nodes, one takes each. One that a node has taken and died
/// with is taken by another after that.
pub async fn claim(
    tx: &mut Tx<'_>,
    application: ApplicationId,
    now: Moment,
    until: Moment,
    most: i64,
) -> Result<Vec<Claimed>, StoreError> {
    // What another node has just taken is looked at once more when its transaction ends: hence the condition twice.
    let sql = "UPDATE logout_notices SET claimed_until = $3, tries = tries + 1
               WHERE id IN (SELECT id FROM logout_notices
                            WHERE application_id = $1 AND next_try_at <= $2
                              AND (claimed_until IS NULL OR claimed_until <= $2)
                            ORDER BY next_try_at, id LIMIT $4)
                 AND next_try_at <= $2 AND (claimed_until IS NULL OR claimed_until <= $2)
               RETURNING id, project_id, application_id, session_id, user_id, organization_id, created_at, expires_at,
                         tries, claimed_until";
    tx.all(sql, params![application, now, until, most]).await?.iter().map(claimed).collect()
}

/// It is told, or is nobody's business any more. False: another node has it by now.
pub async fn done(tx: &mut Tx<'_>, claim: &Claimed) -> Result<bool, StoreError> {
    let sql = "DELETE FROM logout_notices WHERE id = $1 AND claimed_until = $2";
    Ok(tx.execute(sql, params![claim.notice.id, claim.until]).await? == 1)
}

/// It is tried again at a moment.
pub async fn later(tx: &mut Tx<'_>, claim: &Claimed, at: Moment, failure: &str) -> Result<bool, StoreError> {
    let sql = "UPDATE logout_notices SET next_try_at = $3, claimed_until = NULL, failure = $4
               WHERE id = $1 AND claimed_until = $2";
    Ok(tx.execute(sql, params![claim.notice.id, claim.until, at, failure]).await? == 1)
}

/// Nobody answers there: whatever else waits for that application waits until then.
pub async fn hold_back(
    tx: &mut Tx<'_>,
    application: ApplicationId,
    now: Moment,
    until: Moment,
) -> Result<(), StoreError> {
    let sql = "UPDATE logout_notices SET next_try_at = $3
               WHERE application_id = $1 AND next_try_at < $3 AND expires_at > $3
                 AND (claimed_until IS NULL OR claimed_until <= $2)";
    tx.execute(sql, params![application, now, until]).await?;
    Ok(())
}
