//! Delegations in the durable store.

use super::engine::{Read, Row, StoreError, Tx, params};
use super::{json, optional_json, organizations, projects, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{DelegationId, OrganizationId, ProjectId};
use crate::model::delegation::{Asked, Delegation, DelegationSettings, Side};
use crate::model::role;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, project_id, home_organization_id, target_organization_id, settings, starts_at, ends_at,
                    home_approved_at, target_approved_at, paused_at, revoked_at, asked
             FROM delegations ",
            $rest
        )
    };
}

fn delegation(row: &Row) -> Result<Delegation, StoreError> {
    Ok(Delegation {
        id: row.get(0)?,
        project_id: row.get(1)?,
        home: row.get(2)?,
        target: row.get(3)?,
        settings: DelegationSettings { asked: asked(row)?, ..json(row, 4)? },
        starts_at: row.get(5)?,
        ends_at: row.get(6)?,
        home_approved_at: row.get(7)?,
        target_approved_at: row.get(8)?,
        paused_at: row.get(9)?,
        revoked_at: row.get(10)?,
    })
}

fn asked(row: &Row) -> Result<Option<Asked>, StoreError> {
    let text: Option<String> = row.get(11)?;
    text.map(|text| Asked::read(&text).ok_or_else(|| row.corrupt(11))).transpose()
}

pub async fn by_id(
    db: &mut impl Read,
    project: ProjectId,
    id: DelegationId,
) -> Result<Option<Delegation>, StoreError> {
    let row = db.one(select!("WHERE id = $2 AND project_id = $1"), params![project, id]).await?;
    row.as_ref().map(delegation).transpose()
}

/// The one that holds or could; where there is none, the last that was revoked.
pub async fn between(
    db: &mut impl Read,
    home: OrganizationId,
    target: OrganizationId,
) -> Result<Option<Delegation>, StoreError> {
    let sql = select!(
        "WHERE home_organization_id = $1 AND target_organization_id = $2
         ORDER BY CASE WHEN revoked_at IS NULL THEN 0 ELSE 1 END, id DESC LIMIT 1"
    );
    db.one(sql, params![home, target]).await?.as_ref().map(delegation).transpose()
}

/// A delegation with the names of both organizations, as each is shown to the other; of one that is nobody, none.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub delegation: Delegation,
    pub home_name: Option<String>,
    pub target_name: Option<String>,
    /// The sides by which nobody acts by it, whatever was agreed.
    pub barred_by: Vec<Side>,
}

macro_rules! select_named {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.project_id, d.home_organization_id, d.target_organization_id, d.settings, d.starts_at,
                    d.ends_at, d.home_approved_at, d.target_approved_at, d.paused_at, d.revoked_at, d.asked,
                    h.display_name, t.display_name, d.created_at, p.id, p.settings, t.policy,
                    h.functional_roles, CASE WHEN h.deactivated_at IS NULL AND h.deleted_at IS NULL THEN h.id END,
                    t.functional_roles, CASE WHEN t.deactivated_at IS NULL AND t.deleted_at IS NULL THEN t.id END
             FROM delegations d JOIN projects p ON p.id = d.project_id
                                LEFT JOIN organizations h ON h.id = d.home_organization_id
                                LEFT JOIN organizations t ON t.id = d.target_organization_id ",
            $rest
        )
    };
}

impl Named {
    /// What a side is called to `reader`; absent: the operator. Who proposed it is told nothing of the other side before that
    /// approves it: it is called as they named it.
    pub fn name_of(&self, side: Side, reader: Option<OrganizationId>) -> String {
        let known = match side {
            Side::Home => &self.home_name,
            Side::Target => &self.target_name,
        };
        let asked = self.delegation.settings.asked.as_ref().filter(|asked| asked.side != side);
        match (known, asked) {
            (_, Some(asked)) if reader == Some(asked.by) => asked.name.clone(),
            (Some(name), _) => name.clone(),
            (None, asked) => asked.map(|asked| asked.name.clone()).unwrap_or_default(),
        }
    }
}

fn named(row: &Row) -> Result<Named, StoreError> {
    let delegation = delegation(row)?;
    let barred_by = barred_by(row, delegation.id)?;
    Ok(Named { delegation, home_name: row.get(12)?, target_name: row.get(13)?, barred_by })
}

/// By an organization that is not active, that may have no delegations, or, of the target, that does not accept this
/// one: what whoever would act is refused by.
fn barred_by(row: &Row, id: DelegationId) -> Result<Vec<Side>, StoreError> {
    let project = projects::SETTINGS.json(row.get(15)?, row, 16)?;
    let may = |functional: Option<Vec<String>>| {
        role::may_delegate(functional.as_deref(), &project.functional_roles)
    };
    let (home, target): (Option<OrganizationId>, Option<OrganizationId>) = (row.get(19)?, row.get(21)?);
    let accepts = match target {
        Some(target) => organizations::POLICIES.json(target, row, 17)?.delegations.accepts(id),
        None => false,
    };
    let home = home.is_some() && may(optional_json(row, 18)?);
    let target = accepts && may(optional_json(row, 20)?);
    let sides = [(home, Side::Home), (target, Side::Target)];
    Ok(sides.into_iter().filter(|(fine, _)| !fine).map(|(_, side)| side).collect())
}

pub async fn by_id_named(
    db: &mut impl Read,
    project: ProjectId,
    id: DelegationId,
) -> Result<Option<Named>, StoreError> {
    let row = db.one(select_named!("WHERE d.id = $2 AND d.project_id = $1"), params![project, id]).await?;
    row.as_ref().map(named).transpose()
}

/// A page of those of an organization, on the side that is asked for, in the order of their ids.
pub async fn page(
    db: &mut impl Read,
    organization: OrganizationId,
    side: Option<Side>,
    after: &str,
    most: u32,
) -> Result<Vec<Named>, StoreError> {
    let sql = match side {
        Some(Side::Home) => {
            select_named!("WHERE d.home_organization_id = $1 AND d.id > $2 ORDER BY d.id LIMIT $3")
        }
        Some(Side::Target) => {
            select_named!("WHERE d.target_organization_id = $1 AND d.id > $2 ORDER BY d.id LIMIT $3")
        }
        None => select_named!(
            "WHERE (d.home_organization_id = $1 OR d.target_organization_id = $1) AND d.id > $2
             ORDER BY d.id LIMIT $3"
        ),
    };
    db.all(sql, params![organization, after, most]).await?.iter().map(named).collect()
}

/// One that is in force, or could come to be, and since when there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Lasting {
    pub named: Named,
    pub created_at: Moment,
}

/// Some of those of an organization, on either side, in the order of their ids.
pub async fn lasting(
    db: &mut impl Read,
    organization: OrganizationId,
    after: &str,
    (most, now): (u32, Moment),
) -> Result<Vec<Lasting>, StoreError> {
    let sql = select_named!(
        "WHERE (d.home_organization_id = $1 OR d.target_organization_id = $1) AND d.id > $2
           AND d.revoked_at IS NULL AND (d.ends_at IS NULL OR d.ends_at > $4)
         ORDER BY d.id LIMIT $3"
    );
    let lasting = |row: &Row| Ok(Lasting { named: named(row)?, created_at: row.get(14)? });
    db.all(sql, params![organization, after, most, now]).await?.iter().map(lasting).collect()
}

/// Whether anybody may act for this organization, now.
pub async fn any_to(db: &mut impl Read, target: OrganizationId, now: Moment) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM delegations
               WHERE target_organization_id = $1 AND home_approved_at IS NOT NULL AND target_approved_at IS NOT NULL
                 AND paused_at IS NULL AND revoked_at IS NULL
                 AND (starts_at IS NULL OR starts_at <= $2) AND (ends_at IS NULL OR ends_at > $2)
               LIMIT 1";
    Ok(db.one(sql, params![target, now]).await?.is_some())
}

/// Those to which an organization has said yes, and which may count yet.
pub async fn agreed_to(
    db: &mut impl Read,
    target: OrganizationId,
    now: Moment,
) -> Result<Vec<Delegation>, StoreError> {
    let sql = select!(
        "WHERE target_organization_id = $1 AND target_approved_at IS NOT NULL AND revoked_at IS NULL
           AND (ends_at IS NULL OR ends_at > $2)
         ORDER BY id"
    );
    db.all(sql, params![target, now]).await?.iter().map(delegation).collect()
}

pub async fn insert(tx: &mut Tx<'_>, delegation: &Delegation, now: Moment) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO delegations (id, project_id, home_organization_id, target_organization_id, settings, starts_at,
                                  ends_at, home_approved_at, target_approved_at, paused_at, revoked_at, created_at,
                                  updated_at, asked)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)",
        params![
            delegation.id,
            delegation.project_id,
            delegation.home,
            delegation.target,
            to_json(&delegation.settings),
            delegation.starts_at,
            delegation.ends_at,
            delegation.home_approved_at,
            delegation.target_approved_at,
            delegation.paused_at,
            delegation.revoked_at,
            now,
            delegation.settings.asked.as_ref().map(ToString::to_string)
        ],
    )
    .await?;
    Ok(())
}

pub async fn update(tx: &mut Tx<'_>, delegation: &Delegation, now: Moment) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE delegations
         SET settings = $2, starts_at = $3, ends_at = $4, home_approved_at = $5, target_approved_at = $6,
             paused_at = $7, revoked_at = $8, updated_at = $9, asked = $10
         WHERE id = $1",
        params![
            delegation.id,
            to_json(&delegation.settings),
            delegation.starts_at,
            delegation.ends_at,
            delegation.home_approved_at,
            delegation.target_approved_at,
            delegation.paused_at,
            delegation.revoked_at,
            now,
            delegation.settings.asked.as_ref().map(ToString::to_string)
        ],
    )
    .await?;
    Ok(())
}

/// Ends every delegation from or to an organization.
pub async fn revoke_all(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    now: Moment,
) -> Result<u64, StoreError> {
    let sql = "UPDATE delegations SET revoked_at = $2, updated_at = $2
               WHERE (home_organization_id = $1 OR target_organization_id = $1) AND revoked_at IS NULL";
    tx.execute(sql, params![organization, now]).await
}
