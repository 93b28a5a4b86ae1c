//! Who joins by their address alone: what an organization may say of that.

use std::collections::BTreeMap;

use crate::foundation::clock::Moment;
use crate::foundation::id::OrganizationId;
use crate::join::auto::may_be_given;
use crate::manage::authority::{may_grant, may_let_in};
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::domain::{AutoJoin, Domain};
use crate::model::role;
use crate::protocol::problem::Place;
use crate::store::durable::roles;

/// What is wanted of it. What is absent stays as it is; an inner `None` clears.
#[derive(Clone, Debug, Default)]
pub struct AutoJoinWanted {
    pub enabled: Option<bool>,
    pub role: Option<Option<String>>,
    pub exclude: Option<Vec<String>>,
    pub cap_per_hour: Option<Option<u32>>,
}

/// Rewrites the rule. Turning it on again ends a pause, and the hour begins anew.
pub(super) fn rewrite(before: &Domain, after: &mut Domain, wanted: &AutoJoinWanted, now: Moment) {
    let old = &before.auto_join;
    let resumes = resumes(old, wanted);
    after.auto_join = AutoJoin {
        role: wanted.role.clone().unwrap_or_else(|| old.role.clone()),
        exclude: wanted.exclude.clone().unwrap_or_else(|| old.exclude.clone()),
        cap_per_hour: wanted.cap_per_hour.unwrap_or(old.cap_per_hour),
        paused_at: old.paused_at.filter(|_| !resumes && after.auto_join_since.is_some()),
    };
    if resumes {
        after.auto_join_since = Some(now);
    }
}

fn resumes(old: &AutoJoin, wanted: &AutoJoinWanted) -> bool {
    wanted.enabled == Some(true) && old.paused_at.is_some()
}

fn is_turned_on(before: &Domain, after: &Domain, wanted: &AutoJoinWanted) -> bool {
    let was_on = before.auto_join_since.is_some() && !resumes(&before.auto_join, wanted);
    after.auto_join_since.is_some() && !was_on
}

/// Whether people join by it who did not, or as something else, now or once it is turned on.
pub(super) fn gives_more(before: &Domain, after: &Domain, wanted: &AutoJoinWanted) -> bool {
    let (old, new) = (&before.auto_join, &after.auto_join);
    is_turned_on(before, after, wanted)
        || (new.role.is_some() && new.role != old.role)
        || lets_in_more(old, new)
}

/// Refuses a rule by which people would join as what nobody gives unasked, or not the caller.
pub(super) async fn refuse_ceiling(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    (before, after): (&Domain, &Domain),
    wanted: &AutoJoinWanted,
) -> Result<(), Refused> {
    let (is_on, is_turned_on) = (after.auto_join_since.is_some(), is_turned_on(before, after, wanted));
    let widens = || lets_in_more(&before.auto_join, &after.auto_join);
    let lets_in = is_turned_on || (is_on && (wanted.role.is_some() || widens()));
    match &after.auto_join.role {
        None if is_on && (is_turned_on || wanted.role.is_some()) => {
            Err(Refused::value("/auto_join/role", "say as what people join"))
        }
        Some(role) if lets_in || wanted.role.is_some() => {
            let custom = roles::permissions(change.tx, change.keep.project.id, organization).await?;
            fits(change, lets_in.then_some(organization), role, &custom)
        }
        _ => Ok(()),
    }
}

/// Whether somebody could join who could not before.
fn lets_in_more(old: &AutoJoin, new: &AutoJoin) -> bool {
    new.cap() > old.cap() || old.exclude.iter().any(|pattern| !new.exclude.contains(pattern))
}

/// Nobody is given, unasked, what administers the organization (S1-D5), or more than who says so may give (threats H01).
/// `joins`: where people do join so.
fn fits(
    change: &Change<'_, '_>,
    joins: Option<OrganizationId>,
    role: &str,
    custom: &BTreeMap<String, Vec<String>>,
) -> Result<(), Refused> {
    let at = |code: Code, rule: &str| Refused::at(code, Place::Pointer("/auto_join/role".into()), rule);
    if role::built_in(role).is_none() && !custom.contains_key(role) {
        return Err(at(Code::RoleUnknown, "there is no such role"));
    }
    if !may_be_given(role, custom) {
        return Err(at(Code::RoleNotAllowed, "it would let people administer the organization"));
    }
    let (actor, now) = (&change.standing, change.keep.now);
    let may = match joins {
        Some(_) => may_let_in(actor, joins, [role], custom, now),
        None => may_grant(actor, role, custom, now),
    };
    may.map_err(|code| at(code, code.title()))
}
