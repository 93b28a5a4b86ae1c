//! What people have allowed applications of others, one row for each person and application.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, UserId};
use crate::model::consent::{Allowed, Consent, Terms};

macro_rules! columns {
    () => {
        "c.name, c.audiences, c.places, c.scopes, c.organizations"
    };
}

/// What this person has allowed this application, of all times together; nothing where they have not been asked, or have
/// taken it back.
pub async fn allowed(
    db: &mut impl Read,
    user: UserId,
    application: ApplicationId,
) -> Result<Option<Allowed>, StoreError> {
    let sql =
        concat!("SELECT ", columns!(), " FROM consents c WHERE c.user_id = $1 AND c.application_id = $2");
    db.one(sql, params![user, application]).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Allowed, StoreError> {
    Ok(Allowed {
        terms: Terms { name: row.get(0)?, audiences: json(row, 1)? },
        places: json(row, 2)?,
        scopes: json(row, 3)?,
        organizations: json(row, 4)?,
    })
}

/// They allow this, too.
pub async fn allow(
    tx: &mut Tx<'_>,
    user: UserId,
    application: ApplicationId,
    more: &Allowed,
    now: Moment,
) -> Result<(), StoreError> {
    let all = match allowed(tx, user, application).await? {
        Some(before) => before.and(more),
        None => more.clone(),
    };
    // Of two at once the later one counts: what it does not know of is asked for again.
    tx.execute(
        "INSERT INTO consents (user_id, application_id, name, audiences, places, scopes, organizations, created_at,
                               updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         ON CONFLICT (user_id, application_id) DO UPDATE
         SET name = $3, audiences = $4, places = $5, scopes = $6, organizations = $7, updated_at = $8",
        params![
            user,
            application,
            &all.terms.name,
            to_json(&all.terms.audiences),
            to_json(&all.places),
            to_json(&all.scopes),
            to_json(&all.organizations),
            now
        ],
    )
    .await?;
    Ok(())
}

/// Some of one person's, by the applications' ids. `after`: the last one of the page before, or an empty text.
pub async fn of_user(
    db: &mut impl Read,
    user: UserId,
    after: &str,
    most: u32,
) -> Result<Vec<Consent>, StoreError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        ", a.id, a.display_name, c.created_at, c.updated_at
         FROM consents c JOIN applications a ON a.id = c.application_id
         WHERE c.user_id = $1 AND a.id > $2 ORDER BY a.id LIMIT $3"
    );
    let rows = db.all(sql, params![user, after, most]).await?;
    rows.iter()
        .map(|row| {
            Ok(Consent {
                application: row.get(5)?,
                name: row.get(6)?,
                allowed: read(row)?,
                since: row.get(7)?,
                updated_at: row.get(8)?,
            })
        })
        .collect()
}

/// They take it back. False: there was nothing.
pub async fn withdraw(tx: &mut Tx<'_>, user: UserId, application: ApplicationId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM consents WHERE user_id = $1 AND application_id = $2";
    Ok(tx.execute(sql, params![user, application]).await? == 1)
}
