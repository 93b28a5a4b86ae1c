//! The chains of hashes over the audit events, in the durable store: links are added, never changed.

use serde_json::json;

use super::audit_events::{columns, recorded};
use super::engine::{Lock, Read, Row, StoreError, Tx, params};
use crate::foundation::clock::Moment;
use crate::foundation::id::{AuditEventId, OrganizationId, ProjectId};
use crate::model::audit_chain::{Chain, Checkpoint, Head, Sealed};
use crate::model::audit_event::Recorded;

/// Up to where the events of a project are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedTo {
    pub at: Moment,
    pub id: String,
}

impl SealedTo {
    /// Before everything.
    pub fn nothing() -> Self {
        Self { at: Moment::from_millis(i64::MIN), id: String::new() }
    }
}

/// Reads how far sealing has come, for who goes on: nobody else does meanwhile.
pub async fn go_on(tx: &mut Tx<'_>, project: ProjectId) -> Result<SealedTo, StoreError> {
    tx.execute(
        "INSERT INTO audit_seals (id, sealed_at, sealed_id) VALUES ($1, $2, '') ON CONFLICT DO NOTHING",
        params![project, Moment::from_millis(i64::MIN)],
    )
    .await?;
    tx.lock(Lock::Exclusive, "audit_seals", &project.to_string()).await?;
    let found = sealed_to(tx, project).await?;
    Ok(found.unwrap_or_else(SealedTo::nothing))
}

pub async fn sealed_to(db: &mut impl Read, project: ProjectId) -> Result<Option<SealedTo>, StoreError> {
    let row = db.one("SELECT sealed_at, sealed_id FROM audit_seals WHERE id = $1", params![project]).await?;
    row.map(|row| Ok(SealedTo { at: row.get(0)?, id: row.get(1)? })).transpose()
}

pub async fn set_sealed_to(tx: &mut Tx<'_>, project: ProjectId, to: &SealedTo) -> Result<(), StoreError> {
    let sql = "UPDATE audit_seals SET sealed_at = $2, sealed_id = $3 WHERE id = $1";
    tx.execute(sql, params![project, to.at, &to.id]).await?;
    Ok(())
}

/// Events after a place in time and before a moment, oldest first.
pub async fn unsealed(
    db: &mut impl Read,
    project: ProjectId,
    after: &SealedTo,
    before: Moment,
    most: i64,
) -> Result<Vec<Recorded>, StoreError> {
    let sql = concat!(
        "SELECT ",
        columns!("e."),
        " FROM audit_events e WHERE e.project_id = $1 AND (e.at, e.id) > ($2, $3) AND e.at < $4
         ORDER BY e.at, e.id LIMIT $5"
    );
    let rows = db.all(sql, params![project, after.at, &after.id, before, most]).await?;
    rows.iter().map(|row| recorded(row, 0)).collect()
}

/// Events of one chain, after a place in time, that none of its links up to `place` leads to; oldest first.
pub async fn behind(
    db: &mut impl Read,
    chain: Chain,
    place: i64,
    after: &SealedTo,
    most: i64,
) -> Result<Vec<Recorded>, StoreError> {
    macro_rules! of {
        ($which:literal) => {
            concat!(
                "SELECT ",
                columns!("e."),
                " FROM audit_events e WHERE e.project_id = $1 AND ",
                $which,
                " AND (e.at, e.id) > ($2, $3)
                 AND NOT EXISTS (SELECT 1 FROM audit_links l WHERE l.event_id = e.id AND l.place <= $5)
                 ORDER BY e.at, e.id LIMIT $4"
            )
        };
    }
    let rows = match chain.organization {
        Some(id) => {
            let sql = of!("e.organization_id = $6");
            db.all(sql, params![chain.project, after.at, &after.id, most, place, id]).await?
        }
        None => {
            let sql = of!("e.organization_id IS NULL");
            db.all(sql, params![chain.project, after.at, &after.id, most, place]).await?
        }
    };
    rows.iter().map(|row| recorded(row, 0)).collect()
}

/// Events within a time, up to where sealing has come, that no link leads to.
pub async fn left_out(
    db: &mut impl Read,
    project: ProjectId,
    since: Moment,
    to: &SealedTo,
    most: i64,
) -> Result<Vec<Recorded>, StoreError> {
    let sql = concat!(
        "SELECT ",
        columns!("e."),
        " FROM audit_events e WHERE e.project_id = $1 AND e.at >= $2 AND (e.at, e.id) <= ($3, $4)
           AND NOT EXISTS (SELECT 1 FROM audit_links l WHERE l.event_id = e.id)
         ORDER BY e.at, e.id LIMIT $5"
    );
    let rows = db.all(sql, params![project, since, to.at, &to.id, most]).await?;
    rows.iter().map(|row| recorded(row, 0)).collect()
}

pub async fn head(db: &mut impl Read, chain: Chain) -> Result<Head, StoreError> {
    let sql = "SELECT place, hash FROM audit_chains WHERE project_id = $1 AND chain = $2";
    let row = db.one(sql, params![chain.project, chain.name()]).await?;
    row.map_or(Ok(Head::start(chain)), |row| Ok(Head { place: row.get(0)?, hash: row.get(1)? }))
}

/// The place of a chain's last checkpoint; 0: it has none.
pub async fn signed_to(db: &mut impl Read, chain: Chain) -> Result<i64, StoreError> {
    let sql = "SELECT checkpoint_place FROM audit_chains WHERE project_id = $1 AND chain = $2";
    let row = db.one(sql, params![chain.project, chain.name()]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Organizations, whatever has become of them, of whose beginning no event tells; in the order of the ids.
pub async fn unheard_of(
    db: &mut impl Read,
    project: ProjectId,
    after: &str,
    most: i64,
) -> Result<Vec<OrganizationId>, StoreError> {
    let sql = "SELECT o.id FROM organizations o WHERE o.project_id = $1 AND o.id > $2
               AND NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.project_id = $1 AND e.organization_id = o.id
                               AND e.action = 'organization.created'
                               AND e.action NOT IN ('login.authenticated', 'login.code_issued', 'token.issued', 'token.refreshed'))
               ORDER BY o.id LIMIT $3";
    db.all(sql, params![project, after, most]).await?.iter().map(|row| row.get(0)).collect()
}

/// Whether anything is sealed.
pub async fn any_link(db: &mut impl Read, project: ProjectId) -> Result<bool, StoreError> {
    let sql = "SELECT place FROM audit_links WHERE project_id = $1 LIMIT 1";
    Ok(db.one(sql, params![project]).await?.is_some())
}

pub async fn set_head(tx: &mut Tx<'_>, chain: Chain, head: Head) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO audit_chains (project_id, chain, place, hash, checkpoint_place, checkpoint_at)
         VALUES ($1, $2, $3, $4, 0, 0)
         ON CONFLICT (project_id, chain) DO UPDATE SET place = EXCLUDED.place, hash = EXCLUDED.hash",
        params![chain.project, chain.name(), head.place, head.hash],
    )
    .await?;
    Ok(())
}

/// Makes an event the next one of its chain, whose head that is.
pub async fn link(tx: &mut Tx<'_>, chain: Chain, head: Head, event: AuditEventId) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO audit_links (project_id, chain, place, event_id, hash) VALUES ($1, $2, $3, $4, $5)";
    tx.execute(sql, params![chain.project, chain.name(), head.place, event, head.hash]).await?;
    Ok(())
}

/// How far a chain had come at a place; nothing, if it has no such place.
pub async fn at(db: &mut impl Read, chain: Chain, place: i64) -> Result<Option<Head>, StoreError> {
    if place == 0 {
        return Ok(Some(Head::start(chain)));
    }
    let sql = "SELECT hash FROM audit_links WHERE project_id = $1 AND chain = $2 AND place = $3";
    let row = db.one(sql, params![chain.project, chain.name(), place]).await?;
    row.map(|row| Ok(Head { place, hash: row.get(0)? })).transpose()
}

/// The links after a place, with what they lead to: an event that is gone is none, and one that cannot be read is empty.
pub async fn links(
    db: &mut impl Read,
    chain: Chain,
    after: i64,
    most: i64,
) -> Result<Vec<Sealed>, StoreError> {
    let sql = concat!(
        "SELECT l.place, l.hash, ",
        columns!("e."),
        " FROM audit_links l LEFT JOIN audit_events e ON e.id = l.event_id
         WHERE l.project_id = $1 AND l.chain = $2 AND l.place > $3 ORDER BY l.place LIMIT $4"
    );
    let rows = db.all(sql, params![chain.project, chain.name(), after, most]).await?;
    let line = |row: &Row| {
        let event = (!row.is_null(2)).then(|| recorded(row, 2).map_or(json!({}), |event| event.json()));
        let hash = row.get::<Vec<u8>>(1)?;
        let hash = Some(data_encoding::BASE64URL_NOPAD.encode(&hash));
        Ok(Sealed { place: Some(row.get(0)?), hash, event })
    };
    rows.iter().map(line).collect()
}

/// The chains of a project, in the order of their names.
pub async fn all(
    db: &mut impl Read,
    project: ProjectId,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<Chain>, StoreError> {
    // The project's own is named by nothing at all, which is after nothing.
    let rows = match after {
        None => {
            let sql = "SELECT chain FROM audit_chains WHERE project_id = $1 ORDER BY chain LIMIT $2";
            db.all(sql, params![project, most]).await?
        }
        Some(after) => {
            let sql =
                "SELECT chain FROM audit_chains WHERE project_id = $1 AND chain > $3 ORDER BY chain LIMIT $2";
            db.all(sql, params![project, most, after]).await?
        }
    };
    rows.iter().map(|row| named(project, row, 0)).collect()
}

fn named(project: ProjectId, row: &Row, index: usize) -> Result<Chain, StoreError> {
    let organization = if row.text(index)?.is_empty() { None } else { Some(row.get(index)?) };
    Ok(Chain { project, organization })
}

/// Chains that have grown since their last checkpoint, which was made before a moment.
pub async fn unsigned(
    db: &mut impl Read,
    project: ProjectId,
    before: Moment,
    most: i64,
) -> Result<Vec<(Chain, Head)>, StoreError> {
    let sql = "SELECT chain, place, hash FROM audit_chains
               WHERE project_id = $1 AND place > checkpoint_place AND checkpoint_at <= $2
               ORDER BY checkpoint_at, chain LIMIT $3";
    let rows = db.all(sql, params![project, before, most]).await?;
    let read = |row: &Row| Ok((named(project, row, 0)?, Head { place: row.get(1)?, hash: row.get(2)? }));
    rows.iter().map(read).collect()
}

/// Keeps a checkpoint, unless another node has made that of this place.
pub async fn sign(
    tx: &mut Tx<'_>,
    chain: Chain,
    checkpoint: &Checkpoint,
    jws: &str,
    now: Moment,
) -> Result<(), StoreError> {
    let (project, name, place) = (chain.project, chain.name(), checkpoint.place);
    tx.execute(
        "INSERT INTO audit_checkpoints (project_id, chain, place, jws, created_at)
         SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS BIGINT)
         WHERE NOT EXISTS (SELECT 1 FROM audit_checkpoints WHERE project_id = $1 AND chain = $2 AND place = $3)
         ON CONFLICT DO NOTHING",
        params![project, &name, place, jws, now],
    )
    .await?;
    tx.execute(
        "UPDATE audit_chains SET checkpoint_place = $3, checkpoint_at = $4
         WHERE project_id = $1 AND chain = $2 AND checkpoint_place < $3",
        params![project, &name, place, now],
    )
    .await?;
    Ok(())
}

/// A checkpoint, as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub place: i64,
    pub jws: String,
    pub created_at: Moment,
}

/// Checkpoints before a place, newest first.
pub async fn checkpoints(
    db: &mut impl Read,
    chain: Chain,
    before: i64,
    most: i64,
) -> Result<Vec<Signed>, StoreError> {
    let sql = "SELECT place, jws, created_at FROM audit_checkpoints
               WHERE project_id = $1 AND chain = $2 AND place < $3 ORDER BY place DESC LIMIT $4";
    let rows = db.all(sql, params![chain.project, chain.name(), before, most]).await?;
    rows.iter()
        .map(|row| Ok(Signed { place: row.get(0)?, jws: row.get(1)?, created_at: row.get(2)? }))
        .collect()
}
