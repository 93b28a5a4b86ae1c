//! Roles of the project itself in the durable store, by whom they are held.

use std::collections::BTreeMap;

use super::engine::{Read, StoreError, Tx, params};
use super::json;
use crate::foundation::id::{RoleId, UserId};

/// What somebody is where they act for no organization, and what each of it allows.
pub async fn of(db: &mut impl Read, user: UserId) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let sql = "SELECT r.name, r.permissions FROM user_roles h JOIN roles r ON r.id = h.role_id
               WHERE h.user_id = $1";
    let mut roles = BTreeMap::new();
    for row in db.all(sql, params![user]).await? {
        roles.insert(row.get(0)?, json(&row, 1)?);
    }
    Ok(roles)
}

/// Makes these all that they are.
pub async fn put(tx: &mut Tx<'_>, user: UserId, roles: &[RoleId]) -> Result<(), StoreError> {
    tx.execute("DELETE FROM user_roles WHERE user_id = $1", params![user]).await?;
    for role in roles {
        let sql = "INSERT INTO user_roles (user_id, role_id) VALUES ($1, $2)";
        tx.execute(sql, params![user, *role]).await?;
    }
    Ok(())
}

pub async fn is_held(db: &mut impl Read, role: RoleId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM user_roles WHERE role_id = $1 LIMIT 1";
    Ok(db.one(sql, params![role]).await?.is_some())
}

/// Takes it from everybody; tells from how many.
pub async fn take_away(tx: &mut Tx<'_>, role: RoleId) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM user_roles WHERE role_id = $1", params![role]).await
}
