//! Tokens by which clients register themselves, and the clients that did; of their secrets only digests.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, ProjectId, RegistrationTokenId};
use crate::foundation::secret::Digest;
use crate::model::registration::{Limits, Registered, RegistrationToken};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, project_id, name, limits, most_uses, uses, created_by, created_at, expires_at, revoked_at,
                    last_used_at
             FROM registration_tokens ",
            $rest
        )
    };
}

fn token(row: &Row) -> Result<RegistrationToken, StoreError> {
    Ok(RegistrationToken {
        id: row.get(0)?,
        project_id: row.get(1)?,
        name: row.get(2)?,
        limits: json(row, 3)?,
        most_uses: row.get(4)?,
        uses: row.get(5)?,
        created_by: row.get(6)?,
        created_at: row.get(7)?,
        expires_at: row.get(8)?,
        revoked_at: row.get(9)?,
        last_used_at: row.get(10)?,
    })
}

pub async fn insert(tx: &mut Tx<'_>, token: &RegistrationToken, secret: Digest) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO registration_tokens (id, project_id, name, digest, limits, most_uses, uses, created_by, created_at,
                                          expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9)",
        params![
            token.id,
            token.project_id,
            &token.name,
            secret,
            to_json(&token.limits),
            token.most_uses,
            &token.created_by,
            token.created_at,
            token.expires_at
        ],
    )
    .await?;
    Ok(())
}

pub async fn by_id(
    db: &mut impl Read,
    project: ProjectId,
    id: RegistrationTokenId,
) -> Result<Option<RegistrationToken>, StoreError> {
    let row = db.one(select!("WHERE id = $2 AND project_id = $1"), params![project, id]).await?;
    row.as_ref().map(token).transpose()
}

/// The same for who shows its secret.
pub async fn shown(
    db: &mut impl Read,
    project: ProjectId,
    id: RegistrationTokenId,
    secret: Digest,
) -> Result<Option<RegistrationToken>, StoreError> {
    let sql = select!("WHERE id = $2 AND project_id = $1 AND digest = $3");
    db.one(sql, params![project, id, secret]).await?.as_ref().map(token).transpose()
}

/// A page, in the order of the ids.
pub async fn page(
    db: &mut impl Read,
    project: ProjectId,
    after: &str,
    most: u32,
) -> Result<Vec<RegistrationToken>, StoreError> {
    let sql = select!("WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    db.all(sql, params![project, after, most]).await?.iter().map(token).collect()
}

/// Takes one use, if there is one left: in one statement, whoever else comes with it (threats C30). What it may be used for.
pub async fn take(
    tx: &mut Tx<'_>,
    project: ProjectId,
    id: RegistrationTokenId,
    secret: Digest,
    now: Moment,
) -> Result<Option<Limits>, StoreError> {
    let sql = "UPDATE registration_tokens SET uses = uses + 1, last_used_at = $4
               WHERE id = $2 AND project_id = $1 AND digest = $3 AND revoked_at IS NULL AND expires_at > $4
                     AND uses < most_uses
               RETURNING limits";
    tx.one(sql, params![project, id, secret, now]).await?.map(|row| json(&row, 0)).transpose()
}

/// True for who ends it.
pub async fn revoke(tx: &mut Tx<'_>, id: RegistrationTokenId, now: Moment) -> Result<bool, StoreError> {
    let sql = "UPDATE registration_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    Ok(tx.execute(sql, params![id, now]).await? == 1)
}

/// Keeps a client that has registered itself.
pub async fn register(
    tx: &mut Tx<'_>,
    client: &Registered,
    secret: Digest,
    now: Moment,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO client_registrations (application_id, token_id, digest, limits, created_at, rotated_at)
         VALUES ($1, $2, $3, $4, $5, $5)",
        params![client.application, client.token, secret, to_json(&client.limits), now],
    )
    .await?;
    Ok(())
}

/// The client, for who shows its secret, and unless it is disabled (threats M07).
pub async fn registered(
    db: &mut impl Read,
    project: ProjectId,
    application: ApplicationId,
    secret: Digest,
) -> Result<Option<Registered>, StoreError> {
    let sql = "SELECT r.token_id, r.limits FROM client_registrations r JOIN applications a ON a.id = r.application_id
               WHERE r.application_id = $2 AND a.project_id = $1 AND r.digest = $3 AND a.disabled_at IS NULL";
    let row = db.one(sql, params![project, application, secret]).await?;
    row.map(|row| Ok(Registered { application, token: row.get(0)?, limits: json(&row, 1)? })).transpose()
}

/// The limits of a client that has registered itself, and manages itself still.
pub async fn limits_of(db: &mut impl Read, application: ApplicationId) -> Result<Option<Limits>, StoreError> {
    let sql = "SELECT limits FROM client_registrations WHERE application_id = $1";
    db.one(sql, params![application]).await?.map(|row| json(&row, 0)).transpose()
}

pub async fn limit(tx: &mut Tx<'_>, application: ApplicationId, limits: &Limits) -> Result<(), StoreError> {
    let sql = "UPDATE client_registrations SET limits = $2 WHERE application_id = $1";
    tx.execute(sql, params![application, to_json(limits)]).await?;
    Ok(())
}

/// Gives the client another secret. False: it is not the one that works any more.
pub async fn rotate(
    tx: &mut Tx<'_>,
    application: ApplicationId,
    (old, new): (Digest, Digest),
    now: Moment,
) -> Result<bool, StoreError> {
    let sql = "UPDATE client_registrations SET digest = $3, rotated_at = $4 WHERE application_id = $1 AND digest = $2";
    Ok(tx.execute(sql, params![application, old, new, now]).await? == 1)
}

/// The client does not manage itself any more. False: it never did.
pub async fn forget(tx: &mut Tx<'_>, application: ApplicationId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM client_registrations WHERE application_id = $1";
    Ok(tx.execute(sql, params![application]).await? == 1)
}
