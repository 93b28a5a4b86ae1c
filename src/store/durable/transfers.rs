//! Offers of an organization's ownership in the durable store. One waits at a time, and is taken by one statement.

use super::engine::{Read, Row, StoreError, Tx, params};
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, ProjectId, TransferId, UserId};

/// An owner's place, offered to somebody who has still to accept it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    pub id: TransferId,
    pub organization_id: OrganizationId,
    pub from: UserId,
    pub to: UserId,
    pub created_at: Moment,
    pub expires_at: Moment,
}

macro_rules! columns {
    () => {
        "id, organization_id, from_user, to_user, created_at, expires_at"
    };
}

fn transfer(row: &Row) -> Result<Transfer, StoreError> {
    Ok(Transfer {
        id: row.get(0)?,
        organization_id: row.get(1)?,
        from: row.get(2)?,
        to: row.get(3)?,
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
    })
}

/// The one that waits.
pub async fn pending(
    db: &mut impl Read,
    organization: OrganizationId,
    now: Moment,
) -> Result<Option<Transfer>, StoreError> {
    let sql =
        concat!("SELECT ", columns!(), " FROM ownership_transfers WHERE pending = $1 AND expires_at > $2");
    db.one(sql, params![organization, now]).await?.as_ref().map(transfer).transpose()
}

/// Fails with [`StoreError::Unique`] where another one waits.
pub async fn insert(tx: &mut Tx<'_>, project: ProjectId, offered: &Transfer) -> Result<(), StoreError> {
    let sql = "UPDATE ownership_transfers SET pending = NULL WHERE pending = $1 AND expires_at <= $2";
    tx.execute(sql, params![offered.organization_id, offered.created_at]).await?;
    let sql =
        "INSERT INTO ownership_transfers (id, project_id, organization_id, from_user, to_user, created_at,
                                                expires_at, pending)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $3)";
    let Transfer { id, organization_id, from, to, created_at, expires_at } = offered;
    tx.execute(sql, params![id, project, organization_id, from, to, created_at, expires_at]).await?;
    Ok(())
}

/// Takes the one that waits for this person, once.
pub async fn accept(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    to: UserId,
    now: Moment,
) -> Result<Option<Transfer>, StoreError> {
    let sql = concat!(
        "UPDATE ownership_transfers SET accepted_at = $3, pending = NULL
         WHERE pending = $1 AND to_user = $2 AND expires_at > $3 RETURNING ",
        columns!()
    );
    tx.one(sql, params![organization, to, now]).await?.as_ref().map(transfer).transpose()
}

/// Takes it back.
pub async fn cancel(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    now: Moment,
) -> Result<Option<Transfer>, StoreError> {
    let sql = concat!(
        "UPDATE ownership_transfers SET cancelled_at = $2, pending = NULL
         WHERE pending = $1 AND expires_at > $2 RETURNING ",
        columns!()
    );
    tx.one(sql, params![organization, now]).await?.as_ref().map(transfer).transpose()
}
