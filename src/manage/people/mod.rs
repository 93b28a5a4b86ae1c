//! People: who is a member, as what, and who owns an organization. What is decided here is decided for every door.

mod accounts;
mod adding;
pub mod api;
mod body;
mod csv;
mod expected;
mod kind;
mod transfer;
mod view;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::authority::{OWNERS_FRESH, Standing, is_fresh, may_grant, may_touch};
use super::desk::Change;
use super::last_way::LastWay;
use super::refused::{Code, Refused};
use crate::audit;
use crate::foundation::id::{OrganizationId, UserId};
use crate::join::owners::{self, NotChanged};
use crate::model::audit_event::{Actor, AuditEvent};
use crate::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use crate::model::role;
use crate::store::durable::engine::{Read, StoreError};
use crate::store::durable::people::{self, Member};
use crate::store::durable::{memberships, role_rules, roles};

use accounts::{disable, enable, give};
use adding::add;
pub use adding::{Adding, Named};
pub use body::{AskedRoles, kind_of};
pub use expected::expect;

impl From<NotChanged> for Refused {
    fn from(why: NotChanged) -> Self {
        match why {
            NotChanged::LastOwner(id) => {
                let detail =
                    format!("{id} would be left without an active owner: make somebody else one first");
                Self::new(Code::LastOwner, detail)
            }
            NotChanged::Store(error) => error.into(),
        }
    }
}

/// THE check of roles that somebody gives (threats H01): each exists, and none may more than the giver.
pub async fn refuse_roles(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    wanted: &[String],
) -> Result<(), Refused> {
    let custom = custom(change, organization).await?;
    let told = |code: Code| Refused::ceiling(code, code.title());
    let now = change.keep.now;
    wanted.iter().try_for_each(|name| may_grant(&change.standing, name, &custom, now)).map_err(told)
}

async fn custom(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    roles::permissions(change.tx, change.keep.project.id, organization).await
}

/// Somebody's membership, if it is the caller's to change; who was removed is none.
pub async fn touchable(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    user: UserId,
) -> Result<Membership, Refused> {
    let before = present(change, organization, user).await?;
    refuse_by_consent(change, user)?;
    let custom = custom(change, organization).await?;
    let told = |code: Code| Refused::ceiling(code, "they may change more here than you may");
    // What they are by a provider's word ranks them as well.
    let (project, now) = (change.keep.project.id, change.keep.now);
    let by_rule = role_rules::held_by(change.tx, project, organization, (user, now), &custom).await?;
    let roles = [before.roles.as_slice(), &by_rule].concat();
    may_touch(&change.standing, &roles, &custom, now).map_err(told)?;
    Ok(before)
}

/// The membership of who goes by themselves. An owner gives something away by that.
async fn leaving(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    user: UserId,
) -> Result<Membership, Refused> {
    let before = present(change, organization, user).await?;
    refuse_by_consent(change, user)?;
    let owns = before.roles.iter().any(|name| name == role::OWNER);
    if owns && !is_fresh(&change.standing, OWNERS_FRESH, change.keep.now) {
        return Err(Refused::stale(OWNERS_FRESH));
    }
    Ok(before)
}

/// What somebody is here is theirs to give up, and no application's that they had to allow (threats C22).
fn refuse_by_consent(change: &Change<'_, '_>, user: UserId) -> Result<(), Refused> {
    let is_by_consent = matches!(change.standing, Standing::Within { is_by_consent: true, .. });
    match is_by_consent && change.keep.actor == Actor::User(user) {
        true => Err(Refused::new(Code::BeyondConsent, "it does nothing to their own place here")),
        false => Ok(()),
    }
}

async fn present(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    user: UserId,
) -> Result<Membership, Refused> {
    let found = memberships::locked(change.tx, organization, user).await?;
    found.filter(|found| found.status != MembershipStatus::Removed).ok_or_else(Refused::hidden)
}

/// Gives other roles (S1-R09): what they have already is not given.
pub async fn give_roles(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    user: UserId,
    (wanted, forced): (&[String], bool),
) -> Result<Member, Refused> {
    let before = touchable(change, organization, user).await?;
    let kept = known(change, organization, &before).await?;
    let given: Vec<_> = wanted.iter().filter(|name| !kept.contains(name)).cloned().collect();
    refuse_roles(change, organization, &given).await?;
    refuse_own(change, user, &given).await?;
    change.matches(&view::tag_of(&before))?;
    let after = Membership { roles: wanted.to_vec(), ..before.clone() };
    put(change, "organization.member.role_changed", (&before, &after), forced).await?;
    shown(change, organization, user).await
}

/// What somebody has by a rule counts as long as their provider says so: they do not make it their own (threats H01).
async fn refuse_own(change: &mut Change<'_, '_>, user: UserId, given: &[String]) -> Result<(), Refused> {
    let owns = matches!(change.standing, Standing::Within { is_owner: true, .. });
    match given.is_empty() || owns || !change.persons().await?.contains(&user) {
        true => Ok(()),
        false => Err(Refused::new(Code::RoleCeiling, "nobody but an owner gives themselves a role")),
    }
}

/// What else may change of a membership.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patched {
    pub status: Option<MembershipStatus>,
    pub kind: Option<MembershipKind>,
}

pub async fn patch(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    user: UserId,
    (wanted, forced): (Patched, bool),
) -> Result<Member, Refused> {
    let before = touchable(change, organization, user).await?;
    change.matches(&view::tag_of(&before))?;
    let status = wanted.status.unwrap_or(before.status);
    let roles = known(change, organization, &before).await?;
    // Whoever comes back to life comes back with their roles: to do that is to give them.
    if status == MembershipStatus::Active && before.status != status {
        refuse_roles(change, organization, &roles).await?;
    }
    let kind = wanted.kind.unwrap_or(before.kind);
    kind::refuse(change, &before, (kind, &roles)).await?;
    let after = Membership { status, kind, ..before.clone() };
    let action = match status {
        status if status == before.status => "organization.member.updated",
        MembershipStatus::Suspended => "organization.member.suspended",
        MembershipStatus::Blocked => "organization.member.blocked",
        _ => "organization.member.activated",
    };
    put(change, action, (&before, &after), forced).await?;
    shown(change, organization, user).await
}

/// Those of somebody's roles that there still are.
async fn known(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    of: &Membership,
) -> Result<Vec<String>, StoreError> {
    let custom = custom(change, organization).await?;
    let exists = |name: &&String| role::built_in(name).is_some() || custom.contains_key(*name);
    Ok(of.roles.iter().filter(exists).cloned().collect())
}

/// How somebody goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    /// By themselves.
    Leaving,
    Removed {
        force: bool,
    },
}

/// Ends a membership: a tombstone stays, and nothing issued for it lives on (S1-R08, threats H05).
pub async fn remove(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    user: UserId,
    going: Going,
) -> Result<(), Refused> {
    let before = match going {
        Going::Leaving => leaving(change, organization, user).await?,
        Going::Removed { .. } => touchable(change, organization, user).await?,
    };
    change.matches(&view::tag_of(&before))?;
    if before.source == MembershipSource::Scim && going != (Going::Removed { force: true }) {
        let detail = "remove them there, or say force: the directory may add them again";
        return Err(Refused::new(Code::ManagedByDirectory, detail));
    }
    let after = Membership { status: MembershipStatus::Removed, ..before.clone() };
    let action = match going {
        Going::Leaving => "organization.member.left",
        Going::Removed { .. } => "organization.member.removed",
    };
    put(change, action, (&before, &after), going == (Going::Removed { force: true })).await
}

/// Writes what differs, with the event that tells of it. Where nothing differs, nothing happens; where somebody who owns
/// it is concerned, others who own it come in as before.
async fn put(
    change: &mut Change<'_, '_>,
    action: &'static str,
    (before, after): (&Membership, &Membership),
    forced: bool,
) -> Result<(), Refused> {
    if before == after {
        return Ok(());
    }
    if !owns(before) {
        return written(change, action, before, after).await;
    }
    let last_way = LastWay::before(change, before.organization_id).await?;
    written(change, action, before, after).await?;
    last_way.stays(change, forced).await
}

fn owns(one: &Membership) -> bool {
    one.status == MembershipStatus::Active && one.roles.iter().any(|name| name == role::OWNER)
}

async fn written(
    change: &mut Change<'_, '_>,
    action: &'static str,
    before: &Membership,
    after: &Membership,
) -> Result<(), Refused> {
    owners::change(change.tx, change.keep, after).await?;
    let event = change.keep.event(action, after.organization_id).subject(after.user_id);
    record(change, event, before, after).await
}

async fn record(
    change: &mut Change<'_, '_>,
    event: AuditEvent,
    before: &Membership,
    after: &Membership,
) -> Result<(), Refused> {
    let facts = |one: &Membership| -> Value {
        json!({"roles": one.roles, "kind": one.kind, "status": one.status, "source": one.source})
    };
    let (was, is) = audit::differing(&facts(before), &facts(after));
    change.record(&event.changing(Some(was), Some(is))).await
}

async fn shown(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    user: UserId,
) -> Result<Member, Refused> {
    one(change.tx, organization, user).await
}

/// A member who was not removed.
pub async fn one(db: &mut impl Read, organization: OrganizationId, user: UserId) -> Result<Member, Refused> {
    let found = people::one(db, organization, user).await?;
    found.filter(|found| found.membership.status != MembershipStatus::Removed).ok_or_else(Refused::hidden)
}
