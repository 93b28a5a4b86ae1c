//! Operator tokens and the keys of organizations in the durable store; of their secrets only digests.

use ipnet::IpNet;

use super::engine::{Lock, Read, Row, StoreError, Tx, params};
use super::{json, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApiKeyId, OrganizationId, ProjectId, UserId};
use crate::foundation::secret::Digest;
use crate::model::api_key::{ApiKey, Holder, KeySecret, OperatorRole};

macro_rules! select {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT k.id, k.project_id, k.organization_id, k.name, k.permissions, k.networks, k.created_by, k.created_at,
                    k.expires_at, k.revoked_at, k.last_used_at,
                    CASE WHEN o.epoch <> k.organization_epoch THEN 1 ELSE 0 END,
                    (SELECT n.digest FROM api_key_secrets n WHERE n.api_key_id = k.id AND n.expires_at IS NULL)",
            $columns,
            " FROM api_keys k LEFT JOIN organizations o ON o.id = k.organization_id ",
            $rest
        )
    };
}

fn key(row: &Row) -> Result<ApiKey, StoreError> {
    let permissions: Vec<String> = json(row, 4)?;
    let holder = match row.get::<Option<OrganizationId>>(2)? {
        Some(organization) => Holder::Organization(organization, permissions),
        None => {
            let role = permissions.first().and_then(|word| OperatorRole::from_word(word));
            Holder::Operator(role.ok_or_else(|| row.corrupt(4))?)
        }
    };
    Ok(ApiKey {
        id: row.get(0)?,
        project_id: row.get(1)?,
        holder,
        name: row.get(3)?,
        networks: json::<Vec<IpNet>>(row, 5)?,
        created_by: row.get(6)?,
        created_at: row.get(7)?,
        expires_at: row.get(8)?,
        revoked_at: row.get(9)?,
        last_used_at: row.get(10)?,
        is_outlived: row.get::<i64>(11)? != 0,
        newest: row.get(12)?,
    })
}

/// A key, and those of its secrets that are not past their end.
pub async fn by_id(
    db: &mut impl Read,
    project: ProjectId,
    id: ApiKeyId,
    now: Moment,
) -> Result<Option<(ApiKey, Vec<KeySecret>)>, StoreError> {
    let sql = select!(
        ", s.digest, s.shown_to",
        "LEFT JOIN api_key_secrets s ON s.api_key_id = k.id AND (s.expires_at IS NULL OR s.expires_at > $3)
         WHERE k.id = $2 AND k.project_id = $1"
    );
    let rows = db.all(sql, params![project, id, now]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut secrets = Vec::new();
    for row in &rows {
        if let Some(digest) = row.get::<Option<Digest>>(13)? {
            secrets.push(KeySecret { digest, shown_to: row.get(14)? });
        }
    }
    Ok(Some((key(first)?, secrets)))
}

/// The operator tokens of a project.
pub async fn of_operator(db: &mut impl Read, project: ProjectId) -> Result<Vec<ApiKey>, StoreError> {
    let sql = select!("", "WHERE k.project_id = $1 AND k.organization_id IS NULL ORDER BY k.id");
    db.all(sql, params![project]).await?.iter().map(key).collect()
}

/// A page of an organization's keys, or of the operator tokens, in the order of their ids.
pub async fn page(
    db: &mut impl Read,
    project: ProjectId,
    organization: Option<OrganizationId>,
    after: &str,
    most: u32,
) -> Result<Vec<ApiKey>, StoreError> {
    let rows = match organization {
        Some(organization) => {
            let sql = select!(
                "",
                "WHERE k.project_id = $1 AND k.organization_id = $4 AND k.id > $2 ORDER BY k.id LIMIT $3"
            );
            db.all(sql, params![project, after, most, organization]).await?
        }
        None => {
            let sql = select!(
                "",
                "WHERE k.project_id = $1 AND k.organization_id IS NULL AND k.id > $2 ORDER BY k.id LIMIT $3"
            );
            db.all(sql, params![project, after, most]).await?
        }
    };
    rows.iter().map(key).collect()
}

/// Writes what of a key may change.
pub async fn update(tx: &mut Tx<'_>, key: &ApiKey) -> Result<(), StoreError> {
    let sql = "UPDATE api_keys SET name = $2, networks = $3, expires_at = $4 WHERE id = $1";
    tx.execute(sql, params![key.id, &key.name, to_json(&key.networks), key.expires_at]).await?;
    Ok(())
}

pub async fn insert(tx: &mut Tx<'_>, key: &ApiKey, secret: KeySecret) -> Result<(), StoreError> {
    let (organization, permissions) = match &key.holder {
        Holder::Operator(role) => (None, vec![role.word().to_owned()]),
        Holder::Organization(id, permissions) => (Some(*id), permissions.clone()),
    };
    tx.execute(
        "INSERT INTO api_keys (id, project_id, organization_id, name, permissions, networks, created_by, created_at,
                               expires_at, organization_epoch)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, (SELECT epoch FROM organizations WHERE id = $3))",
        params![
            key.id,
            key.project_id,
            organization,
            &key.name,
            to_json(&permissions),
            to_json(&key.networks),
            &key.created_by,
            key.created_at,
            key.expires_at
        ],
    )
    .await?;
    add_secret(tx, key.id, secret, key.created_at).await
}

async fn add_secret(tx: &mut Tx<'_>, id: ApiKeyId, secret: KeySecret, now: Moment) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO api_key_secrets (api_key_id, digest, shown_to, created_at) VALUES ($1, $2, $3, $4)";
    tx.execute(sql, params![id, secret.digest, secret.shown_to, now]).await?;
    Ok(())
}

/// Gives the key one more secret; the one before works until `until`, and earlier ones for as long as was said of them,
/// unless nothing shall work any more.
pub async fn rotate(
    tx: &mut Tx<'_>,
    id: ApiKeyId,
    secret: KeySecret,
    until: Moment,
    now: Moment,
) -> Result<(), StoreError> {
    // Of two who rotate at once, each would leave the other's secret alive.
    tx.lock(Lock::Exclusive, "api_keys", &id.to_string()).await?;
    let over = if until <= now { Moment::from_millis(i64::MAX) } else { now };
    let sql = "UPDATE api_key_secrets SET expires_at = $2 WHERE api_key_id = $1 AND expires_at IS NULL";
    tx.execute(sql, params![id, until]).await?;
    let sql = "DELETE FROM api_key_secrets WHERE api_key_id = $1 AND expires_at <= $2";
    tx.execute(sql, params![id, over]).await?;
    add_secret(tx, id, secret, now).await
}

/// True for who ends it.
pub async fn revoke(tx: &mut Tx<'_>, id: ApiKeyId, now: Moment) -> Result<bool, StoreError> {
    let sql = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    Ok(tx.execute(sql, params![id, now]).await? == 1)
}

/// Ends those of an organization's keys that somebody made; each with its name.
pub async fn revoke_made_by(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    maker: &str,
    now: Moment,
) -> Result<Vec<(ApiKeyId, String)>, StoreError> {
    let sql = "UPDATE api_keys SET revoked_at = $3
               WHERE organization_id = $1 AND created_by = $2 AND revoked_at IS NULL RETURNING id, name";
    let mut ended: Vec<(ApiKeyId, String)> = Vec::new();
    for row in tx.all(sql, params![organization, maker, now]).await? {
        ended.push((row.get(0)?, row.get(1)?));
    }
    ended.sort_by_key(|(id, _)| id.to_string());
    Ok(ended)
}

/// Forgets what somebody was shown of an organization's keys; of each key its name, and whether that ends it, because
/// nobody else has a secret of it.
pub async fn forget_shown_to(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    reader: UserId,
    now: Moment,
) -> Result<Vec<(ApiKeyId, String, bool)>, StoreError> {
    let sql = "SELECT DISTINCT k.id, k.name FROM api_keys k JOIN api_key_secrets s ON s.api_key_id = k.id
               WHERE k.organization_id = $1 AND s.shown_to = $2 AND k.revoked_at IS NULL ORDER BY k.id";
    let known = tx.all(sql, params![organization, reader]).await?;
    let mut ended = Vec::with_capacity(known.len());
    for row in known {
        let (id, name): (ApiKeyId, String) = (row.get(0)?, row.get(1)?);
        tx.lock(Lock::Exclusive, "api_keys", &id.to_string()).await?;
        let sql = "DELETE FROM api_key_secrets WHERE api_key_id = $1 AND shown_to = $2";
        tx.execute(sql, params![id, reader]).await?;
        let sql = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL AND NOT EXISTS
                       (SELECT 1 FROM api_key_secrets s
                        WHERE s.api_key_id = $1 AND (s.expires_at IS NULL OR s.expires_at > $2))";
        let is_over = tx.execute(sql, params![id, now]).await? == 1;
        ended.push((id, name, is_over));
    }
    Ok(ended)
}

/// Notes that the key was used.
pub async fn used(tx: &mut Tx<'_>, id: ApiKeyId, now: Moment) -> Result<(), StoreError> {
    tx.execute("UPDATE api_keys SET last_used_at = $2 WHERE id = $1", params![id, now]).await?;
    Ok(())
}

/// Ends every key of an organization.
pub async fn revoke_all(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    now: Moment,
) -> Result<u64, StoreError> {
    let sql = "UPDATE api_keys SET revoked_at = $2 WHERE organization_id = $1 AND revoked_at IS NULL";
    tx.execute(sql, params![organization, now]).await
}
