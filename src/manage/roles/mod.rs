//! Custom roles: what a name lets somebody do. Applications see permissions, so that a role may be called anything
//! (S1-RO4).

pub mod api;
mod body;
mod view;

use std::collections::BTreeSet;

use serde_json::json;

use super::authority::{Standing, may_contain, may_rewrite};
use super::desk::Change;
use super::last_way::{LastWay, all_stay};
use super::refused::{Code, Refused};
use crate::audit;
use crate::foundation::id::{OrganizationId, RoleId};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::policy::Switch;
use crate::model::role::{self, Role, RoleScope};
use crate::store::durable::engine::Lock;
use crate::store::durable::roles::GivenBy;
use crate::store::durable::{memberships, organizations, projects, roles, user_roles};

/// Roles of its own that an organization has at most: every token reads them.
const MOST: usize = 100;

/// A role that is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub scope: RoleScope,
    pub name: String,
    pub display_name: Option<String>,
    pub permissions: Vec<String>,
}

pub async fn create(
    change: &mut Change<'_, '_>,
    organization: Option<OrganizationId>,
    wanted: &Wanted,
) -> Result<Role, Refused> {
    if role::built_in(&wanted.name).is_some() {
        return Err(Refused::new(Code::RoleExists, "every organization has a role of this name"));
    }
    refuse_disabled(change, organization).await?;
    refuse_above(change, &wanted.permissions)?;
    let (keep, project) = (change.keep, change.keep.project.id);
    refuse_taken(change, organization, wanted).await?;
    if roles::own(change.tx, project, organization).await?.len() >= MOST {
        return Err(Refused::new(
            Code::LimitReached,
            format!("there are {MOST} roles: that is all there may be"),
        ));
    }
    let role = Role {
        id: RoleId::new(&keep.random, keep.now),
        organization,
        scope: wanted.scope,
        name: wanted.name.clone(),
        display_name: wanted.display_name.clone().unwrap_or_else(|| wanted.name.clone()),
        permissions: wanted.permissions.clone(),
        created_at: keep.now,
        updated_at: keep.now,
    };
    roles::insert(change.tx, project, &role).await?;
    told(change, "role.created", &role, None, Some(json!(view::facts(&role)))).await?;
    Ok(role)
}

/// One name is one role, wherever it is given: none takes the place of another, and none is given by what was said of one
/// that is no more (threats H01).
async fn refuse_taken(
    change: &mut Change<'_, '_>,
    organization: Option<OrganizationId>,
    wanted: &Wanted,
) -> Result<(), Refused> {
    let (project, name) = (change.keep.project.id, wanted.name.as_str());
    if roles::is_taken(change.tx, project, (organization, wanted.scope), name).await? {
        return Err(Refused::new(Code::RoleExists, Code::RoleExists.title()));
    }
    if wanted.scope == RoleScope::Organization {
        let is_given = roles::given_by(change.tx, project, organization, name).await?.is_some();
        if is_given || roles::in_use(change.tx, project, organization, name).await? {
            let detail = "one of this name is gone, and still referred to: take it from there first";
            return Err(Refused::new(Code::RoleInUse, detail));
        }
    }
    Ok(())
}

/// Another name for people, or other permissions. A rule that waited for an owner's approval may give it from then on.
pub async fn update(
    change: &mut Change<'_, '_>,
    before: &Role,
    display_name: Option<String>,
    permissions: Option<Vec<String>>,
    forced: bool,
) -> Result<Role, Refused> {
    let mut after = before.clone();
    after.display_name = display_name.unwrap_or(after.display_name);
    after.permissions = permissions.unwrap_or(after.permissions);
    if after == *before {
        return Ok(after);
    }
    refuse_disabled(change, before.organization).await?;
    refuse_beyond(change, before)?;
    let known: BTreeSet<_> = before.permissions.iter().collect();
    let added: Vec<_> = after.permissions.iter().filter(|one| !known.contains(one)).cloned().collect();
    refuse_above(change, &added)?;
    refuse_own(change, before, &added).await?;
    after.updated_at = change.keep.now;
    let ways = match (after.organization, after.scope) {
        (Some(organization), _) => vec![LastWay::before(change, organization).await?],
        (None, RoleScope::Organization) => LastWay::before_everywhere(change).await?,
        // No rule gives it, and no policy names it.
        (None, RoleScope::Project) => Vec::new(),
    };
    roles::update(change.tx, &after).await?;
    let (was, is) = audit::differing(&view::facts(before), &view::facts(&after));
    told(change, "role.updated", &after, Some(was), Some(is)).await?;
    all_stay(change, &ways, forced).await?;
    Ok(after)
}

/// A role that somebody has is deleted only where that is said, and taken from them with it: whoever makes another one of
/// this name gives it to nobody by that.
async fn delete(change: &mut Change<'_, '_>, role: &Role, forced: bool) -> Result<(), Refused> {
    refuse_beyond(change, role)?;
    let (project, now) = (change.keep.project.id, change.keep.now);
    // Whoever is giving it to somebody is done with that, or finds that it is gone.
    change.tx.lock(Lock::Exclusive, "roles", &role.id.to_string()).await?;
    let in_use = |detail: &str| Err(Refused::new(Code::RoleInUse, detail));
    let mut taken = None;
    if role.scope == RoleScope::Organization {
        match roles::given_by(change.tx, project, role.organization, &role.name).await? {
            Some(GivenBy::Delegation) => return in_use("a delegation gives it: change that first"),
            Some(GivenBy::Connection) => return in_use("a connection gives it: change that first"),
            Some(GivenBy::AutoJoin) => {
                return in_use("whoever joins by a domain is given it: change that first");
            }
            Some(GivenBy::Policy) => return in_use("a sign-in policy names it: change that first"),
            None => {}
        }
        let held = roles::in_use(change.tx, project, role.organization, &role.name).await?;
        match held {
            true if !forced => {
                return in_use("somebody has this role, or is to have it; force=true takes it from them");
            }
            true if !roles::is_plain(&role.name) => return in_use("take it from whoever has it first"),
            true => {
                let places = roles::take_away(change.tx, project, role.organization, &role.name, now).await?;
                taken = Some(places);
            }
            false => {}
        }
    }
    let event = event_of(change, "role.deleted", role).changing(Some(json!(view::facts(role))), None);
    let event = match role.scope {
        RoleScope::Organization => event,
        RoleScope::Project if !forced && user_roles::is_held(change.tx, role.id).await? => {
            return in_use("somebody has this role; force=true takes it from them");
        }
        RoleScope::Project => event.with("users", user_roles::take_away(change.tx, role.id).await?),
    };
    roles::delete(change.tx, role.id).await?;
    let event = match taken {
        Some(taken) => event
            .with("memberships", taken.memberships)
            .with("expected_members", taken.expected)
            .with("invitations", taken.invitations)
            .with("role_rules", taken.rules),
        None => event,
    };
    change.record(&event).await
}

/// Nobody puts more into a role than they may themselves (threats H01).
fn refuse_above(change: &Change<'_, '_>, permissions: &[String]) -> Result<(), Refused> {
    may_contain(&change.standing, permissions).map_err(|code| Refused::new(code, code.title()))
}

/// What somebody has by a rule alone counts as long as their provider says so: they do not put it into what they hold, nor
/// does a key of theirs (threats H01).
async fn refuse_own(change: &mut Change<'_, '_>, role: &Role, added: &[String]) -> Result<(), Refused> {
    let owns = matches!(change.standing, Standing::Within { is_owner: true, .. });
    let Some(organization) = role.organization.filter(|_| !owns && !added.is_empty()) else { return Ok(()) };
    let custom = roles::permissions(change.tx, change.keep.project.id, organization).await?;
    for person in change.persons().await? {
        let Some(member) = memberships::find(change.tx, organization, person).await? else { continue };
        let held = role::granted(&member.roles, &custom);
        if member.roles.contains(&role.name) && !added.iter().all(|one| held.contains(one)) {
            let detail =
                "you hold the role, and have by a rule alone what you put into it: an owner does that";
            return Err(Refused::new(Code::RoleCeiling, detail));
        }
    }
    Ok(())
}

/// Nobody takes away what they could not give.
fn refuse_beyond(change: &Change<'_, '_>, role: &Role) -> Result<(), Refused> {
    let told = |code| Refused::new(code, "the role may more than you may");
    may_rewrite(&change.standing, &role.permissions).map_err(told)
}

/// Project and organization must both want roles of an organization's own (S3-29).
async fn refuse_disabled(
    change: &mut Change<'_, '_>,
    organization: Option<OrganizationId>,
) -> Result<(), Refused> {
    let Some(id) = organization else { return Ok(()) };
    let project = projects::by_id(change.tx, change.keep.project.id).await?.ok_or_else(Refused::hidden)?;
    let found = organizations::by_id(change.tx, project.id, id).await?.ok_or_else(Refused::hidden)?;
    if !project.settings.switches.effective(&found.policy.switches, Switch::CustomRolesEnabled) {
        return Err(Refused::new(Code::CustomRolesDisabled, Code::CustomRolesDisabled.title()));
    }
    Ok(())
}

async fn told(
    change: &mut Change<'_, '_>,
    action: &'static str,
    role: &Role,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> Result<(), Refused> {
    let event = event_of(change, action, role).changing(before, after);
    change.record(&event).await
}

fn event_of(change: &Change<'_, '_>, action: &'static str, role: &Role) -> AuditEvent {
    AuditEvent::new(change.keep.project.id, action, Outcome::Changed)
        .organization(role.organization)
        .actor(change.keep.actor)
        .subject(role.id)
        .request(change.keep.request)
        .with("name", role.name.as_str())
}
