//! What ends grants, or takes them back.

use crate::foundation::clock::Moment;
use crate::foundation::id::{
    ApplicationId, ConnectionId, DelegationId, GrantId, OrganizationId, SessionId, UserId,
};
use crate::store::durable::engine::{StoreError, Tx, params};

pub async fn revoke(tx: &mut Tx<'_>, id: GrantId, now: Moment) -> Result<(), StoreError> {
    let sql = "UPDATE grants SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1";
    tx.execute(sql, params![id, now]).await?;
    Ok(())
}

/// Ends a family in whose place another one was given, if it lives and this is where it stands: its refresh token is used
/// up, if `next` is another one.
pub async fn replace(
    tx: &mut Tx<'_>,
    id: GrantId,
    (generation, next): (i64, i64),
    now: Moment,
) -> Result<bool, StoreError> {
    let sql = "UPDATE grants SET revoked_at = $4, refresh_generation = $3, refresh_rotated_at = $4
               WHERE id = $1 AND refresh_generation = $2 AND revoked_at IS NULL";
    Ok(tx.execute(sql, params![id, generation, next, now]).await? == 1)
}

/// Revokes a family. False: it was revoked before.
pub async fn revoke_living(tx: &mut Tx<'_>, id: GrantId, now: Moment) -> Result<bool, StoreError> {
    let sql = "UPDATE grants SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    Ok(tx.execute(sql, params![id, now]).await? == 1)
}

/// Of a theft: the family of the code, and every one that somebody switched to from it on.
pub async fn revoke_of_origin(tx: &mut Tx<'_>, origin: GrantId, now: Moment) -> Result<u64, StoreError> {
    let sql = "UPDATE grants SET revoked_at = $2 WHERE origin_id = $1 AND revoked_at IS NULL";
    let switched = tx.execute(sql, params![origin, now]).await?;
    Ok(switched + u64::from(revoke_living(tx, origin, now).await?))
}

/// Ended by a sign-out: those that were given for no longer than the session (OpenID Connect Back-Channel Logout,
/// section 2.7).
pub async fn end_of_session(tx: &mut Tx<'_>, session: SessionId, now: Moment) -> Result<u64, StoreError> {
    let sql = "UPDATE grants SET revoked_at = $2
               WHERE session_id = $1 AND offline_since IS NULL AND revoked_at IS NULL";
    tx.execute(sql, params![session, now]).await
}

/// Of an application whose people are known by other names from now on, or which is itself.
pub async fn revoke_of_application(
    tx: &mut Tx<'_>,
    application: ApplicationId,
    now: Moment,
) -> Result<u64, StoreError> {
    let sql = "UPDATE grants SET revoked_at = $2 WHERE application_id = $1 AND revoked_at IS NULL";
    tx.execute(sql, params![application, now]).await
}

/// What a session has for one organization.
pub async fn revoke_within(
    tx: &mut Tx<'_>,
    session: SessionId,
    organization: OrganizationId,
    now: Moment,
) -> Result<u64, StoreError> {
    let sql = "UPDATE grants SET revoked_at = $3
               WHERE session_id = $1 AND organization_id = $2 AND revoked_at IS NULL";
    tx.execute(sql, params![session, organization, now]).await
}

/// Of somebody who is no member any more: what they have for the organization, and what they have for others because it
/// lets its people act for those.
pub async fn revoke_of_member(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    user: UserId,
    now: Moment,
) -> Result<u64, StoreError> {
    let sql = "UPDATE grants SET revoked_at = $3
               WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $2) AND revoked_at IS NULL
                 AND ((organization_id = $1 AND delegation_id IS NULL)
                      OR delegation_id IN (SELECT id FROM delegations WHERE home_organization_id = $1))";
    tx.execute(sql, params![organization, user, now]).await
}

/// All that came of sign-ins of whom a provider calls so, whether their sessions have ended or not.
pub async fn revoke_of_subject(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    issuer: &str,
    subject: &str,
    now: Moment,
) -> Result<u64, StoreError> {
    let sql = "UPDATE grants SET revoked_at = $4
               WHERE revoked_at IS NULL AND session_id IN
                     (SELECT s.id FROM identities i
                      JOIN sessions s ON s.user_id = i.user_id AND s.identity_id = i.id
                      WHERE i.connection_id = $1 AND i.issuer = $2 AND i.subject = $3)";
    tx.execute(sql, params![connection, issuer, subject, now]).await
}

/// All that somebody has.
pub async fn revoke_of_user(tx: &mut Tx<'_>, user: UserId, now: Moment) -> Result<u64, StoreError> {
    let sql = "UPDATE grants SET revoked_at = $2
               WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1) AND revoked_at IS NULL";
    tx.execute(sql, params![user, now]).await
}

/// Takes back what an application holds of somebody, and codes that it has still to redeem. `within`: what is for this
/// organization, or with an empty text for none; absent: all of it. Tells for which organization each family was.
pub async fn take_back(
    tx: &mut Tx<'_>,
    user: UserId,
    application: ApplicationId,
    within: Option<String>,
    now: Moment,
) -> Result<Vec<Option<OrganizationId>>, StoreError> {
    let sql = "UPDATE grants SET revoked_at = $4
               WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1) AND application_id = $2
                 AND revoked_at IS NULL AND expires_at > $4
                 AND COALESCE(organization_id, '') = COALESCE($3, organization_id, '')
               RETURNING organization_id";
    let rows = tx.all(sql, params![user, application, within, now]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Takes back what was issued to people who acted by a delegation.
pub async fn revoke_of_delegation(tx: &mut Tx<'_>, id: DelegationId, now: Moment) -> Result<u64, StoreError> {
    let sql = "UPDATE grants SET revoked_at = $2 WHERE delegation_id = $1 AND revoked_at IS NULL";
    tx.execute(sql, params![id, now]).await
}
