//! What a connection gives to whoever comes by it for the first time: roles, and organizations that they join beside
//! its own.

use std::collections::BTreeMap;

use crate::foundation::id::{OrganizationId, ProjectId};
use crate::join::auto::may_be_given;
use crate::manage::authority::{may_grant, may_let_in};
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::{Connection, Jit, Settings};
use crate::model::project::MembershipMode;
use crate::model::role;
use crate::protocol::problem::Place;
use crate::store::durable::engine::{Read, StoreError};
use crate::store::durable::{organizations, roles};

/// Whether the roles that new settings give are there, and the caller's to give; `known`: what they take the place of.
pub async fn fits(
    change: &mut Change<'_, '_>,
    of: Option<OrganizationId>,
    known: Option<&Settings>,
    new: &Settings,
) -> Result<(), Refused> {
    may_come(change, of, known, new).await?;
    may_be_joined(change, of, known, new).await
}

/// Whether the caller answers for who becomes a member by these settings as soon as they are live.
pub async fn lets_in(
    change: &mut Change<'_, '_>,
    before: &Connection,
    next: &Settings,
) -> Result<(), Refused> {
    let live = &before.settings;
    // By another provider's word others come.
    let joins_so = before.is_active()
        && live.believes_like(next)
        && live.jit == Jit::CreateAndJoin
        && next.default_roles.iter().all(|name| live.default_roles.contains(name));
    if next.jit != Jit::CreateAndJoin || joins_so {
        return Ok(());
    }
    let of = before.organization_id;
    let custom = custom(change, of).await?;
    // A role that is no more gives nothing.
    let named = next.default_roles.iter().map(String::as_str);
    let known = named.filter(|name| role::built_in(name).is_some() || custom.contains_key(*name));
    let given = known.chain([role::MEMBER]);
    may_let_in(&change.standing, of, given, &custom, change.keep.now).map_err(|code| {
        let detail =
            "whoever comes would become a member, whom only they let in who may add members of these roles";
        Refused::at(code, Place::Pointer("/jit".into()), detail)
    })
}

/// The further roles of an organization, or those that every one has.
async fn custom(
    change: &mut Change<'_, '_>,
    of: Option<OrganizationId>,
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let project = change.keep.project.id;
    match of {
        Some(of) => roles::permissions(change.tx, project, of).await,
        None => roles::own(change.tx, project, None).await,
    }
}

/// Roles alone.
pub async fn may_come(
    change: &mut Change<'_, '_>,
    of: Option<OrganizationId>,
    known: Option<&Settings>,
    new: &Settings,
) -> Result<(), Refused> {
    let custom = custom(change, of).await?;
    for (place, name) in new.default_roles.iter().enumerate() {
        if known.is_none_or(|known| !known.default_roles.contains(name)) {
            may_come_as(change, &format!("/default_roles/{place}"), name, &custom)?;
        }
    }
    Ok(())
}

/// Organizations that are joined beside the connection's own must be there to be joined, by the roles that are given in
/// each. In an exclusive project nobody joins a second one.
async fn may_be_joined(
    change: &mut Change<'_, '_>,
    of: Option<OrganizationId>,
    known: Option<&Settings>,
    new: &Settings,
) -> Result<(), Refused> {
    let (project, assigned) = (&change.keep.project, &new.assign_organizations);
    let stays = known.is_some_and(|known| {
        known.assign_organizations == *assigned && known.default_roles == new.default_roles
    });
    if stays {
        return Ok(());
    }
    let only = of.or(assigned.first().copied());
    let is_exclusive = project.settings.membership_mode == MembershipMode::Exclusive;
    for (place, id) in assigned.iter().enumerate() {
        let wrong = |why: &str| Err(Refused::value(&format!("/assign_organizations/{place}"), why));
        if assigned[..place].contains(id) {
            return wrong("is named twice");
        }
        if is_exclusive && Some(*id) != only {
            return wrong("cannot be joined as well: in this project people belong to one organization");
        }
        let found = organizations::by_id(change.tx, project.id, *id).await?;
        if !found.is_some_and(|found| found.is_active()) {
            return wrong("is not active: nobody can join it");
        }
        let roles = roles::permissions(change.tx, project.id, *id).await?;
        let unknown = |name: &&String| role::built_in(name).is_none() && !roles.contains_key(*name);
        if let Some(name) = new.default_roles.iter().find(unknown) {
            return wrong(&format!("has no role {name}, which whoever comes would be given there"));
        }
    }
    Ok(())
}

/// Nobody whom a provider sends for the first time is given what administers an organization, or more than who says so
/// may give (threats H01).
fn may_come_as(
    change: &Change<'_, '_>,
    pointer: &str,
    role: &str,
    custom: &BTreeMap<String, Vec<String>>,
) -> Result<(), Refused> {
    let at = |code: Code| Refused::at(code, Place::Pointer(pointer.into()), code.title());
    if role::built_in(role).is_none() && !custom.contains_key(role) {
        return Err(at(Code::RoleUnknown));
    }
    if !may_be_given(role, custom) {
        return Err(at(Code::RoleNotAllowed));
    }
    may_grant(&change.standing, role, custom, change.keep.now).map_err(at)
}

/// The organizations of these names, for the operator.
pub async fn assigned(
    db: &mut impl Read,
    project: ProjectId,
    names: &[String],
) -> Result<Vec<OrganizationId>, Refused> {
    let mut ids = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let found = organizations::named(db, project, name).await?.filter(|found| found.deleted_at.is_none());
        let pointer = format!("/assign_organizations/{place}");
        let found = found.ok_or_else(|| Refused::value(&pointer, "there is no such organization"))?;
        ids.push(found.id);
    }
    Ok(ids)
}
