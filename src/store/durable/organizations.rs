//! Organizations in the durable store.

use super::choices::Told;
use super::engine::{Read, Row, StoreError, Tx, params};
use super::known::Known;
use super::{optional_json, to_json};
use crate::foundation::id::{ApiKeyId, OrganizationId, ProjectId, UserId};
use crate::model::organization::{Organization, Policy, Status};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, project_id, slug, display_name, description, logo_uri, functional_roles, policy, created_at,
                    updated_at, deactivated_at, deleted_at, kind, purge_at, epoch
             FROM organizations ",
            $rest
        )
    };
}

/// By what an organization is found: its name in lower case.
fn name_key(name: &str) -> Vec<u8> {
    name.to_lowercase().into_bytes()
}

pub(super) static POLICIES: Known<OrganizationId, Policy> = Known::new();

pub(super) fn organization(row: &Row, at: usize) -> Result<Organization, StoreError> {
    let id = row.get(at)?;
    Ok(Organization {
        id,
        project_id: row.get(at + 1)?,
        slug: row.get(at + 2)?,
        display_name: row.get(at + 3)?,
        description: row.get(at + 4)?,
        logo_uri: row.get(at + 5)?,
        functional_roles: optional_json(row, at + 6)?,
        policy: POLICIES.json(id, row, at + 7)?,
        created_at: row.get(at + 8)?,
        updated_at: row.get(at + 9)?,
        deactivated_at: row.get(at + 10)?,
        deleted_at: row.get(at + 11)?,
        kind: row.get(at + 12)?,
        purge_at: row.get(at + 13)?,
        epoch: row.get(at + 14)?,
    })
}

pub async fn by_id(
    db: &mut impl Read,
    project: ProjectId,
    id: OrganizationId,
) -> Result<Option<Organization>, StoreError> {
    let row = db.one(select!("WHERE id = $2 AND project_id = $1"), params![project, id]).await?;
    row.as_ref().map(|row| organization(row, 0)).transpose()
}

/// The organization of one of its keys, and whether the key was made in its present epoch.
pub async fn of_key(
    db: &mut impl Read,
    project: ProjectId,
    key: ApiKeyId,
) -> Result<Option<(Organization, bool)>, StoreError> {
    let sql = "SELECT o.id, o.project_id, o.slug, o.display_name, o.description, o.logo_uri, o.functional_roles, o.policy,
                o.created_at, o.updated_at, o.deactivated_at, o.deleted_at, o.kind, o.purge_at, o.epoch,
                k.organization_epoch
         FROM api_keys k JOIN organizations o ON o.id = k.organization_id
         WHERE k.id = $2 AND k.project_id = $1";
    let Some(row) = db.one(sql, params![project, key]).await? else { return Ok(None) };
    let organization = organization(&row, 0)?;
    let same = row.get::<Option<i64>>(15)? == Some(organization.epoch);
    Ok(Some((organization, same)))
}

pub async fn by_slug(
    db: &mut impl Read,
    project: ProjectId,
    slug: &str,
) -> Result<Option<Organization>, StoreError> {
    let row = db.one(select!("WHERE project_id = $1 AND slug = $2"), params![project, slug]).await?;
    row.as_ref().map(|row| organization(row, 0)).transpose()
}

/// The organization that an application or a file names, by id or by slug.
pub async fn named(
    db: &mut impl Read,
    project: ProjectId,
    name: &str,
) -> Result<Option<Organization>, StoreError> {
    match name.parse() {
        Ok(id) => by_id(db, project, id).await,
        Err(_) => by_slug(db, project, name).await,
    }
}

/// Whether a project has any, deleted or not.
pub async fn any_of(db: &mut impl Read, project: ProjectId) -> Result<bool, StoreError> {
    let sql = "SELECT id FROM organizations WHERE project_id = $1 LIMIT 1";
    Ok(db.one(sql, params![project]).await?.is_some())
}

/// Whose slug this is or has been.
pub async fn slug_holder(
    db: &mut impl Read,
    project: ProjectId,
    slug: &str,
) -> Result<Option<OrganizationId>, StoreError> {
    let sql = "SELECT organization_id FROM organization_slugs WHERE project_id = $1 AND slug = $2";
    db.one(sql, params![project, slug]).await?.map(|row| row.get(0)).transpose()
}

pub async fn insert(tx: &mut Tx<'_>, organization: &Organization) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO organizations (id, project_id, slug, display_name, description, logo_uri, functional_roles,
                                    policy, created_at, updated_at, deactivated_at, deleted_at, kind, name_key,
                                    purge_at, epoch)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        params![
            organization.id,
            organization.project_id,
            &organization.slug,
            &organization.display_name,
            organization.description.as_deref(),
            organization.logo_uri.as_deref(),
            organization.functional_roles.as_ref().map(to_json),
            to_json(&organization.policy),
            organization.created_at,
            organization.updated_at,
            organization.deactivated_at,
            organization.deleted_at,
            organization.kind.as_deref(),
            name_key(&organization.display_name),
            organization.purge_at,
            organization.epoch
        ],
    )
    .await?;
    keep_slug(tx, organization).await
}

pub async fn update(tx: &mut Tx<'_>, organization: &Organization) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE organizations
         SET slug = $2, display_name = $3, description = $4, logo_uri = $5, functional_roles = $6, policy = $7,
             updated_at = $8, deactivated_at = $9, deleted_at = $10, kind = $11, name_key = $12, purge_at = $13,
             epoch = $14
         WHERE id = $1",
        params![
            organization.id,
            &organization.slug,
            &organization.display_name,
            organization.description.as_deref(),
            organization.logo_uri.as_deref(),
            organization.functional_roles.as_ref().map(to_json),
            to_json(&organization.policy),
            organization.updated_at,
            organization.deactivated_at,
            organization.deleted_at,
            organization.kind.as_deref(),
            name_key(&organization.display_name),
            organization.purge_at,
            organization.epoch
        ],
    )
    .await?;
    keep_slug(tx, organization).await
}

/// Fails with [`StoreError::Unique`] where another organization has or had the slug.
async fn keep_slug(tx: &mut Tx<'_>, organization: &Organization) -> Result<(), StoreError> {
    if slug_holder(tx, organization.project_id, &organization.slug).await? == Some(organization.id) {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO organization_slugs (project_id, slug, organization_id) VALUES ($1, $2, $3)",
        params![organization.project_id, &organization.slug, organization.id],
    )
    .await?;
    Ok(())
}

/// Whether there is such an organization in any project: an id is given once.
pub async fn exists(db: &mut impl Read, id: OrganizationId) -> Result<bool, StoreError> {
    Ok(db.one("SELECT 1 FROM organizations WHERE id = $1", params![id]).await?.is_some())
}

/// The name of an organization and where its logo is, whichever project it belongs to: ids are no secret, and not
/// guessed.
pub async fn shown(
    db: &mut impl Read,
    id: OrganizationId,
) -> Result<Option<(String, Option<String>)>, StoreError> {
    let row = db.one("SELECT display_name, logo_uri FROM organizations WHERE id = $1", params![id]).await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// The organizations of a project that name a logo: so many, after this id.
pub async fn with_logo(
    db: &mut impl Read,
    project: ProjectId,
    after: &str,
    most: u32,
) -> Result<Vec<Organization>, StoreError> {
    let sql = select!(
        "WHERE project_id = $1 AND logo_uri IS NOT NULL AND deactivated_at IS NULL AND deleted_at IS NULL AND id > $2
         ORDER BY id LIMIT $3"
    );
    db.all(sql, params![project, after, most]).await?.iter().map(|row| organization(row, 0)).collect()
}

/// Which organizations a page shows.
#[derive(Clone, Debug)]
pub struct Listing {
    pub project: ProjectId,
    pub visible: Visible,
    /// Absent: all but the deleted ones.
    pub status: Option<Status>,
    pub has_owner: Option<bool>,
    /// What the name begins with, in any case.
    pub name: Option<String>,
    /// The id of the last one of the page before, and its name key where a name was asked for.
    pub after: Option<(OrganizationId, Vec<u8>)>,
    pub most: u32,
}

/// What the one who asks may see.
#[derive(Clone, Copy, Debug)]
pub enum Visible {
    All,
    Only(OrganizationId),
    /// Those that the person is an active member of, and their application is told of.
    OfMember(UserId, Told),
}

/// An organization of a list.
#[derive(Clone, Debug)]
pub struct Listed {
    pub organization: Organization,
    pub has_owner: bool,
}

impl Listed {
    pub fn name_key(&self) -> Vec<u8> {
        name_key(&self.organization.display_name)
    }
}

macro_rules! has_owner {
    () => {
        "CASE WHEN EXISTS (SELECT 1 FROM membership_roles r JOIN memberships m ON m.id = r.membership_id
                           JOIN users w ON w.id = m.user_id WHERE r.organization_id = o.id AND r.role = 'owner'
                           AND m.status = 'active' AND w.disabled_at IS NULL)
         THEN 1 ELSE 0 END"
    };
}

macro_rules! listed {
    ($from:literal, $rest:literal) => {
        concat!(
            "SELECT o.id, o.project_id, o.slug, o.display_name, o.description, o.logo_uri, o.functional_roles, o.policy,
                    o.created_at, o.updated_at, o.deactivated_at, o.deleted_at, o.kind, o.purge_at, o.epoch, ",
            has_owner!(),
            $from,
            " AND (CAST($2 AS TEXT) = CASE WHEN o.deleted_at IS NOT NULL THEN 'deleted'
                                           WHEN o.deactivated_at IS NOT NULL THEN 'deactivated' ELSE 'active' END
                   OR (CAST($2 AS TEXT) IS NULL AND o.deleted_at IS NULL))
              AND (CAST($3 AS BIGINT) IS NULL OR CAST($3 AS BIGINT) = ",
            has_owner!(),
            ") ",
            $rest
        )
    };
}

macro_rules! of_project {
    ($rest:literal) => {
        listed!(
            " FROM organizations o WHERE o.project_id = $1 AND (CAST($4 AS TEXT) IS NULL OR o.id = $4)
              AND CAST($7 AS TEXT) IS NULL AND CAST($8 AS TEXT) IS NULL",
            $rest
        )
    };
}

macro_rules! of_member {
    ($rest:literal) => {
        listed!(
            " FROM memberships v JOIN organizations o ON o.id = v.organization_id
              WHERE o.project_id = $1 AND v.user_id = $4 AND v.status = 'active'
              AND (CAST($7 AS TEXT) IS NULL OR o.id IN
                   (SELECT organization_id FROM application_organizations WHERE application_id = $7))
              AND (CAST($8 AS TEXT) IS NULL OR o.id = $8)",
            $rest
        )
    };
}

/// Between what and what the keys of names lie that begin so in any case: no byte of UTF-8 is 0xFF.
pub(super) fn name_range(name: &str) -> (Vec<u8>, Vec<u8>) {
    (name_key(name), [name_key(name), vec![0xff]].concat())
}

/// One page, in the order of the ids, or of the names where a name is asked for.
pub async fn page(db: &mut impl Read, listing: &Listing) -> Result<Vec<Listed>, StoreError> {
    let status = listing.status.map(Status::word);
    let has_owner = listing.has_owner.map(i64::from);
    let (viewer, (open, only)) = match listing.visible {
        Visible::All => (None, Told::All.terms()),
        Visible::Only(id) => (Some(id.to_string()), Told::All.terms()),
        Visible::OfMember(user, told) => (Some(user.to_string()), told.terms()),
    };
    let of_member = matches!(listing.visible, Visible::OfMember(..));
    let (id, key) = match &listing.after {
        Some((id, key)) => (id.to_string(), key.clone()),
        None => (String::new(), Vec::new()),
    };
    let (project, most) = (listing.project, listing.most);
    let rows = match &listing.name {
        None => {
            let sql = if of_member {
                of_member!("AND o.id > $5 ORDER BY o.id LIMIT $6")
            } else {
                of_project!("AND o.id > $5 ORDER BY o.id LIMIT $6")
            };
            db.all(sql, params![project, status, has_owner, viewer, id, most, open, only]).await?
        }
        Some(name) => {
            let (low, high) = name_range(name);
            let sql = if of_member {
                of_member!(
                    "AND o.name_key >= $9 AND o.name_key < $10 AND (o.name_key > $11 OR (o.name_key = $11 AND o.id > $5))
                     ORDER BY o.name_key, o.id LIMIT $6"
                )
            } else {
                of_project!(
                    "AND o.name_key >= $9 AND o.name_key < $10 AND (o.name_key > $11 OR (o.name_key = $11 AND o.id > $5))
                     ORDER BY o.name_key, o.id LIMIT $6"
                )
            };
            let of = params![project, status, has_owner, viewer, id, most, open, only, low, high, key];
            db.all(sql, of).await?
        }
    };
    let read = |row: &Row| {
        let has_owner = row.get::<i64>(15)? == 1;
        Ok(Listed { organization: organization(row, 0)?, has_owner })
    };
    rows.iter().map(read).collect()
}
