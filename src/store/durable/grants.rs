//! Grants in the durable store. A code is redeemed by one statement (threats C23), and so is a refresh token (H21).
//!
//! A family is *ended* by a sign-out, which one that is offline survives, and *revoked* by whatever takes it back.

mod ends;

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{GrantId, OrganizationId, ProjectId, SessionId};
use crate::foundation::secret::Digest;
use crate::model::grant::{Confirmation, Epochs, Grant, Refresh};

pub use ends::{
    end_of_session, replace, revoke, revoke_living, revoke_of_application, revoke_of_delegation,
    revoke_of_member, revoke_of_origin, revoke_of_subject, revoke_of_user, revoke_within, take_back,
};

macro_rules! columns {
    () => {
        "id, project_id, session_id, application_id, user_id, organization_id, delegation_id, request,
         code_expires_at, expires_at, revoked_at, organization_epoch, home_epoch, origin_id, refresh_secret,
         refresh_generation, refresh_rotated_at, refresh_expires_at, refresh_binding, subject_id"
    };
}

/// What a family is refreshed by, as the first parameters of a statement.
macro_rules! refreshed {
    () => {
        "refresh_secret = $1, refresh_generation = $2, refresh_rotated_at = $3, refresh_expires_at = $4,
         refresh_binding = $5"
    };
}

fn grant(row: &Row) -> Result<Grant, StoreError> {
    Ok(Grant {
        id: row.get(0)?,
        project_id: row.get(1)?,
        session_id: row.get(2)?,
        application_id: row.get(3)?,
        user_id: row.get(4)?,
        organization: row.get(5)?,
        delegation: row.get(6)?,
        request: json(row, 7)?,
        code_expires_at: row.get(8)?,
        expires_at: row.get(9)?,
        revoked_at: row.get(10)?,
        epochs: Epochs { organization: row.get(11)?, home: row.get(12)? },
        origin: row.get(13)?,
        refresh: row.get::<Option<Vec<u8>>>(14)?.map(|secret| refresh(row, secret)).transpose()?,
        subject: row.get(19)?,
    })
}

fn refresh(row: &Row, secret: Vec<u8>) -> Result<Refresh, StoreError> {
    Ok(Refresh {
        secret,
        generation: row.get(15)?,
        rotated_at: row.get(16)?,
        expires_at: row.get(17)?,
        bound: json(row, 18)?,
    })
}

/// The same, as it is written: all of it, or nothing.
#[derive(Default)]
struct Kept<'r> {
    secret: Option<&'r [u8]>,
    generation: Option<i64>,
    rotated_at: Option<Moment>,
    expires_at: Option<Moment>,
    bound: Option<String>,
}

impl<'r> Kept<'r> {
    fn of(refresh: Option<&'r Refresh>) -> Self {
        refresh.map_or_else(Self::default, |refresh| Self {
            secret: Some(&refresh.secret),
            generation: Some(refresh.generation),
            rotated_at: Some(refresh.rotated_at),
            expires_at: Some(refresh.expires_at),
            bound: Some(to_json(&refresh.bound)),
        })
    }
}

/// One that came of an exchange is revoked when any is that it goes back to: whoever ends those need not know of it.
pub async fn by_id(db: &mut impl Read, id: GrantId) -> Result<Option<Grant>, StoreError> {
    let sql = concat!("SELECT ", columns!(), " FROM grants WHERE id = $1");
    let found = db.one(sql, params![id]).await?.as_ref().map(grant).transpose()?;
    Ok(match found {
        Some(grant) if grant.subject.is_some() && grant.revoked_at.is_none() => {
            Some(Grant { revoked_at: subjects_revoked_at(db, id).await?, ..grant })
        }
        other => other,
    })
}

/// When the first of all was revoked, or its application disabled, that a family goes back to by exchanges. What has been
/// forgotten lives no more.
async fn subjects_revoked_at(db: &mut impl Read, id: GrantId) -> Result<Option<Moment>, StoreError> {
    let sql = "WITH RECURSIVE subjects (id, subject_id, depth) AS (
                   SELECT id, subject_id, 0 FROM grants WHERE id = $1
                   UNION ALL
                   SELECT g.id, g.subject_id, s.depth + 1 FROM grants g
                   JOIN subjects s ON g.id = s.subject_id WHERE s.depth < 20)
               SELECT MIN(COALESCE(g.revoked_at, a.disabled_at, a.stopped_at)), COUNT(CASE WHEN g.subject_id IS NULL THEN 1 END)
               FROM subjects s JOIN grants g ON g.id = s.id JOIN applications a ON a.id = g.application_id";
    let Some(row) = db.one(sql, params![id]).await? else { return Ok(Some(Moment::from_millis(0))) };
    let (revoked, whole): (Option<Moment>, i64) = (row.get(0)?, row.get(1)?);
    Ok(if whole == 1 { revoked } else { Some(Moment::from_millis(0)) })
}

/// `code`: absent where it does not begin with one of its own.
pub async fn insert(
    tx: &mut Tx<'_>,
    grant: &Grant,
    code: impl Into<Option<Digest>>,
    now: Moment,
) -> Result<(), StoreError> {
    put(tx, grant, code.into(), grant.is_offline().then_some(now), now).await
}

/// The family of a device that somebody has let in, until the device comes for its tokens: whatever ends a family ends it.
/// Nothing is offline yet, so that it ends with its session, whatever it is for.
pub async fn await_device(tx: &mut Tx<'_>, grant: &Grant, now: Moment) -> Result<(), StoreError> {
    put(tx, grant, None, None, now).await
}

/// The device has come: from then on its family may be refreshed, if `refresh` says so, and lives until `ends`. None: it was
/// ended before, and gives nothing any more.
pub async fn meet_device(
    tx: &mut Tx<'_>,
    id: GrantId,
    (refresh, ends): (Option<Refresh>, Moment),
    now: Moment,
) -> Result<Option<Grant>, StoreError> {
    let found = by_id(tx, id).await?;
    let Some(found) = found.filter(|grant| grant.revoked_at.is_none()) else { return Ok(None) };
    let sql = concat!(
        "UPDATE grants SET ",
        refreshed!(),
        ", expires_at = $7, offline_since = $8 WHERE id = $6 AND revoked_at IS NULL RETURNING ",
        columns!()
    );
    let kept = Kept::of(refresh.as_ref());
    let offline_since = found.is_offline().then_some(now);
    let params = params![
        kept.secret,
        kept.generation,
        kept.rotated_at,
        kept.expires_at,
        kept.bound,
        id,
        ends,
        offline_since
    ];
    tx.one(sql, params).await?.as_ref().map(grant).transpose()
}

async fn put(
    tx: &mut Tx<'_>,
    grant: &Grant,
    code: Option<Digest>,
    offline_since: Option<Moment>,
    now: Moment,
) -> Result<(), StoreError> {
    let kept = Kept::of(grant.refresh.as_ref());
    tx.execute(
        "INSERT INTO grants (id, project_id, session_id, application_id, user_id, organization_id, delegation_id,
                             code_digest, request, created_at, code_expires_at, expires_at, organization_epoch,
                             home_epoch, origin_id, offline_since, refresh_secret, refresh_generation,
                             refresh_rotated_at, refresh_expires_at, refresh_binding, subject_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                 $22)",
        params![
            grant.id,
            grant.project_id,
            grant.session_id,
            grant.application_id,
            grant.user_id,
            grant.organization,
            grant.delegation,
            code,
            to_json(&grant.request),
            now,
            grant.code_expires_at,
            grant.expires_at,
            grant.epochs.organization,
            grant.epochs.home,
            grant.origin,
            offline_since,
            kept.secret,
            kept.generation,
            kept.rotated_at,
            kept.expires_at,
            kept.bound,
            grant.subject
        ],
    )
    .await?;
    Ok(())
}

/// Uses the refresh token of a generation: the first caller makes the next one good, until when and for whom; whoever comes
/// later gets nothing. Where the next one is the same again, everybody gets that.
pub async fn rotate(
    tx: &mut Tx<'_>,
    id: GrantId,
    (generation, next): (i64, i64),
    (idle_until, bound): (Moment, &Confirmation),
    now: Moment,
) -> Result<bool, StoreError> {
    let sql = "UPDATE grants SET refresh_generation = $6, refresh_rotated_at = $3,
                      refresh_expires_at = $4, refresh_binding = $5
               WHERE id = $1 AND refresh_generation = $2 AND revoked_at IS NULL AND refresh_expires_at > $3";
    Ok(tx.execute(sql, params![id, generation, now, idle_until, to_json(bound), next]).await? == 1)
}

/// Whether the refresh token of a generation was used just now, and nothing since: whoever used it may ask again, for
/// the answer may have got lost.
pub async fn was_just_rotated(
    db: &mut impl Read,
    id: GrantId,
    generation: i64,
    since: Moment,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM grants
               WHERE id = $1 AND refresh_generation = CAST($2 AS BIGINT) + 1 AND refresh_rotated_at > $3 AND revoked_at IS NULL";
    Ok(db.one(sql, params![id, generation, since]).await?.is_some())
}

/// What a family was replaced by since then, if nobody has used that one's first refresh token yet: whoever switched may
/// ask again, for the answer may have got lost.
pub async fn just_replaced_by(
    db: &mut impl Read,
    old: &Grant,
    since: Moment,
) -> Result<Option<Grant>, StoreError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM grants WHERE origin_id = $1 AND created_at > $2 AND refresh_generation = 0 AND revoked_at IS NULL
          ORDER BY id"
    );
    let rows = db.all(sql, params![old.origin.unwrap_or(old.id), since]).await?;
    let found = rows.iter().map(grant).collect::<Result<Vec<_>, _>>()?;
    Ok(found.into_iter().find(|one| one.request.replaces == Some(old.id)))
}

/// A code as somebody presents it.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    pub project: ProjectId,
    pub grant: GrantId,
    pub digest: Digest,
}

/// Uses a code: the first caller gets its grant, whoever comes later, or too late, gets nothing. Another project's is unknown.
/// From then on the family may be refreshed, if `refresh` says so, and until when it lives.
pub async fn use_code(
    tx: &mut Tx<'_>,
    code: Code,
    refresh: Option<(Refresh, Moment)>,
    now: Moment,
) -> Result<Option<Grant>, StoreError> {
    let sql = concat!(
        "UPDATE grants SET ",
        refreshed!(),
        ", code_used_at = $9, expires_at = COALESCE($10, expires_at)
         WHERE id = $7 AND code_digest = $8 AND project_id = $6 AND code_used_at IS NULL AND code_expires_at > $9
         RETURNING ",
        columns!()
    );
    let (refresh, ends) = refresh.unzip();
    let kept = Kept::of(refresh.as_ref());
    let params = params![
        kept.secret,
        kept.generation,
        kept.rotated_at,
        kept.expires_at,
        kept.bound,
        code.project,
        code.grant,
        code.digest,
        now,
        ends
    ];
    tx.one(sql, params).await?.as_ref().map(grant).transpose()
}

/// Kills the tokens that came of a code which somebody used twice. Returns whose they were, or nothing where they
/// are dead already: of many who come at once, few stand in each other's way.
pub async fn revoke_by_code(tx: &mut Tx<'_>, code: Code, now: Moment) -> Result<Option<Grant>, StoreError> {
    let sql = concat!(
        "UPDATE grants SET revoked_at = $4
         WHERE id = $2 AND code_digest = $3 AND project_id = $1 AND code_used_at IS NOT NULL AND revoked_at IS NULL
         RETURNING ",
        columns!()
    );
    tx.one(sql, params![code.project, code.grant, code.digest, now]).await?.as_ref().map(grant).transpose()
}

/// Whether somebody has used this code.
pub async fn was_used(db: &mut impl Read, code: Code) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM grants WHERE id = $2 AND code_digest = $3 AND project_id = $1 AND code_used_at IS NOT NULL";
    Ok(db.one(sql, params![code.project, code.grant, code.digest]).await?.is_some())
}

/// Whether a session has ever had anything for an organization.
pub async fn is_within(
    db: &mut impl Read,
    session: SessionId,
    organization: OrganizationId,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM grants WHERE session_id = $1 AND organization_id = $2 LIMIT 1";
    Ok(db.one(sql, params![session, organization]).await?.is_some())
}

/// Forgets families of which nothing lives: all their tokens have run out.
pub async fn sweep(tx: &mut Tx<'_>, before: Moment) -> Result<u64, StoreError> {
    let sql = "DELETE FROM grants WHERE id IN
               (SELECT id FROM grants WHERE expires_at < $1 ORDER BY expires_at LIMIT 2000)";
    tx.execute(sql, params![before]).await
}
