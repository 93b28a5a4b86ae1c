//! What people have allowed applications of others, one row for each person and application.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, OrganizationId, UserId};
use crate::model::consent::{Allowed, Consent};

/// What this person has allowed this application, of all times together; nothing where they have not been asked, or have
/// taken it back.
pub async fn allowed(
    db: &mut impl Read,
    user: UserId,
    application: ApplicationId,
) -> Result<Option<Allowed>, StoreError> {
    let sql = "SELECT scopes, organizations FROM consents WHERE user_id = $1 AND application_id = $2";
    let read = |row: Row| Ok(Allowed { scopes: json(&row, 0)?, organizations: json(&row, 1)? });
    db.one(sql, params![user, application]).await?.map(read).transpose()
}

/// They allow this, too.
pub async fn allow(
    tx: &mut Tx<'_>,
    user: UserId,
    application: ApplicationId,
    (scopes, organization): (&[String], Option<OrganizationId>),
    now: Moment,
) -> Result<(), StoreError> {
    let mut all = allowed(tx, user, application).await?.unwrap_or_default();
    all.scopes.extend(scopes.iter().cloned());
    all.scopes.sort_unstable();
    all.scopes.dedup();
    if !all.organizations.contains(&organization) {
        all.organizations.push(organization);
    }
    // Of two at once the later one counts: what it does not know of is asked for again.
    tx.execute(
        "INSERT INTO consents (user_id, application_id, scopes, organizations, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (user_id, application_id) DO UPDATE SET scopes = $3, organizations = $4, updated_at = $5",
        params![user, application, to_json(&all.scopes), to_json(&all.organizations), now],
    )
    .await?;
    Ok(())
}

/// All of one person's, by the applications' ids.
pub async fn of_user(db: &mut impl Read, user: UserId, most: u32) -> Result<Vec<Consent>, StoreError> {
    let sql = "SELECT a.id, a.display_name, c.scopes, c.created_at
               FROM consents c JOIN applications a ON a.id = c.application_id
               WHERE c.user_id = $1 ORDER BY a.id LIMIT $2";
    let rows = db.all(sql, params![user, most]).await?;
    rows.iter()
        .map(|row| {
            Ok(Consent {
                application: row.get(0)?,
                name: row.get(1)?,
                scopes: json(row, 2)?,
                since: row.get(3)?,
            })
        })
        .collect()
}

/// They take it back. False: there was nothing.
pub async fn withdraw(tx: &mut Tx<'_>, user: UserId, application: ApplicationId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM consents WHERE user_id = $1 AND application_id = $2";
    Ok(tx.execute(sql, params![user, application]).await? == 1)
}
