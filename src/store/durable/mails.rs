//! Mails in the durable store: put there by the transaction that wants them, taken by one node at a time, and emptied as
//! soon as they are sent or given up.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, parsed, to_json, users};
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{MailId, OrganizationId};
use crate::model::mail::Mail;
use crate::model::role;

/// A mail that this node is sending.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub mail: Mail,
    /// The secret part of its link, sealed.
    pub secret: Option<Vec<u8>>,
    /// How often it has been tried, this time included.
    pub tries: i64,
    /// Until when no other node takes it; it tells this claim from another.
    pub until: Moment,
}

fn claimed(row: &Row) -> Result<Claimed, StoreError> {
    let mail = Mail {
        id: row.get(0)?,
        project_id: row.get(1)?,
        organization_id: row.get(2)?,
        to: parsed(row, 3, |text| Email::parse(text).ok())?,
        language: row.get(4)?,
        letter: json(row, 5)?,
        created_at: row.get(6)?,
        expires_at: row.get(7)?,
    };
    Ok(Claimed { mail, secret: row.get(8)?, tries: row.get(9)?, until: row.get(10)? })
}

/// Puts a mail into the queue; `secret` is sealed.
pub async fn queue(tx: &mut Tx<'_>, mail: &Mail, secret: Option<&[u8]>) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO mails (id, project_id, organization_id, recipient, language, kind, letter, secret, created_at,
                            expires_at, tries, next_try_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $9)",
        params![
            mail.id,
            mail.project_id,
            mail.organization_id,
            mail.to.as_str(),
            mail.language.as_deref(),
            mail.letter.kind.word(),
            to_json(&mail.letter),
            secret,
            mail.created_at,
            mail.expires_at
        ],
    )
    .await?;
    Ok(())
}

/// Takes some whose turn it is, until a moment: of many nodes, one takes each. One that a node has taken and died with
/// is taken by another after that.
pub async fn claim(
    tx: &mut Tx<'_>,
    now: Moment,
    until: Moment,
    most: i64,
) -> Result<Vec<Claimed>, StoreError> {
    // What another node has just taken is looked at once more when its transaction ends: hence the condition twice.
    let sql = "UPDATE mails SET claimed_until = $2, tries = tries + 1
               WHERE id IN (SELECT id FROM mails
                            WHERE next_try_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)
                            ORDER BY next_try_at, id LIMIT $3)
                 AND next_try_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)
               RETURNING id, project_id, organization_id, recipient, language, letter, created_at, expires_at, secret,
                         tries, claimed_until";
    tx.all(sql, params![now, until, most]).await?.iter().map(claimed).collect()
}

/// It is sent. False: another node has it by now.
pub async fn sent(tx: &mut Tx<'_>, claim: &Claimed, now: Moment) -> Result<bool, StoreError> {
    let sql = "UPDATE mails SET sent_at = $3, next_try_at = NULL, claimed_until = NULL, letter = NULL, secret = NULL,
                                failure = NULL
               WHERE id = $1 AND claimed_until = $2";
    Ok(tx.execute(sql, params![claim.mail.id, claim.until, now]).await? == 1)
}

/// It is tried again at a moment.
pub async fn later(tx: &mut Tx<'_>, claim: &Claimed, at: Moment, failure: &str) -> Result<bool, StoreError> {
    let sql = "UPDATE mails SET next_try_at = $3, claimed_until = NULL, failure = $4
               WHERE id = $1 AND claimed_until = $2 AND next_try_at IS NOT NULL";
    Ok(tx.execute(sql, params![claim.mail.id, claim.until, at, failure]).await? == 1)
}

/// It is not tried any more.
pub async fn given_up(
    tx: &mut Tx<'_>,
    claim: &Claimed,
    now: Moment,
    failure: &str,
) -> Result<bool, StoreError> {
    let sql = "UPDATE mails SET failed_at = $3, next_try_at = NULL, claimed_until = NULL, letter = NULL, secret = NULL,
                                failure = $4
               WHERE id = $1 AND claimed_until = $2 AND next_try_at IS NOT NULL";
    Ok(tx.execute(sql, params![claim.mail.id, claim.until, now, failure]).await? == 1)
}

/// It is not to be sent any more: what it leads to is gone.
pub async fn take_back(tx: &mut Tx<'_>, id: MailId) -> Result<(), StoreError> {
    let sql = "UPDATE mails SET next_try_at = NULL, letter = NULL, secret = NULL
               WHERE id = $1 AND next_try_at IS NOT NULL";
    tx.execute(sql, params![id]).await?;
    Ok(())
}

/// Whether it was taken back before anybody tried to send it, since a moment.
pub async fn was_never_tried(db: &mut impl Read, id: MailId, since: Moment) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM mails WHERE id = $1 AND created_at >= $2 AND tries = 0 AND next_try_at IS NULL
                                     AND sent_at IS NULL AND failed_at IS NULL";
    Ok(db.one(sql, params![id, since]).await?.is_some())
}

/// Whether any waits that helps nobody any more, and is in no node's hands.
pub async fn any_over(db: &mut impl Read, now: Moment) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM mails WHERE next_try_at IS NOT NULL AND expires_at <= $1
                                     AND (claimed_until IS NULL OR claimed_until <= $1) LIMIT 1";
    Ok(db.one(sql, params![now]).await?.is_some())
}

/// Those are not tried any more.
pub async fn give_up_what_is_over(tx: &mut Tx<'_>, now: Moment, failure: &str) -> Result<(), StoreError> {
    let sql = "UPDATE mails SET failed_at = $1, next_try_at = NULL, claimed_until = NULL, letter = NULL, secret = NULL,
                                failure = $2
               WHERE next_try_at IS NOT NULL AND expires_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)";
    tx.execute(sql, params![now, failure]).await?;
    Ok(())
}

/// Whether it is the turn of any.
pub async fn any_due(db: &mut impl Read, now: Moment) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM mails WHERE next_try_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1) LIMIT 1";
    Ok(db.one(sql, params![now]).await?.is_some())
}

/// Forgets what became of mails of long ago.
pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM mails WHERE created_at < $1 AND next_try_at IS NULL", params![before]).await
}

/// Where an organization's active owners are written to, at most so many.
pub async fn owners(
    db: &mut impl Read,
    organization: OrganizationId,
    most: u32,
) -> Result<Vec<Email>, StoreError> {
    let sql = "SELECT u.email_claim, CASE WHEN u.email_verified_at IS NULL THEN NULL ELSE u.email END
               FROM membership_roles r JOIN memberships m ON m.id = r.membership_id
               JOIN users u ON u.id = m.user_id
               WHERE r.organization_id = $1 AND r.role = $2 AND m.status = 'active' AND u.disabled_at IS NULL
                 AND (u.email_claim IS NOT NULL OR u.email_verified_at IS NOT NULL)
               ORDER BY m.id LIMIT $3";
    let rows = db.all(sql, params![organization, role::OWNER, most]).await?;
    rows.iter().filter_map(|row| users::address(row, 0).transpose()).collect()
}
