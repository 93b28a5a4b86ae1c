//! Invitations in the durable store. One is used by one statement (threats C18); its token is known by its digest alone.

use std::time::Duration;

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, parsed, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{InvitationId, OrganizationId, ProjectId, UserId};
use crate::foundation::secret::Digest;
use crate::model::invitation::{Invitation, Inviter, State};
use crate::model::mail::Fate;
use crate::model::membership::MembershipKind;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT i.id, i.project_id, i.organization_id, i.email, i.kind, i.roles, i.message, i.invited_by, i.created_at,
                    i.expires_at, i.accepted_at, i.accepted_by, i.revoked_at, i.application_id, i.redirect_uri,
                    i.language, i.mail_id, i.term,
                    CASE WHEN m.sent_at IS NOT NULL THEN 'sent' WHEN m.failed_at IS NOT NULL THEN 'failed'
                         WHEN m.next_try_at IS NOT NULL THEN 'queued' END
             FROM invitations i LEFT JOIN mails m ON m.id = i.mail_id ",
            $rest
        )
    };
}

fn invitation(row: &Row) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        id: row.get(0)?,
        project_id: row.get(1)?,
        organization_id: row.get(2)?,
        email: parsed(row, 3, |text| Email::parse(text).ok())?,
        kind: parsed(row, 4, MembershipKind::from_word)?,
        roles: json(row, 5)?,
        message: row.get(6)?,
        application_id: row.get(13)?,
        redirect_uri: row.get(14)?,
        language: row.get(15)?,
        mail: row.get(16)?,
        fate: row.get::<Option<String>>(18)?.as_deref().and_then(Fate::from_word),
        invited_by: parsed(row, 7, Inviter::parse)?,
        created_at: row.get(8)?,
        term: Duration::from_millis(row.get::<i64>(17)?.try_into().map_err(|_| row.corrupt(17))?),
        expires_at: row.get(9)?,
        accepted_at: row.get(10)?,
        accepted_by: row.get(11)?,
        revoked_at: row.get(12)?,
    })
}

pub async fn by_id(
    db: &mut impl Read,
    organization: OrganizationId,
    id: InvitationId,
) -> Result<Option<Invitation>, StoreError> {
    let sql = select!("WHERE i.id = $2 AND i.organization_id = $1");
    db.one(sql, params![organization, id]).await?.as_ref().map(invitation).transpose()
}

/// Another project's is unknown.
pub async fn by_token(
    db: &mut impl Read,
    project: ProjectId,
    token: Digest,
) -> Result<Option<Invitation>, StoreError> {
    let sql = select!("WHERE i.digest = $2 AND i.project_id = $1");
    db.one(sql, params![project, token]).await?.as_ref().map(invitation).transpose()
}

/// Whether one waits for this address. One that has run out does not.
pub async fn waits(
    db: &mut impl Read,
    organization: OrganizationId,
    email: &Email,
    now: Moment,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM invitations WHERE organization_id = $1 AND pending = $2 AND expires_at > $3";
    Ok(db.one(sql, params![organization, email.as_str(), now]).await?.is_some())
}

/// A page, in the order in which they were made.
pub async fn page(
    db: &mut impl Read,
    organization: OrganizationId,
    state: Option<State>,
    after: Option<InvitationId>,
    (most, now): (u32, Moment),
) -> Result<Vec<Invitation>, StoreError> {
    let sql = select!(
        "WHERE i.organization_id = $1 AND i.id > $2
           AND (CAST($3 AS TEXT) IS NULL
                OR CAST($3 AS TEXT) = CASE WHEN i.accepted_at IS NOT NULL THEN 'accepted'
                                           WHEN i.revoked_at IS NOT NULL THEN 'revoked'
                                           WHEN i.expires_at <= $4 THEN 'expired' ELSE 'pending' END)
         ORDER BY i.id LIMIT $5"
    );
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let rows = db.all(sql, params![organization, after, state.map(State::word), now, most]).await?;
    rows.iter().map(invitation).collect()
}

/// Fails with [`StoreError::Unique`] where one waits for the same address.
pub async fn insert(tx: &mut Tx<'_>, made: &Invitation, token: Digest) -> Result<(), StoreError> {
    let sql = "UPDATE invitations SET pending = NULL WHERE organization_id = $1 AND pending = $2 AND expires_at <= $3";
    tx.execute(sql, params![made.organization_id, made.email.as_str(), made.created_at]).await?;
    tx.execute(
        "INSERT INTO invitations (id, project_id, organization_id, email, kind, roles, message, invited_by, digest,
                                  created_at, expires_at, pending, application_id, redirect_uri, language, mail_id,
                                  term)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $4, $12, $13, $14, $15, $16)",
        params![
            made.id,
            made.project_id,
            made.organization_id,
            made.email.as_str(),
            made.kind.word(),
            to_json(&made.roles),
            made.message.as_deref(),
            made.invited_by.text(),
            token,
            made.created_at,
            made.expires_at,
            made.application_id,
            made.redirect_uri.as_deref(),
            made.language.as_deref(),
            made.mail,
            i64::try_from(made.term.as_millis()).unwrap_or(i64::MAX)
        ],
    )
    .await?;
    Ok(())
}

/// Gives another token in place of the one before, which is dead from now on, as `after` says. False: it waits no more.
/// Fails with [`StoreError::Unique`] where it has run out, and another one waits for the same address.
pub async fn renew(tx: &mut Tx<'_>, after: &Invitation, token: Digest) -> Result<bool, StoreError> {
    let sql =
        "UPDATE invitations SET digest = $2, invited_by = $3, expires_at = $4, pending = email, mail_id = $5
               WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL";
    let by = after.invited_by.text();
    Ok(tx.execute(sql, params![after.id, token, by, after.expires_at, after.mail]).await? == 1)
}

/// False: it is accepted or revoked already.
pub async fn revoke(tx: &mut Tx<'_>, id: InvitationId, by: &str, now: Moment) -> Result<bool, StoreError> {
    let sql = "UPDATE invitations SET revoked_at = $3, revoked_by = $2, pending = NULL
               WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL";
    Ok(tx.execute(sql, params![id, by, now]).await? == 1)
}

/// Revokes every one that waits, and tells how many did.
pub async fn revoke_all(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    by: &str,
    now: Moment,
) -> Result<u64, StoreError> {
    let sql = "UPDATE invitations SET revoked_at = $3, revoked_by = $2, pending = NULL
               WHERE organization_id = $1 AND pending IS NOT NULL";
    tx.execute(sql, params![organization, by, now]).await
}

/// Uses it: of many who come at once, one has it. Nothing, if it is unknown, used, revoked or has run out.
pub async fn accept(
    tx: &mut Tx<'_>,
    project: ProjectId,
    token: Digest,
    by: UserId,
    now: Moment,
) -> Result<bool, StoreError> {
    let sql = "UPDATE invitations SET accepted_at = $4, accepted_by = $3, pending = NULL
               WHERE digest = $2 AND project_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $4";
    Ok(tx.execute(sql, params![project, token, by, now]).await? == 1)
}
