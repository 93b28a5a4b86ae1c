//! A delegation as the operator's file states it: the operator speaks for both sides, and for neither where one of them has
//! said no.

use super::body::Terms;
use super::{approved, begin, keep, refuse_roles, revoke};
use crate::foundation::id::OrganizationId;
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::delegation::{Delegation, DelegationSettings, Side};
use crate::store::durable::delegations;
use crate::store::durable::engine::Lock;

/// All of it: what is not said here is not so.
#[derive(Clone, Debug)]
pub struct Stated {
    pub terms: Terms,
    pub approved_by: Vec<Side>,
    pub paused: bool,
    pub revoked: bool,
}

/// What was, and what is. Nothing, where there is none and none is wanted.
type Settled = Option<(Option<Delegation>, Delegation)>;

/// Makes the delegation from `home` to `target` what is stated, by as many changes as there are differences. What was
/// revoked stays so, and a side's own pause is that side's to end: a file undoes by stealth what an organization has done.
pub async fn state(
    change: &mut Change<'_, '_>,
    (home, target): (OrganizationId, OrganizationId),
    stated: &Stated,
) -> Result<Settled, Refused> {
    if home == target {
        return Err(Refused::new(Code::InvalidValue, "an organization needs no delegation to itself"));
    }
    // In one order, whoever else comes from which side.
    for id in [home.min(target), home.max(target)] {
        change.tx.lock(Lock::Exclusive, "organizations", &id.to_string()).await?;
    }
    let before = delegations::between(change.tx, home, target).await?;
    let begun = match &before {
        None if stated.revoked => return Ok(None),
        None => {
            // Whoever approves it: the operator knows what roles there are.
            refuse_roles(change, target, stated.terms.roles.as_deref().unwrap_or_default()).await?;
            let (terms, first) = (&stated.terms, &stated.approved_by[..stated.approved_by.len().min(1)]);
            let nobodys = DelegationSettings::default();
            let begun = begin(change, (home, target), nobodys, (terms, first)).await?;
            approvals(change, begun, &stated.approved_by).await?
        }
        Some(before) if before.revoked_at.is_some() => {
            return Ok(Some((Some(before.clone()), before.clone())));
        }
        Some(before) => {
            change.tx.lock(Lock::Exclusive, "delegations", &before.id.to_string()).await?;
            let found = delegations::by_id(change.tx, change.keep.project.id, before.id).await?;
            let after = agreed(change, found.ok_or(Refused::Conflict)?, stated).await?;
            approvals(change, after, &stated.approved_by).await?
        }
    };
    let after = pauses(change, begun, stated.paused).await?;
    match stated.revoked {
        true => revoke(change, after.id, Some(Side::Target)).await.map(|after| Some((before, after))),
        false => Ok(Some((before, after))),
    }
}

/// Other terms are approved by whoever the file says has approved them: what was approved before was something else.
async fn agreed(
    change: &mut Change<'_, '_>,
    before: Delegation,
    stated: &Stated,
) -> Result<Delegation, Refused> {
    let mut after = before.clone();
    stated.terms.over(&mut after, change.keep.now)?;
    if after == before {
        return Ok(after);
    }
    refuse_roles(change, after.target, &after.settings.roles).await?;
    for side in [Side::Home, Side::Target] {
        match stated.approved_by.contains(&side) {
            true => approved(change, &mut after, side).await?,
            false => after.set_approved_at(side, None),
        }
    }
    keep(change, "delegation.updated", &before, &after).await?;
    Ok(after)
}

async fn approvals(
    change: &mut Change<'_, '_>,
    before: Delegation,
    wanted: &[Side],
) -> Result<Delegation, Refused> {
    let (mut given, mut after) = (before.clone(), before.clone());
    for side in [Side::Home, Side::Target] {
        match (wanted.contains(&side), before.approved_at(side).is_some()) {
            (true, false) => approved(change, &mut given, side).await?,
            (false, true) => after.set_approved_at(side, None),
            _ => {}
        }
    }
    keep(change, "delegation.approved", &before, &given).await?;
    for side in [Side::Home, Side::Target] {
        if wanted.contains(&side) {
            after.set_approved_at(side, given.approved_at(side));
        }
    }
    keep(change, "delegation.approval_withdrawn", &given, &after).await?;
    Ok(after)
}

/// A pause of the operator's is nobody's.
async fn pauses(
    change: &mut Change<'_, '_>,
    before: Delegation,
    wanted: bool,
) -> Result<Delegation, Refused> {
    let mut after = before.clone();
    let action = match (wanted, before.paused_at.is_some()) {
        (true, false) => {
            after.paused_at = Some(change.keep.now);
            "delegation.paused"
        }
        (false, true) if before.settings.paused_by.is_empty() => {
            after.paused_at = None;
            "delegation.resumed"
        }
        _ => return Ok(before),
    };
    keep(change, action, &before, &after).await?;
    Ok(after)
}
