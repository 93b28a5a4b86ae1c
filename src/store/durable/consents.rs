//! What people have allowed applications of others, one row for each person and application.

use super::choices::Choice;
use super::engine::{Lock, Read, Row, StoreError, Tx, params};
use super::{json, organizations, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, UserId};
use crate::model::application::Application;
use crate::model::consent::{Allowed, Consent, Known, Told};

/// What this person has allowed this application, of all times together; nothing where they have not been asked, or have
/// taken it back.
pub async fn allowed(
    db: &mut impl Read,
    user: UserId,
    application: ApplicationId,
) -> Result<Option<Allowed>, StoreError> {
    let sql = "SELECT name, told FROM consents WHERE user_id = $1 AND application_id = $2";
    db.one(sql, params![user, application]).await?.as_ref().map(read).transpose()
}

/// How far this application may know how this person stands to organizations.
pub async fn known(db: &mut impl Read, user: UserId, application: &Application) -> Result<Known, StoreError> {
    if !application.settings.client.consent_required {
        return Ok(Known::All);
    }
    let allowed = allowed(db, user, application.id).await?;
    Ok(Known::Only(allowed.map(|all| all.organizations(&application.display_name)).unwrap_or_default()))
}

/// Whether it may know that of whatever is called so; where nothing is named, of anything at all. Of a name that nobody has
/// it knows no more than of a stranger's.
pub async fn knows(
    db: &mut impl Read,
    user: UserId,
    application: &Application,
    names: &[&str],
) -> Result<bool, StoreError> {
    let known = known(db, user, application).await?;
    if known == Known::All || names.is_empty() {
        return Ok(!known.is_nothing());
    }
    for name in names {
        let found = organizations::named(db, application.project_id, name).await?;
        if !found.is_some_and(|found| known.includes(Some(found.id))) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Leaves of these what the application may know of: where nobody is asked, what is decided by the rest would tell it of
/// that (threats C22).
pub async fn leave_known(
    db: &mut impl Read,
    user: UserId,
    application: &Application,
    choices: &mut Vec<Choice>,
) -> Result<(), StoreError> {
    let known = known(db, user, application).await?;
    choices.retain(|choice| known.includes(Some(choice.organization)));
    Ok(())
}

/// As [`allowed`], to be changed: whoever allows or takes back more meanwhile waits.
async fn locked(
    tx: &mut Tx<'_>,
    user: UserId,
    application: ApplicationId,
) -> Result<Option<Allowed>, StoreError> {
    tx.lock(Lock::Exclusive, "users", &user.to_string()).await?;
    allowed(tx, user, application).await
}

fn read(row: &Row) -> Result<Allowed, StoreError> {
    Ok(Allowed { name: row.get(0)?, told: json(row, 1)? })
}

/// They allow this, too, to who has this name.
pub async fn allow(
    tx: &mut Tx<'_>,
    user: UserId,
    application: ApplicationId,
    (name, more): (&str, &Told),
    now: Moment,
) -> Result<(), StoreError> {
    let all = match locked(tx, user, application).await? {
        Some(before) => before.and(name, more.clone()),
        None => Allowed { name: name.to_owned(), told: vec![more.clone()] },
    };
    tx.execute(
        "INSERT INTO consents (user_id, application_id, name, told, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (user_id, application_id) DO UPDATE SET name = $3, told = $4, updated_at = $5",
        params![user, application, &all.name, to_json(&all.told), now],
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
    let sql = "SELECT c.name, c.told, a.id, a.display_name, c.created_at, c.updated_at
               FROM consents c JOIN applications a ON a.id = c.application_id
               WHERE c.user_id = $1 AND a.id > $2 ORDER BY a.id LIMIT $3";
    let rows = db.all(sql, params![user, after, most]).await?;
    rows.iter()
        .map(|row| {
            Ok(Consent {
                application: row.get(2)?,
                name: row.get(3)?,
                allowed: read(row)?,
                since: row.get(4)?,
                updated_at: row.get(5)?,
            })
        })
        .collect()
}

/// They take it back, all of it that `goes`. False: there was nothing.
pub async fn withdraw(
    tx: &mut Tx<'_>,
    user: UserId,
    application: ApplicationId,
    goes: impl Fn(&Told) -> bool,
    now: Moment,
) -> Result<bool, StoreError> {
    let Some(Allowed { told, .. }) = locked(tx, user, application).await? else { return Ok(false) };
    let before = told.len();
    let left: Vec<_> = told.into_iter().filter(|one| !goes(one)).collect();
    if left.is_empty() {
        let sql = "DELETE FROM consents WHERE user_id = $1 AND application_id = $2";
        return Ok(tx.execute(sql, params![user, application]).await? == 1);
    }
    if left.len() == before {
        return Ok(false);
    }
    let sql = "UPDATE consents SET told = $3, updated_at = $4 WHERE user_id = $1 AND application_id = $2";
    Ok(tx.execute(sql, params![user, application, to_json(&left), now]).await? == 1)
}
