//! Users in the durable store. There is no look-up by email: no login could use one (invariant 1).

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, to_json, user_terms};
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{DomainId, ProjectId, UserId};
use crate::model::user::{self, User, email_claim};

pub(super) fn user(row: &Row, at: usize) -> Result<User, StoreError> {
    let email = row.get::<Option<String>>(at + 2)?;
    Ok(User {
        id: row.get(at)?,
        project_id: row.get(at + 1)?,
        email: email.map(|text| Email::parse(&text).map_err(|_| row.corrupt(at + 2))).transpose()?,
        email_verified_at: row.get(at + 3)?,
        profile: json(row, at + 4)?,
        created_at: row.get(at + 5)?,
        updated_at: row.get(at + 6)?,
        disabled_at: row.get(at + 7)?,
    })
}

pub async fn by_id(db: &mut impl Read, project: ProjectId, id: UserId) -> Result<Option<User>, StoreError> {
    let sql = "SELECT id, project_id, email, email_verified_at, profile, created_at, updated_at, disabled_at
               FROM users WHERE id = $2 AND project_id = $1";
    db.one(sql, params![project, id]).await?.as_ref().map(|row| user(row, 0)).transpose()
}

/// Where somebody is written to, if they are somebody who has been somewhere.
pub async fn written_to(
    db: &mut impl Read,
    project: ProjectId,
    id: UserId,
) -> Result<Option<Email>, StoreError> {
    let sql = "SELECT email_claim, CASE WHEN email_verified_at IS NULL THEN NULL ELSE email END
               FROM users WHERE id = $2 AND project_id = $1";
    db.one(sql, params![project, id]).await?.as_ref().map_or(Ok(None), |row| address(row, 0))
}

/// See [`user::written_to`]; of the claim in column `at`, and the proved address in the next.
pub(super) fn address(row: &Row, at: usize) -> Result<Option<Email>, StoreError> {
    let (claim, proved) = (row.get::<Option<String>>(at)?, row.get::<Option<String>>(at + 1)?);
    let proved = proved.map(|text| Email::parse(&text).map_err(|_| row.corrupt(at + 1))).transpose()?;
    Ok(user::written_to(claim.as_deref(), proved))
}

/// Fails with [`StoreError::Unique`] where another user has the proved address within this claim of the domain.
pub async fn insert(tx: &mut Tx<'_>, user: &User, proved_by: Option<DomainId>) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO users (id, project_id, email, email_verified_at, email_claim, profile, created_at, updated_at,
                            disabled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            user.id,
            user.project_id,
            user.email.as_ref().map(Email::as_str),
            user.email_verified_at,
            claim(user, proved_by),
            to_json(&user.profile),
            user.created_at,
            user.updated_at,
            user.disabled_at
        ],
    )
    .await?;
    user_terms::put(tx, user).await
}

/// As [`insert`]: a changed address must be nobody else's. What is as it was is not written, nor are its indexes, and by
/// what they are found is written apart ([`user_terms::put`]): most sign-ins bring nothing new.
pub async fn update(tx: &mut Tx<'_>, user: &User, proved_by: Option<DomainId>) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET email = $2, email_verified_at = $3, email_claim = $4, profile = $5, updated_at = $6,
                          disabled_at = $7
         WHERE id = $1
           AND (email IS DISTINCT FROM $2 OR email_verified_at IS DISTINCT FROM $3 OR email_claim IS DISTINCT FROM $4
             OR profile IS DISTINCT FROM $5 OR updated_at IS DISTINCT FROM $6 OR disabled_at IS DISTINCT FROM $7)",
        params![
            user.id,
            user.email.as_ref().map(Email::as_str),
            user.email_verified_at,
            claim(user, proved_by),
            to_json(&user.profile),
            user.updated_at,
            user.disabled_at
        ],
    )
    .await?;
    Ok(())
}

/// As [`update`], of an address that nobody has proved: what they had proved before stays theirs, for nobody else to take,
/// until they prove another one (threats C02).
pub async fn update_unproved(tx: &mut Tx<'_>, user: &User) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET email = $2, email_verified_at = $3, profile = $4, updated_at = $5, disabled_at = $6
         WHERE id = $1
           AND (email IS DISTINCT FROM $2 OR email_verified_at IS DISTINCT FROM $3 OR profile IS DISTINCT FROM $4
             OR updated_at IS DISTINCT FROM $5 OR disabled_at IS DISTINCT FROM $6)",
        params![
            user.id,
            user.email.as_ref().map(Email::as_str),
            user.email_verified_at,
            to_json(&user.profile),
            user.updated_at,
            user.disabled_at
        ],
    )
    .await?;
    Ok(())
}

/// Lets somebody sign in no more, or again.
pub async fn disable(
    tx: &mut Tx<'_>,
    id: UserId,
    disabled_at: Option<Moment>,
    now: Moment,
) -> Result<(), StoreError> {
    let sql = "UPDATE users SET disabled_at = $2, updated_at = $3 WHERE id = $1";
    tx.execute(sql, params![id, disabled_at, now]).await?;
    Ok(())
}

/// Whether this claim of its domain has proved the address to be another user's. It says nothing of who that is.
pub async fn is_anothers(
    db: &mut impl Read,
    project: ProjectId,
    domain: DomainId,
    email: &Email,
    user: UserId,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM users WHERE project_id = $1 AND email_claim = $2 AND id <> $3";
    Ok(db.one(sql, params![project, email_claim(domain, email), user]).await?.is_some())
}

fn claim(user: &User, proved_by: Option<DomainId>) -> Option<String> {
    Some(email_claim(proved_by?, user.email.as_ref()?))
}
