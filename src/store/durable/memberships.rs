//! Memberships in the durable store, and who is expected to become a member.

use super::engine::{Lock, Read, Row, StoreError, Tx, params};
use super::{json, organizations, parsed, roles, to_json};
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{MembershipId, OrganizationId, ProjectId, UserId};
use crate::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use crate::model::organization::Organization;
use crate::model::project::MembershipMode;
use crate::model::role;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.organization_id, m.user_id, m.kind, m.status, m.source, m.roles, m.created_at
             FROM memberships m ",
            $rest
        )
    };
}

pub(super) fn membership(row: &Row, at: usize) -> Result<Membership, StoreError> {
    Ok(Membership {
        id: row.get(at)?,
        organization_id: row.get(at + 1)?,
        user_id: row.get(at + 2)?,
        kind: parsed(row, at + 3, MembershipKind::from_word)?,
        status: parsed(row, at + 4, MembershipStatus::from_word)?,
        source: parsed(row, at + 5, MembershipSource::from_word)?,
        roles: json(row, at + 6)?,
        created_at: row.get(at + 7)?,
    })
}

pub async fn find(
    db: &mut impl Read,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<Membership>, StoreError> {
    let sql = select!("WHERE m.organization_id = $1 AND m.user_id = $2");
    db.one(sql, params![organization, user]).await?.as_ref().map(|row| membership(row, 0)).transpose()
}

/// An organization, with the user's membership of it: in one read, for every token looks at both.
pub async fn place(
    db: &mut impl Read,
    project: ProjectId,
    organization: OrganizationId,
    user: UserId,
) -> Result<(Option<Organization>, Option<Membership>), StoreError> {
    let sql = "SELECT o.id, o.project_id, o.slug, o.display_name, o.description, o.logo_uri, o.functional_roles, o.policy,
                o.created_at, o.updated_at, o.deactivated_at, o.deleted_at, o.kind, o.purge_at, o.epoch,
                m.id, m.organization_id, m.user_id, m.kind, m.status, m.source, m.roles, m.created_at
         FROM organizations o LEFT JOIN memberships m ON m.organization_id = o.id AND m.user_id = $3
         WHERE o.id = $2 AND o.project_id = $1";
    let Some(row) = db.one(sql, params![project, organization, user]).await? else { return Ok((None, None)) };
    let is_member = row.get::<Option<MembershipId>>(15)?.is_some();
    let membership = if is_member { Some(membership(&row, 15)?) } else { None };
    Ok((Some(organizations::organization(&row, 0)?), membership))
}

/// Whether the user has a membership of any status.
pub async fn any_of(db: &mut impl Read, user: UserId) -> Result<bool, StoreError> {
    Ok(db.one("SELECT 1 FROM memberships WHERE user_id = $1 LIMIT 1", params![user]).await?.is_some())
}

/// An organization that the user has a membership of, of any status: in an exclusive project the only one.
pub async fn an_organization_of(
    db: &mut impl Read,
    user: UserId,
) -> Result<Option<OrganizationId>, StoreError> {
    let sql = "SELECT organization_id FROM memberships WHERE user_id = $1 ORDER BY organization_id LIMIT 1";
    db.one(sql, params![user]).await?.map(|row| row.get(0)).transpose()
}

/// The same, locked against every other change of it.
pub async fn locked(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<Membership>, StoreError> {
    let Some(found) = find(tx, organization, user).await? else { return Ok(None) };
    tx.lock(Lock::Exclusive, "memberships", &found.id.to_string()).await?;
    find(tx, organization, user).await
}

/// Whether the organization has an active owner, who is no disabled user.
pub async fn has_owner(db: &mut impl Read, organization: OrganizationId) -> Result<bool, StoreError> {
    Ok(an_owner(db, organization).await?.is_some())
}

/// One of them.
pub async fn an_owner(
    db: &mut impl Read,
    organization: OrganizationId,
) -> Result<Option<UserId>, StoreError> {
    let sql = "SELECT m.user_id FROM membership_roles r JOIN memberships m ON m.id = r.membership_id
               JOIN users u ON u.id = m.user_id
               WHERE r.organization_id = $1 AND r.role = $2 AND m.status = 'active' AND u.disabled_at IS NULL LIMIT 1";
    db.one(sql, params![organization, role::OWNER]).await?.map(|row| row.get(0)).transpose()
}

/// How many memberships of an organization came from a source since.
pub async fn joined_since(
    db: &mut impl Read,
    organization: OrganizationId,
    source: MembershipSource,
    since: Moment,
) -> Result<i64, StoreError> {
    let sql =
        "SELECT COUNT(*) FROM memberships WHERE organization_id = $1 AND source = $2 AND created_at >= $3";
    db.one(sql, params![organization, source.word(), since]).await?.map_or(Ok(0), |row| row.get(0))
}

/// How many active owners the organization has, counted as far as `most`.
pub async fn active_owners(
    db: &mut impl Read,
    organization: OrganizationId,
    most: u32,
) -> Result<usize, StoreError> {
    let sql = "SELECT m.id FROM membership_roles r JOIN memberships m ON m.id = r.membership_id
               WHERE r.organization_id = $1 AND r.role = $2 AND m.status = 'active' LIMIT $3";
    Ok(db.all(sql, params![organization, role::OWNER, most]).await?.len())
}

/// How many active owners and administrators the organization has who are no disabled users, counted as far as `most`.
pub async fn active_administrators(
    db: &mut impl Read,
    organization: OrganizationId,
    most: u32,
) -> Result<usize, StoreError> {
    let sql = "SELECT DISTINCT m.user_id FROM membership_roles r JOIN memberships m ON m.id = r.membership_id
               JOIN users u ON u.id = m.user_id
               WHERE r.organization_id = $1 AND r.role IN ($2, $3) AND m.status = 'active' AND u.disabled_at IS NULL
               LIMIT $4";
    Ok(db.all(sql, params![organization, role::OWNER, role::ADMIN, most]).await?.len())
}

/// Fails with [`StoreError::Unique`] where the user has a membership already (or, in an exclusive project, any), and with
/// [`StoreError::Conflict`] where a role of it has just been deleted.
pub async fn insert(
    tx: &mut Tx<'_>,
    project: ProjectId,
    mode: MembershipMode,
    membership: &Membership,
) -> Result<(), StoreError> {
    roles::hold(tx, membership.organization_id, &membership.roles).await?;
    let exclusive = (mode == MembershipMode::Exclusive).then_some(membership.user_id);
    tx.execute(
        "INSERT INTO memberships (id, project_id, organization_id, user_id, kind, status, source, roles,
                                  exclusive_user, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        params![
            membership.id,
            project,
            membership.organization_id,
            membership.user_id,
            membership.kind.word(),
            membership.status.word(),
            membership.source.word(),
            to_json(&membership.roles),
            exclusive,
            membership.created_at
        ],
    )
    .await?;
    index_roles(tx, membership).await
}

/// Fails with [`StoreError::Conflict`] where a role that is new to it has just been deleted; one that was is given nobody
/// anew, and stays where it is.
pub async fn update(tx: &mut Tx<'_>, membership: &Membership, now: Moment) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE memberships SET kind = $2, status = $3, source = $4, roles = $5, updated_at = $6,
                removed_at = CASE WHEN $3 = 'removed' THEN COALESCE(removed_at, $6) ELSE NULL END
         WHERE id = $1",
        params![
            membership.id,
            membership.kind.word(),
            membership.status.word(),
            membership.source.word(),
            to_json(&membership.roles),
            now
        ],
    )
    .await?;
    // The row is locked by now: whoever deletes a role takes it from here before, or after.
    let known =
        tx.all("SELECT role FROM membership_roles WHERE membership_id = $1", params![membership.id]).await?;
    let known = known.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
    let given: Vec<_> = membership.roles.iter().filter(|name| !known.contains(name)).cloned().collect();
    roles::hold(tx, membership.organization_id, &given).await?;
    tx.execute("DELETE FROM membership_roles WHERE membership_id = $1", params![membership.id]).await?;
    index_roles(tx, membership).await
}

/// The organizations that the user owns, active as they are there, in the order of their ids.
pub async fn owned_by(db: &mut impl Read, user: UserId) -> Result<Vec<OrganizationId>, StoreError> {
    let sql = "SELECT m.organization_id FROM memberships m
               JOIN membership_roles r ON r.membership_id = m.id AND r.organization_id = m.organization_id
               WHERE m.user_id = $1 AND r.role = $2 AND m.status = 'active' ORDER BY m.organization_id";
    db.all(sql, params![user, role::OWNER]).await?.iter().map(|row| row.get(0)).collect()
}

/// Every organization that somebody was not removed from, in the order of the ids.
pub async fn places_of(db: &mut impl Read, user: UserId) -> Result<Vec<OrganizationId>, StoreError> {
    let sql = "SELECT organization_id FROM memberships WHERE user_id = $1 AND status <> 'removed'
               ORDER BY organization_id";
    db.all(sql, params![user]).await?.iter().map(|row| row.get(0)).collect()
}

/// Whether somebody has changed it, at that moment or later: how somebody joined is no change.
pub async fn is_changed_since(
    db: &mut impl Read,
    id: MembershipId,
    since: Moment,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM memberships WHERE id = $1 AND updated_at > created_at AND updated_at >= $2";
    Ok(db.one(sql, params![id, since]).await?.is_some())
}

/// Since when it is a tombstone, if it is one.
pub async fn removed_at(db: &mut impl Read, id: MembershipId) -> Result<Option<Moment>, StoreError> {
    let row = db.one("SELECT removed_at FROM memberships WHERE id = $1", params![id]).await?;
    row.map_or(Ok(None), |row| row.get(0))
}

/// Notes that somebody acts for the organization.
pub async fn acts(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    user: UserId,
    now: Moment,
) -> Result<(), StoreError> {
    let sql = "UPDATE memberships SET last_active_at = $3
               WHERE organization_id = $1 AND user_id = $2 AND (last_active_at IS NULL OR last_active_at < $3)";
    tx.execute(sql, params![organization, user, now]).await?;
    Ok(())
}

/// Keeps the index of who holds which role.
async fn index_roles(tx: &mut Tx<'_>, membership: &Membership) -> Result<(), StoreError> {
    for role in &membership.roles {
        let sql = "INSERT INTO membership_roles (organization_id, role, membership_id) VALUES ($1, $2, $3)
                   ON CONFLICT DO NOTHING";
        tx.execute(sql, params![membership.organization_id, role, membership.id]).await?;
    }
    Ok(())
}

/// A membership given to an address whose owner has not come yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub organization_id: OrganizationId,
    pub email: Email,
    pub kind: MembershipKind,
    pub roles: Vec<String>,
    pub used_by: Option<UserId>,
}

fn expected(row: &Row) -> Result<Expected, StoreError> {
    Ok(Expected {
        organization_id: row.get(0)?,
        email: parsed(row, 1, |text| Email::parse(text).ok())?,
        kind: parsed(row, 2, MembershipKind::from_word)?,
        roles: json(row, 3)?,
        used_by: row.get(4)?,
    })
}

pub async fn expected_of(
    db: &mut impl Read,
    organization: OrganizationId,
    email: &Email,
) -> Result<Option<Expected>, StoreError> {
    let sql = "SELECT organization_id, email, kind, roles, used_by FROM expected_members
               WHERE organization_id = $1 AND email = $2";
    db.one(sql, params![organization, email.as_str()]).await?.as_ref().map(expected).transpose()
}

/// A place that waits for its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub email: Email,
    pub roles: Vec<String>,
    pub created_at: Moment,
}

/// Some of the places that wait in an organization, in the order of the addresses.
pub async fn waiting(
    db: &mut impl Read,
    organization: OrganizationId,
    after: &str,
    most: u32,
) -> Result<Vec<Waiting>, StoreError> {
    let sql = "SELECT email, roles, created_at FROM expected_members
               WHERE organization_id = $1 AND used_at IS NULL AND email > $2 ORDER BY email LIMIT $3";
    let waiting = |row: &Row| {
        let email = parsed(row, 0, |text| Email::parse(text).ok())?;
        Ok(Waiting { email, roles: json(row, 1)?, created_at: row.get(2)? })
    };
    db.all(sql, params![organization, after, most]).await?.iter().map(waiting).collect()
}

/// Writes down whom to expect; one who has come already is not expected again.
pub async fn expect(
    tx: &mut Tx<'_>,
    project: ProjectId,
    expected: &Expected,
    now: Moment,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO expected_members (organization_id, project_id, email, domain, kind, roles, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (organization_id, email)
         DO UPDATE SET kind = excluded.kind, roles = excluded.roles, created_at = excluded.created_at
         WHERE expected_members.used_at IS NULL",
        params![
            expected.organization_id,
            project,
            expected.email.as_str(),
            expected.email.domain().as_str(),
            expected.kind.word(),
            to_json(&expected.roles),
            now
        ],
    )
    .await?;
    Ok(())
}

/// Takes, once, every place that waits for this proved address: of the organization `own`, and of others those that
/// were kept for it at `since` or later. Each with when it was kept.
pub async fn take_expected(
    tx: &mut Tx<'_>,
    project: ProjectId,
    email: &Email,
    user: UserId,
    own: Option<OrganizationId>,
    since: Moment,
    now: Moment,
) -> Result<Vec<(Expected, Moment)>, StoreError> {
    let sql = "UPDATE expected_members SET used_at = $3, used_by = $4
               WHERE project_id = $1 AND email = $2 AND used_at IS NULL
                 AND (created_at >= $5 OR organization_id = $6)
               RETURNING organization_id, email, kind, roles, used_by, created_at";
    let rows = tx.all(sql, params![project, email.as_str(), now, user, since, own]).await?;
    rows.iter().map(|row| Ok((expected(row)?, row.get(5)?))).collect()
}

/// Takes a place for who is in already: it gives them nothing when they come again.
pub async fn take_place(
    tx: &mut Tx<'_>,
    (organization, email): (OrganizationId, &Email),
    user: UserId,
    now: Moment,
) -> Result<(), StoreError> {
    let sql = "UPDATE expected_members SET used_at = $3, used_by = $4
               WHERE organization_id = $1 AND email = $2 AND used_at IS NULL";
    tx.execute(sql, params![organization, email.as_str(), now, user]).await?;
    Ok(())
}
