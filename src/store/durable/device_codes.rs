//! Devices that wait to be let in (RFC 8628). Whatever happens to one is one statement: it is let in or refused once, and
//! gives tokens once (threats H23).

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{GrantId, ProjectId};
use crate::foundation::secret::Digest;
use crate::model::device::{DeviceCode, State};

macro_rules! columns {
    () => {
        "id, project_id, application_id, device_digest, request, created_at, expires_at, poll_interval, approved_at,
         denied_at, used_at"
    };
}

fn device(row: &Row) -> Result<DeviceCode, StoreError> {
    Ok(DeviceCode {
        id: row.get(0)?,
        project_id: row.get(1)?,
        application_id: row.get(2)?,
        digest: row.get(3)?,
        request: json(row, 4)?,
        created_at: row.get(5)?,
        expires_at: row.get(6)?,
        interval: row.get(7)?,
        state: state(row)?,
    })
}

fn state(row: &Row) -> Result<State, StoreError> {
    let approved: Option<Moment> = row.get(8)?;
    let (denied, used): (Option<Moment>, Option<Moment>) = (row.get(9)?, row.get(10)?);
    Ok(match (used, denied, approved) {
        (Some(_), _, _) => State::Used,
        (None, Some(_), _) => State::Denied,
        (None, None, Some(_)) => State::Approved,
        (None, None, None) => State::Pending,
    })
}

pub async fn by_id(db: &mut impl Read, id: GrantId) -> Result<Option<DeviceCode>, StoreError> {
    let sql = concat!("SELECT ", columns!(), " FROM device_codes WHERE id = $1");
    db.one(sql, params![id]).await?.as_ref().map(device).transpose()
}

/// `code`: of what the person will type. False: another device shows the same, and nothing was kept.
pub async fn insert(tx: &mut Tx<'_>, device: &DeviceCode, code: Digest) -> Result<bool, StoreError> {
    let sql = "INSERT INTO device_codes (id, project_id, application_id, device_digest, user_digest, request, created_at,
                                         expires_at, poll_interval, entries)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0) ON CONFLICT DO NOTHING";
    let inserted = tx
        .execute(
            sql,
            params![
                device.id,
                device.project_id,
                device.application_id,
                device.digest,
                code,
                to_json(&device.request),
                device.created_at,
                device.expires_at,
                device.interval
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// Somebody typed a code: the device that shows it, if it still waits and has not been looked at `most` times.
pub async fn enter(
    tx: &mut Tx<'_>,
    project: ProjectId,
    code: Digest,
    most: i64,
    now: Moment,
) -> Result<Option<DeviceCode>, StoreError> {
    let sql = concat!(
        "UPDATE device_codes SET entries = entries + 1
         WHERE project_id = $1 AND user_digest = $2 AND expires_at > $3 AND entries < $4
           AND approved_at IS NULL AND denied_at IS NULL AND used_at IS NULL RETURNING ",
        columns!()
    );
    tx.one(sql, params![project, code, now, most]).await?.as_ref().map(device).transpose()
}

/// The person lets it in: what they let in. None: it was answered before, or it is too late.
pub async fn approve(tx: &mut Tx<'_>, id: GrantId, now: Moment) -> Result<Option<DeviceCode>, StoreError> {
    let sql = concat!(
        "UPDATE device_codes SET approved_at = $2
         WHERE id = $1 AND expires_at > $2 AND approved_at IS NULL AND denied_at IS NULL AND used_at IS NULL RETURNING ",
        columns!()
    );
    tx.one(sql, params![id, now]).await?.as_ref().map(device).transpose()
}

/// The person does not let it in. False: it was answered before, or it is too late.
pub async fn deny(tx: &mut Tx<'_>, id: GrantId, now: Moment) -> Result<bool, StoreError> {
    let sql = "UPDATE device_codes SET denied_at = $2
               WHERE id = $1 AND expires_at > $2 AND approved_at IS NULL AND denied_at IS NULL AND used_at IS NULL";
    Ok(tx.execute(sql, params![id, now]).await? == 1)
}

/// The device asks before it was answered. Whoever asks sooner than `interval` seconds after the last time is too fast, and
/// has `more` of them to wait from then on, up to `most`. Tells whether it was; nothing where it has been answered meanwhile.
pub async fn poll(
    tx: &mut Tx<'_>,
    id: GrantId,
    (more, most): (i64, i64),
    now: Moment,
) -> Result<Option<bool>, StoreError> {
    // Half a second is what a network may make of the same interval.
    let sql = "UPDATE device_codes SET
                   slowed_at = CASE WHEN polled_at > CAST($2 AS BIGINT) - poll_interval * 1000 + 500 THEN CAST($2 AS BIGINT) ELSE NULL END,
                   poll_interval = CASE WHEN polled_at > CAST($2 AS BIGINT) - poll_interval * 1000 + 500
                                         AND poll_interval < CAST($4 AS BIGINT)
                                        THEN poll_interval + CAST($3 AS BIGINT) ELSE poll_interval END,
                   polled_at = $2
               WHERE id = $1 AND approved_at IS NULL AND denied_at IS NULL AND used_at IS NULL
               RETURNING slowed_at";
    let Some(row) = tx.one(sql, params![id, now, more, most]).await? else { return Ok(None) };
    Ok(Some(row.get::<Option<Moment>>(0)?.is_some()))
}

/// Uses it. True: for the first of all who come with it.
pub async fn take(tx: &mut Tx<'_>, id: GrantId, now: Moment) -> Result<bool, StoreError> {
    let sql = "UPDATE device_codes SET used_at = $2
               WHERE id = $1 AND expires_at > $2 AND approved_at IS NOT NULL AND denied_at IS NULL AND used_at IS NULL";
    Ok(tx.execute(sql, params![id, now]).await? == 1)
}

/// Forgets those that ran out before.
pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    let sql = "DELETE FROM device_codes WHERE id IN
               (SELECT id FROM device_codes WHERE expires_at < $1 ORDER BY expires_at LIMIT 2000)";
    tx.execute(sql, params![before]).await
}
