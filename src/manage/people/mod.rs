//! People: who is a member, as what, and who owns an organization. What is decided here is decided for every door.

pub mod api;
mod body;
mod csv;
mod expected;
mod kind;
mod transfer;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::authority::{OWNERS_FRESH, Standing, is_fresh, may_grant, may_touch};
use super::desk::Change;
use super::last_way::LastWay;
use super::refused::{Code, Refused};
use crate::audit;
use crate::foundation::email::Email;
use crate::foundation::id::{OrganizationId, UserId};
use crate::join::owners::{self, NotChanged};
use crate::join::{self, Joined, Joining};
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use crate::model::project::MembershipMode;
use crate::model::role;
use crate::store::durable::engine::{Lock, Read, StoreError};
use crate::store::durable::people::{self, Member};
use crate::store::durable::{domains, memberships, role_rules, roles, user_roles, users};

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

/// Whom to add, as they are named.
#[derive(Clone, Debug)]
pub enum Named {
    User(UserId),
    /// Of an address that the organization's own verified domain has proved.
    Email(Email),
}

/// Who is to be a member, and as what.
#[derive(Clone, Debug)]
pub struct Adding {
    pub who: Named,
    pub roles: Vec<String>,
    pub kind: Option<MembershipKind>,
    /// Whether somebody who was removed may come back.
    pub restore: bool,
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

/// Adds a member (S1-R07, S2-35).
async fn add(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    adding: &Adding,
) -> Result<Member, Refused> {
    refuse_roles(change, organization, &adding.roles).await?;
    let user = found(change, organization, &adding.who).await?;
    let exclusive = change.keep.project.settings.membership_mode == MembershipMode::Exclusive;
    let kind = adding.kind.unwrap_or(if exclusive { MembershipKind::Home } else { MembershipKind::Member });
    let (source, roles) = (MembershipSource::Manual, &adding.roles);
    let joining = Joining { user, organization, kind, source, roles };
    match join::join(change.tx, change.keep, &joining).await? {
        Joined::Now(_) => {}
        Joined::Elsewhere => {
            return Err(Refused::new(Code::MembershipExclusive, Code::MembershipExclusive.title()));
        }
        Joined::Already(before) => restore(change, adding, before, kind).await?,
    }
    shown(change, organization, user).await
}

/// Who was removed comes back only where that is said.
async fn restore(
    change: &mut Change<'_, '_>,
    adding: &Adding,
    before: Membership,
    kind: MembershipKind,
) -> Result<(), Refused> {
    match before.status {
        MembershipStatus::Removed if adding.restore => {}
        MembershipStatus::Removed => {
            return Err(Refused::new(
                Code::MembershipBlocked,
                "they were removed; say restore to add them again",
            ));
        }
        _ => return Err(Refused::new(Code::AlreadyMember, Code::AlreadyMember.title())),
    }
    kind::refuse(change, &before, (kind, &adding.roles)).await?;
    let (status, source) = (MembershipStatus::Active, MembershipSource::Manual);
    let after = Membership { status, source, kind, roles: adding.roles.clone(), ..before.clone() };
    owners::change(change.tx, change.keep, &after).await?;
    let event = change.keep.event("organization.member.added", after.organization_id);
    let event = event.subject(after.user_id).with("source", source.word()).with("restored", true);
    record(change, event, &before, &after).await
}

/// The user, if they are within reach: of the organization's own, or for the operator anybody of the project.
async fn found(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    who: &Named,
) -> Result<UserId, Refused> {
    let is_operator = matches!(change.standing, Standing::Operator(_));
    let project = change.keep.project.id;
    let nobody = || Refused::new(Code::UserNotFound, "invite them, if they have not been here yet");
    match who {
        Named::Email(email) => {
            let domain = domains::held(change.tx, project, email.domain()).await?;
            let domain = domain.filter(|domain| is_operator || domain.organization_id == organization);
            let domain = domain.ok_or_else(nobody)?;
            people::of_claim(change.tx, project, domain.id, email).await?.ok_or_else(nobody)
        }
        Named::User(id) => {
            let user = users::by_id(change.tx, project, *id).await?.ok_or_else(nobody)?;
            let is_known = is_operator || memberships::find(change.tx, organization, *id).await?.is_some();
            let email = user.proved_email().cloned();
            match email {
                _ if is_known => Ok(*id),
                Some(email) => match domains::held(change.tx, project, email.domain()).await? {
                    Some(domain) if domain.organization_id == organization => {
                        let of_claim = people::of_claim(change.tx, project, domain.id, &email).await?;
                        of_claim.filter(|proved| proved == id).ok_or_else(nobody)
                    }
                    _ => Err(nobody()),
                },
                None => Err(nobody()),
            }
        }
    }
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

/// Lets a user sign in nowhere any more; others who own what they own come in as before.
async fn disable(change: &mut Change<'_, '_>, user: UserId, forced: bool) -> Result<(), Refused> {
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

async fn enable(change: &mut Change<'_, '_>, user: UserId) -> Result<(), Refused> {
    users::disable(change.tx, user, None, change.keep.now).await?;
    record_user(change, "user.enabled", user, false).await
}

/// Makes these what somebody is where they act for no organization: roles of the project, which no organization gives
/// (S1-O3, S1-W5).
async fn give(change: &mut Change<'_, '_>, user: UserId, wanted: &[String]) -> Result<(), Refused> {
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
