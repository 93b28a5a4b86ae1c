//! Deactivated and reactivated, deleted and restored. Nothing that was issued is touched: the epoch that it carries is
//! over, so that a hundred thousand tokens die with one row (threats H03).

use std::time::Duration;

use serde_json::json;

use super::view;
use crate::foundation::id::OrganizationId;
use crate::join::{notices, sign_out};
use crate::manage::desk::Change;
use crate::manage::last_way::Guests;
use crate::manage::publishers;
use crate::manage::refused::{Code, Refused};
use crate::model::domain::DomainState;
use crate::model::mail::Kind;
use crate::model::organization::Organization;
use crate::model::sign_out::Ended;
use crate::store::durable::{
    api_keys, applications, connections, delegations, domains, invitations, organizations, transfers,
};

/// Deactivates or reactivates it, if that is wanted and not so already. The organization is locked. `forced`: also where
/// owners of others, who come by its connections, could not sign in any more.
pub(super) async fn wanted(
    change: &mut Change<'_, '_>,
    before: Organization,
    off: Option<bool>,
    forced: bool,
) -> Result<Organization, Refused> {
    let Some(off) = off.filter(|off| *off == before.deactivated_at.is_none()) else { return Ok(before) };
    let now = change.keep.now;
    let guests = if off { Guests::of(change, before.id).await? } else { Guests::default() };
    let (after, action) = if off {
        (before.deactivated(now), "organization.deactivated")
    } else {
        (before.reactivated(now), "organization.reactivated")
    };
    organizations::update(change.tx, &after).await?;
    if off {
        sign_out::ended(change.tx, change.keep, Ended::Organization(after.id)).await?;
    }
    told(change, action, &after, (!off, off)).await?;
    publishers::settle(change, after.id).await?;
    guests.stay(change, forced).await?;
    Ok(after)
}

/// Deletes it for as long as `grace` lasts. Its domains are free for others at once; what is not bound to its epoch is
/// switched off by hand. `forced`: as for [`wanted`].
pub(super) async fn delete(
    change: &mut Change<'_, '_>,
    before: Organization,
    grace: Duration,
    forced: bool,
) -> Result<Organization, Refused> {
    let (id, now) = (before.id, change.keep.now);
    let guests = Guests::of(change, id).await?;
    let after = before.deleted(now, grace);
    organizations::update(change.tx, &after).await?;
    tell_owners(change, &after).await?;
    sign_out::ended(change.tx, change.keep, Ended::Organization(id)).await?;
    free_domains(change, id).await?;
    let connections = connections::disable_all(change.tx, id, now).await?;
    let applications = applications::disable_all(change.tx, id, now).await?;
    let keys = api_keys::revoke_all(change.tx, id, now).await?;
    let delegations = delegations::revoke_all(change.tx, id, now).await?;
    let invitations = invitations::revoke_all(change.tx, id, &change.keep.actor.to_string(), now).await?;
    transfers::cancel(change.tx, id, now).await?;
    let event = change
        .keep
        .event("organization.deleted", id)
        .subject(id)
        .changing(Some(json!({"deleted": false})), Some(json!({"deleted": true})))
        .with("slug", after.slug.as_str())
        .with("purge_at", after.purge_at.map(|at| at.rfc3339()))
        .with("connections", connections)
        .with("applications", applications)
        .with("api_keys", keys)
        .with("delegations", delegations)
        .with("invitations", invitations);
    change.record(&event).await?;
    publishers::settle(change, id).await?;
    guests.stay(change, forced).await?;
    Ok(after)
}

/// Whoever did it: while it can be undone, those who own it know that it is to be.
async fn tell_owners(change: &mut Change<'_, '_>, after: &Organization) -> Result<(), Refused> {
    let Some(purge) = after.purge_at else { return Ok(()) };
    let (keep, day) = (change.keep, purge.rfc3339());
    let day = day.split('T').next().unwrap_or_default();
    Ok(notices::owners(change.tx, keep, after.id, Kind::OrganizationDeleted, day).await?)
}

async fn free_domains(change: &mut Change<'_, '_>, id: OrganizationId) -> Result<(), Refused> {
    let now = change.keep.now;
    for mut domain in domains::of_organization(change.tx, id).await? {
        if domain.state == DomainState::Removed {
            continue;
        }
        domain.state = DomainState::Removed;
        (domain.routing_since, domain.trust_since, domain.auto_join_since) = (None, None, None);
        domain.updated_at = now;
        domains::update(change.tx, &domain).await?;
        domains::set_connections(change.tx, domain.id, &[]).await?;
        let event = change.keep.event("organization.domain.removed", id).subject(domain.id);
        change.record(&event.with("domain", domain.name.as_str())).await?;
    }
    Ok(())
}

/// Brings it back as it is now: its people and roles, and nothing that was switched off with it.
pub(super) async fn restore(
    change: &mut Change<'_, '_>,
    id: OrganizationId,
) -> Result<Organization, Refused> {
    let found = organizations::by_id(change.tx, change.keep.project.id, id).await?;
    let before = found.ok_or_else(Refused::hidden)?;
    if before.deleted_at.is_none() {
        return Err(Refused::new(Code::NotDeleted, Code::NotDeleted.title()));
    }
    change.matches(&view::tag(&before))?;
    // What is left of it is being forgotten, or has been.
    if before.purge_at.is_none_or(|purge| purge <= change.keep.now) {
        return Err(Refused::hidden());
    }
    let after = before.restored(change.keep.now);
    organizations::update(change.tx, &after).await?;
    told(change, "organization.restored", &after, (false, true)).await?;
    publishers::settle(change, id).await?;
    Ok(after)
}

async fn told(
    change: &mut Change<'_, '_>,
    action: &'static str,
    after: &Organization,
    (was, is): (bool, bool),
) -> Result<(), Refused> {
    let shown = |active: bool| Some(json!({ "active": active }));
    let event = change.keep.event(action, after.id).subject(after.id).changing(shown(was), shown(is));
    change.record(&event.with("epoch", after.epoch)).await
}
