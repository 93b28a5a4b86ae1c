//! What somebody is in the whole project: whether they sign in at all, and what they are where they act for nobody.

use std::collections::BTreeSet;

use serde_json::json;

use super::body;
use crate::foundation::id::UserId;
use crate::join::owners;
use crate::manage::desk::Change;
use crate::manage::last_way::LastWay;
use crate::manage::refused::{Code, Refused};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::store::durable::engine::Lock;
use crate::store::durable::{memberships, roles, user_roles, users};

/// Lets a user sign in nowhere any more; others who own what they own come in as before.
pub(super) async fn disable(change: &mut Change<'_, '_>, user: UserId, forced: bool) -> Result<(), Refused> {
    let mut ways = Vec::new();
    for organization in memberships::owned_by(change.tx, user).await? {
        change.tx.lock(Lock::Exclusive, "organizations", &organization.to_string()).await?;
        ways.push(LastWay::before(change, organization).await?);
    }
    owners::disable(change.tx, change.keep, user).await?;
    record_user(change, "user.disabled", user, true).await?;
    for last_way in ways {
        last_way.stays(change, forced).await?;
    }
    Ok(())
}

pub(super) async fn enable(change: &mut Change<'_, '_>, user: UserId) -> Result<(), Refused> {
    users::disable(change.tx, user, None, change.keep.now).await?;
    record_user(change, "user.enabled", user, false).await
}

/// Makes these what somebody is where they act for no organization: roles of the project, which no organization gives
/// (S1-O3, S1-W5).
pub(super) async fn give(
    change: &mut Change<'_, '_>,
    user: UserId,
    wanted: &[String],
) -> Result<(), Refused> {
    let wanted: BTreeSet<_> = wanted.iter().collect();
    if wanted.len() > body::MOST_ROLES {
        return Err(Refused::value("/roles", format!("must be at most {}", body::MOST_ROLES)));
    }
    // Of two who give at once the second sees what the first has given.
    change.tx.lock(Lock::Exclusive, "users", &user.to_string()).await?;
    let before: Vec<_> = user_roles::of(change.tx, user).await?.into_keys().collect();
    if before.iter().eq(wanted.iter().copied()) {
        return Ok(());
    }
    let mut held = Vec::new();
    for name in &wanted {
        held.push(roles::hold_of_project(change.tx, change.keep.project.id, name).await?.ok_or_else(
            || Refused::new(Code::RoleUnknown, "there is no role of scope project of this name"),
        )?);
    }
    user_roles::put(change.tx, user, &held).await?;
    let event = AuditEvent::new(change.keep.project.id, "user.roles_changed", Outcome::Changed)
        .actor(change.keep.actor)
        .request(change.keep.request)
        .subject(user)
        .changing(Some(json!({ "roles": before })), Some(json!({ "roles": wanted })));
    change.record(&event).await
}

/// In the project's trail, and in that of every organization that loses a member by it, or has one again.
async fn record_user(
    change: &mut Change<'_, '_>,
    action: &'static str,
    user: UserId,
    disabled: bool,
) -> Result<(), Refused> {
    let view = |disabled: bool| Some(json!({ "disabled": disabled }));
    let event = AuditEvent::new(change.keep.project.id, action, Outcome::Changed)
        .actor(change.keep.actor)
        .request(change.keep.request)
        .subject(user)
        .changing(view(!disabled), view(disabled));
    change.record(&event).await?;
    for organization in memberships::places_of(change.tx, user).await? {
        change.record(&event.clone().organization(Some(organization))).await?;
    }
    Ok(())
}
