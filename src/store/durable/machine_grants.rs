//! What applications were given for themselves.

use super::engine::{Read, StoreError, Tx, params};
use super::{json, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, GrantId, OrganizationId};
use crate::model::machine_grant::MachineGrant;

pub async fn by_id(db: &mut impl Read, id: GrantId) -> Result<Option<MachineGrant>, StoreError> {
    let sql = "SELECT id, project_id, application_id, organization_id, organization_epoch, scopes, expires_at, revoked_at
               FROM machine_grants WHERE id = $1";
    let Some(row) = db.one(sql, params![id]).await? else { return Ok(None) };
    let organization: Option<OrganizationId> = row.get(3)?;
    Ok(Some(MachineGrant {
        id: row.get(0)?,
        project_id: row.get(1)?,
        application_id: row.get(2)?,
        organization: organization.zip(row.get::<Option<i64>>(4)?),
        scopes: json(&row, 5)?,
        expires_at: row.get(6)?,
        revoked_at: row.get(7)?,
    }))
}

pub async fn insert(tx: &mut Tx<'_>, grant: &MachineGrant, now: Moment) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO machine_grants (id, project_id, application_id, organization_id, organization_epoch, scopes,
                                     created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            grant.id,
            grant.project_id,
            grant.application_id,
            grant.organization.map(|(id, _)| id),
            grant.organization.map(|(_, epoch)| epoch),
            to_json(&grant.scopes),
            now,
            grant.expires_at
        ],
    )
    .await?;
    Ok(())
}

/// Revokes one. False: it was revoked before.
pub async fn revoke_living(tx: &mut Tx<'_>, id: GrantId, now: Moment) -> Result<bool, StoreError> {
    let sql = "UPDATE machine_grants SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    Ok(tx.execute(sql, params![id, now]).await? == 1)
}

/// All that an application was given for itself.
pub async fn revoke_of_application(
    tx: &mut Tx<'_>,
    application: ApplicationId,
    now: Moment,
) -> Result<u64, StoreError> {
    let sql = "UPDATE machine_grants SET revoked_at = $2 WHERE application_id = $1 AND revoked_at IS NULL";
    tx.execute(sql, params![application, now]).await
}

/// Forgets those whose token has run out.
pub async fn sweep(tx: &mut Tx<'_>, now: Moment) -> Result<u64, StoreError> {
    let sql = "DELETE FROM machine_grants WHERE id IN
               (SELECT id FROM machine_grants WHERE expires_at < $1 ORDER BY expires_at LIMIT 2000)";
    tx.execute(sql, params![now]).await
}
