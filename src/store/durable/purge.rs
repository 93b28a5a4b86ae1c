//! Forgetting what is left of deleted organizations, in steps that are short enough for logins to go on between them.

use super::engine::{Lock, Read, StoreError, Tx, params};
use super::organizations;
use crate::foundation::clock::Moment;
use crate::foundation::id::{MembershipId, OrganizationId, ProjectId, UserId};
use crate::model::organization::{Organization, Policy};

/// Rows of one step.
const STEP: i64 = 500;

/// Those whose time has come.
pub async fn due(db: &mut impl Read, now: Moment) -> Result<Vec<(ProjectId, OrganizationId)>, StoreError> {
    let sql = "SELECT project_id, id FROM organizations
               WHERE purge_at IS NOT NULL AND purge_at <= $1 ORDER BY purge_at LIMIT 100";
    db.all(sql, params![now]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The organization, locked, if it is still to be forgotten.
pub async fn locked(
    tx: &mut Tx<'_>,
    project: ProjectId,
    id: OrganizationId,
    now: Moment,
) -> Result<Option<Organization>, StoreError> {
    tx.lock(Lock::Exclusive, "organizations", &id.to_string()).await?;
    let found = organizations::by_id(tx, project, id).await?;
    let over = |found: &Organization| found.purge_at.is_some_and(|purge| purge <= now);
    Ok(found.filter(|found| found.deleted_at.is_some() && over(found)))
}

/// Forgets some memberships, and whom they were of; nobody when there are no more.
pub async fn members(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<Vec<UserId>, StoreError> {
    let sql = "SELECT id, user_id FROM memberships WHERE organization_id = $1 ORDER BY id LIMIT $2";
    let mut users = Vec::new();
    for row in tx.all(sql, params![organization, STEP]).await? {
        let id: MembershipId = row.get(0)?;
        tx.execute("DELETE FROM membership_roles WHERE membership_id = $1", params![id]).await?;
        tx.execute("DELETE FROM memberships WHERE id = $1", params![id]).await?;
        users.push(row.get(1)?);
    }
    Ok(users)
}

/// Forgets who a person was. What their id names stays: the audit trail tells of it.
pub async fn person(tx: &mut Tx<'_>, user: UserId, now: Moment) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET email = NULL, email_verified_at = NULL, email_claim = NULL, profile = '{}', updated_at = $2,
                          disabled_at = COALESCE(disabled_at, $2)
         WHERE id = $1",
        params![user, now],
    )
    .await?;
    tx.execute("UPDATE identities SET email = NULL, facts = '{}' WHERE user_id = $1", params![user]).await?;
    tx.execute("DELETE FROM user_terms WHERE user_id = $1", params![user]).await?;
    tx.execute("DELETE FROM consents WHERE user_id = $1", params![user]).await?;
    Ok(())
}

/// Forgets the rest. Its id and its slugs stay, so that nobody else is ever given them.
pub async fn rest(tx: &mut Tx<'_>, organization: &Organization) -> Result<(), StoreError> {
    let id = organization.id;
    for sql in [
        "DELETE FROM expected_members WHERE organization_id = $1",
        "DELETE FROM invitations WHERE organization_id = $1",
        "DELETE FROM ownership_transfers WHERE organization_id = $1",
        "DELETE FROM mails WHERE organization_id = $1",
        "DELETE FROM session_applications WHERE acts_for = $1 AND acts_for <> ''",
        "DELETE FROM session_applications WHERE home_id = $1 AND home_id <> ''",
        "DELETE FROM logout_notices WHERE organization_id = $1",
        "DELETE FROM role_rules WHERE organization_id = $1",
        "DELETE FROM roles WHERE organization_id = $1",
        "DELETE FROM application_organizations WHERE organization_id = $1",
        "DELETE FROM api_key_secrets WHERE api_key_id IN (SELECT id FROM api_keys WHERE organization_id = $1)",
        "DELETE FROM connection_tests WHERE organization_id = $1",
        "DELETE FROM connection_run_failures
         WHERE connection_id IN (SELECT id FROM connections WHERE organization_id = $1)",
        "DELETE FROM break_glass WHERE organization_id = $1",
        "DELETE FROM application_secrets WHERE application_id IN (SELECT id FROM applications WHERE organization_id = $1)",
        "DELETE FROM application_origins WHERE application_id IN (SELECT id FROM applications WHERE organization_id = $1)",
        "DELETE FROM consents WHERE application_id IN (SELECT id FROM applications WHERE organization_id = $1)",
        "UPDATE connections SET secret = NULL WHERE organization_id = $1",
        "UPDATE connection_versions SET secret = NULL
         WHERE connection_id IN (SELECT id FROM connections WHERE organization_id = $1)",
    ] {
        tx.execute(sql, params![id]).await?;
    }
    let bare = Organization {
        display_name: organization.slug.clone(),
        kind: None,
        description: None,
        logo_uri: None,
        functional_roles: None,
        policy: Policy::default(),
        purge_at: None,
        ..organization.clone()
    };
    organizations::update(tx, &bare).await
}
