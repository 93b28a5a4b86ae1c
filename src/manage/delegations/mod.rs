//! Delegations: one organization proposes, both approve, either pauses or revokes (demands 4.5).

pub mod api;
mod body;
mod stated;
mod view;

use super::authority::{Standing, may_grant};
use super::desk::Change;
use super::refused::{Code, Refused};
use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::{DelegationId, OrganizationId};
use crate::join::{notices, sign_out};
use crate::model::delegation::{Asked, Delegation, DelegationSettings, DelegationStatus, Side};
use crate::model::mail::Kind;
use crate::model::organization::Organization;
use crate::model::project::Project;
use crate::model::role;
use crate::model::sign_out::Ended;
use crate::protocol::problem::Place;
use crate::store::durable::engine::Lock;
use crate::store::durable::{delegations, grants, organizations, roles};

pub use body::Terms;
use body::Wanted;
pub use stated::{Stated, state};

/// Whether somebody may be told that an organization is there to agree with: it is active, and delegations are a thing
/// that it may do at all.
fn is_open(project: &Project, organization: &Organization) -> bool {
    let functions = organization.functional_roles.as_deref();
    let may = role::may_delegate(functions, &project.settings.functional_roles);
    organization.is_active() && organization.deleted_at.is_none() && may
}

/// The organization on the other side. The operator is told that there is none; to anybody else, one that is unknown,
/// deactivated or may not do this is as one that does not answer: what they propose is kept, and reaches nobody.
async fn other(change: &mut Change<'_, '_>, name: &str) -> Result<OrganizationId, Refused> {
    let (keep, project) = (change.keep, &change.keep.project);
    let found = organizations::named(change.tx, project.id, name).await?;
    match found.filter(|found| is_open(project, found)) {
        Some(found) => Ok(found.id),
        None if matches!(change.standing, Standing::Operator(_)) => Err(Refused::hidden()),
        None => Ok(OrganizationId::new(&keep.random, keep.now)),
    }
}

/// How an organization names the other one, if it is to learn nothing else of it: an id in its one form, so that who
/// proposes twice is told so, whoever it is.
fn asked(change: &Change<'_, '_>, own: OrganizationId, wanted: &Wanted) -> Option<Asked> {
    if matches!(change.standing, Standing::Operator(_)) {
        return None;
    }
    let id = wanted.other.parse::<OrganizationId>();
    let name = id.map_or_else(|_| wanted.other.clone(), |id| id.to_string());
    Some(Asked { by: own, side: wanted.side, name })
}

/// Proposes one from an organization, which thereby approves it.
async fn propose(
    change: &mut Change<'_, '_>,
    own: OrganizationId,
    wanted: &Wanted,
) -> Result<Delegation, Refused> {
    let with = other(change, &wanted.other).await?;
    if with == own {
        return Err(Refused::new(Code::InvalidValue, "an organization needs no delegation to itself"));
    }
    let between = if wanted.side == Side::Home { (own, with) } else { (with, own) };
    let asked = asked(change, own, wanted);
    let settings = DelegationSettings { proposed_by: Some(wanted.side), asked, ..Default::default() };
    begin(change, between, settings, (&wanted.terms, &[wanted.side])).await
}

/// Writes a new one from `home` to `target`, approved by these sides.
async fn begin(
    change: &mut Change<'_, '_>,
    (home, target): (OrganizationId, OrganizationId),
    settings: DelegationSettings,
    (terms, approved_by): (&Terms, &[Side]),
) -> Result<Delegation, Refused> {
    let keep = change.keep;
    let mut delegation = Delegation {
        id: DelegationId::new(&keep.random, keep.now),
        project_id: keep.project.id,
        home,
        target,
        settings,
        starts_at: None,
        ends_at: None,
        home_approved_at: None,
        target_approved_at: None,
        paused_at: None,
        revoked_at: None,
    };
    terms.over(&mut delegation, keep.now)?;
    for side in approved_by {
        approved(change, &mut delegation, *side).await?;
    }
    // Who was faster is told by the index; one that is revoked stands in nobody's way.
    delegations::insert(change.tx, &delegation, change.keep.now).await?;
    record(change, "delegation.created", None, &delegation).await?;
    Ok(delegation)
}

/// Approves it for a side. What people may do in the target, the target gives.
async fn approved(
    change: &mut Change<'_, '_>,
    delegation: &mut Delegation,
    side: Side,
) -> Result<(), Refused> {
    if side == Side::Target {
        refuse_roles(change, delegation.target, &delegation.settings.roles).await?;
    }
    delegation.set_approved_at(side, Some(change.keep.now));
    // Who answers is there.
    delegation.settings.asked.take_if(|asked| asked.side != side);
    Ok(())
}

/// Nobody in the target gives more than they may themselves (threats H01).
async fn refuse_roles(
    change: &mut Change<'_, '_>,
    target: OrganizationId,
    names: &[String],
) -> Result<(), Refused> {
    let custom = roles::permissions(change.tx, change.keep.project.id, target).await?;
    for (place, name) in names.iter().enumerate() {
        may_grant(&change.standing, name, &custom, change.keep.now).map_err(|code| {
            let detail = match code {
                Code::ReauthenticationRequired => return Refused::ceiling(code, ""),
                Code::RoleUnknown => format!("there is no role {name}"),
                code => code.title().to_lowercase(),
            };
            Refused::at(code, Place::Pointer(format!("/roles/{place}")), detail)
        })?;
    }
    Ok(())
}

/// One as it is in this transaction; what is revoked is so for good.
async fn held(change: &mut Change<'_, '_>, id: DelegationId) -> Result<Delegation, Refused> {
    change.tx.lock(Lock::Exclusive, "delegations", &id.to_string()).await?;
    let found = delegations::by_id(change.tx, change.keep.project.id, id).await?;
    let found = found.ok_or_else(Refused::hidden)?;
    match found.revoked_at {
        Some(_) => Err(Refused::new(Code::DelegationRevoked, "propose another one")),
        None => Ok(found),
    }
}

/// For which side somebody acts: their organization's, and nobody's but that; the operator says it.
fn side(standing: &Standing, delegation: &Delegation, said: Option<Side>) -> Result<Side, Refused> {
    let own = match standing {
        Standing::Within { organization: Some(id), .. } => delegation.side(*id),
        _ => None,
    };
    match (own, said, standing) {
        (Some(own), None, _) => Ok(own),
        (Some(own), Some(said), _) if own == said => Ok(own),
        (Some(_), Some(_), _) => Err(Refused::value("/side", "is not your organization's")),
        (None, Some(said), Standing::Operator(_)) => Ok(said),
        (None, None, Standing::Operator(_)) => Err(Refused::value("/side", "says for which side you act")),
        (None, ..) => Err(Refused::hidden()),
    }
}

async fn approve(
    change: &mut Change<'_, '_>,
    id: DelegationId,
    said: Option<Side>,
) -> Result<Delegation, Refused> {
    let before = held(change, id).await?;
    change.matches(&view::tag(&before))?;
    let side = side(&change.standing, &before, said)?;
    if before.approved_at(side).is_some() {
        return Err(Refused::new(Code::AlreadyApproved, Code::AlreadyApproved.title()));
    }
    // Who proposed it may have changed it since it was read.
    change.has_read(&view::tag(&before))?;
    let mut after = before.clone();
    approved(change, &mut after, side).await?;
    keep(change, "delegation.approved", &before, &after).await?;
    Ok(after)
}

async fn pause(
    change: &mut Change<'_, '_>,
    id: DelegationId,
    said: Option<Side>,
) -> Result<Delegation, Refused> {
    let before = held(change, id).await?;
    change.matches(&view::tag(&before))?;
    let side = side(&change.standing, &before, said)?;
    let mut after = before.clone();
    if !after.settings.paused_by.contains(&side) {
        after.settings.paused_by.push(side);
    }
    after.paused_at = after.paused_at.or(Some(change.keep.now));
    keep(change, "delegation.paused", &before, &after).await?;
    Ok(after)
}

/// Ends a side's own pause; while the other side pauses, it stays paused.
async fn resume(
    change: &mut Change<'_, '_>,
    id: DelegationId,
    said: Option<Side>,
) -> Result<Delegation, Refused> {
    let before = held(change, id).await?;
    change.matches(&view::tag(&before))?;
    let side = side(&change.standing, &before, said)?;
    let mut after = before.clone();
    after.settings.paused_by.retain(|by| *by != side);
    let is_nobodys = before.settings.paused_by.is_empty() && before.paused_at.is_some();
    if is_nobodys && !matches!(change.standing, Standing::Operator(_)) {
        return Err(Refused::new(Code::PausedByOther, "the operator paused it"));
    }
    if before.paused_at.is_some() && !is_nobodys && !before.settings.paused_by.contains(&side) {
        return Err(Refused::new(Code::PausedByOther, Code::PausedByOther.title()));
    }
    if after.settings.paused_by.is_empty() {
        after.paused_at = None;
    }
    // What people have again is given as it was at first.
    if side == Side::Target && after != before {
        refuse_roles(change, before.target, &before.settings.roles).await?;
    }
    keep(change, "delegation.resumed", &before, &after).await?;
    Ok(after)
}

/// Ends it for good, and what was issued by it.
async fn revoke(
    change: &mut Change<'_, '_>,
    id: DelegationId,
    said: Option<Side>,
) -> Result<Delegation, Refused> {
    let before = held(change, id).await?;
    change.matches(&view::tag(&before))?;
    side(&change.standing, &before, said)?;
    let after = Delegation { revoked_at: Some(change.keep.now), ..before.clone() };
    grants::revoke_of_delegation(change.tx, id, change.keep.now).await?;
    sign_out::ended(change.tx, change.keep, Ended::Delegation(id)).await?;
    keep(change, "delegation.revoked", &before, &after).await?;
    Ok(after)
}

/// Changes what was proposed, by who proposed it: the other side has not approved that.
async fn update(
    change: &mut Change<'_, '_>,
    id: DelegationId,
    said: Option<Side>,
    terms: &Terms,
) -> Result<Delegation, Refused> {
    let before = held(change, id).await?;
    change.matches(&view::tag(&before))?;
    let side = side(&change.standing, &before, said)?;
    let may =
        before.settings.proposed_by.map_or(matches!(change.standing, Standing::Operator(_)), |by| by == side);
    if !may {
        return Err(Refused::new(Code::PermissionMissing, "who proposed it changes it; pause or revoke it"));
    }
    let mut after = before.clone();
    terms.over(&mut after, change.keep.now)?;
    if after == before {
        return Ok(after);
    }
    approved(change, &mut after, side).await?;
    after.set_approved_at(side.other(), None);
    keep(change, "delegation.updated", &before, &after).await?;
    Ok(after)
}

/// What owners are written of it; nothing, where nobody could act by it before, nor can now.
fn notice(before: &Delegation, after: &Delegation, now: Moment) -> Option<Kind> {
    use DelegationStatus::{Active, Expired, Paused, Proposed, Revoked, Scheduled};
    let terms = |it: &Delegation| {
        let DelegationSettings { roles, require_mfa, only, .. } = it.settings.clone();
        (roles, require_mfa, only, it.starts_at, it.ends_at)
    };
    match (before.status(now), after.status(now)) {
        (Proposed | Expired, Revoked) => None,
        (_, Revoked) => Some(Kind::DelegationRevoked),
        (Proposed | Expired, Active | Scheduled) => Some(Kind::DelegationActive),
        (Active | Scheduled, Active | Scheduled) if terms(before) != terms(after) => {
            Some(Kind::DelegationActive)
        }
        (Active | Scheduled, Paused) => Some(Kind::DelegationPaused),
        (Paused, Active | Scheduled) => Some(Kind::DelegationResumed),
        (Active | Scheduled | Paused, Proposed) => Some(Kind::DelegationChanged),
        _ => None,
    }
}

/// Writes what differs, and tells both of it, their owners by mail. Where nothing differs, nothing happens.
async fn keep(
    change: &mut Change<'_, '_>,
    action: &'static str,
    before: &Delegation,
    after: &Delegation,
) -> Result<(), Refused> {
    if before == after {
        return Ok(());
    }
    delegations::update(change.tx, after, change.keep.now).await?;
    record(change, action, Some(before), after).await?;
    match notice(before, after, change.keep.now) {
        Some(kind) => {
            Ok(notices::delegation(change.tx, change.keep, (after.home, after.target), kind).await?)
        }
        None => Ok(()),
    }
}

/// Both find it in their own trail.
async fn record(
    change: &mut Change<'_, '_>,
    action: &'static str,
    before: Option<&Delegation>,
    after: &Delegation,
) -> Result<(), Refused> {
    let (was, is) = match before {
        Some(before) => {
            let (was, is) = audit::differing(&view::facts(before), &view::facts(after));
            (Some(was), is)
        }
        None => (None, view::facts(after)),
    };
    for organization in [after.home, after.target] {
        if organizations::by_id(change.tx, change.keep.project.id, organization).await?.is_none() {
            continue;
        }
        // In its own trail an organization learns no more of the other one than from the answer.
        let asked = after.settings.asked.as_ref().filter(|asked| asked.by == organization);
        let told = |side: Side, id: OrganizationId| match asked {
            Some(asked) if asked.side != side => asked.name.clone(),
            _ => id.to_string(),
        };
        let event = change.keep.event(action, organization).subject(after.id);
        let event = event.with("home", told(Side::Home, after.home));
        let event = event.with("target", told(Side::Target, after.target));
        change.record(&event.changing(was.clone(), Some(is.clone()))).await?;
    }
    Ok(())
}
