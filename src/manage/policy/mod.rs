//! How an organization lets people sign in: stored, told with the project's half, and refused where there is nothing
//! behind it.

pub mod api;
mod body;
mod gate;
mod view;

use super::authority::may_grant;
use super::desk::{self, Change};
use super::last_way::{LastWay, all_stay};
use super::refused::{Code, Refused};
use crate::audit;
use crate::foundation::id::OrganizationId;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::organization::{DelegationAcceptance, Enforcement, Organization, Policy};
use crate::model::permission::Permission;
use crate::model::policy::{MemberList, Switch, Switches};
use crate::model::project::{Organizations, Project, ProjectSettings};
use crate::model::readiness::Missing;
use crate::model::role;
use crate::store::durable::{delegations, organizations, projects, roles};

pub use body::{Turned, hosted_domain};

/// What is wanted of a policy. What is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub turned: Turned,
    pub enforcement: Option<Enforcement>,
    pub require_mfa: Option<bool>,
    pub mfa_required_for: Option<Vec<String>>,
    /// An inner `None`: of any age.
    pub max_age: Option<Option<u64>>,
    pub delegations: Option<DelegationAcceptance>,
    pub google_hosted_domains: Option<Vec<String>>,
    pub microsoft_tenant_ids: Option<Vec<String>>,
    pub member_list: Option<MemberList>,
    pub device_sign_in: Option<bool>,
}

impl Wanted {
    fn over(&self, before: &Policy) -> Policy {
        let (new, old) = (self.clone(), before.clone());
        let mut switches = old.switches;
        new.turned.iter().for_each(|(switch, on)| switches.set(*switch, *on));
        Policy {
            switches,
            enforcement: new.enforcement.unwrap_or(old.enforcement),
            require_mfa: new.require_mfa.unwrap_or(old.require_mfa),
            mfa_required_for: new.mfa_required_for.unwrap_or(old.mfa_required_for),
            max_age: new.max_age.unwrap_or(old.max_age),
            delegations: new.delegations.unwrap_or(old.delegations),
            google_hosted_domains: new.google_hosted_domains.unwrap_or(old.google_hosted_domains),
            microsoft_tenant_ids: new.microsoft_tenant_ids.unwrap_or(old.microsoft_tenant_ids),
            member_list: new.member_list.unwrap_or(old.member_list),
            device_sign_in: new.device_sign_in.unwrap_or(old.device_sign_in),
        }
    }
}

/// Nothing is switched on that there is not: it would only pretend (S3-21 to S3-28).
fn refuse_unavailable(turned: &Turned) -> Result<(), Refused> {
    let on = turned.iter().filter(|(switch, on)| *on == Some(true) && !switch.is_available());
    let mut missing = on.map(|(switch, _)| (format!("/{switch}"), "there is no such method yet".to_owned()));
    match missing.next() {
        Some(first) => Err(Refused::listing(Code::MethodNotAvailable, std::iter::once(first).chain(missing))),
        None => Ok(()),
    }
}

/// Whether it wants a second factor where nobody could ever show one: that comes with the proof of another provider, or
/// not at all (S3-27).
fn is_impossible(policy: &Policy, project: &Switches) -> bool {
    let wants = policy.require_mfa || !policy.mfa_required_for.is_empty();
    wants && !Switch::UPSTREAM.iter().any(|switch| project.effective(&policy.switches, *switch))
}

fn refuse_impossible(policy: &Policy, project: &Switches) -> Result<(), Refused> {
    if is_impossible(policy, project) {
        let pointer = if policy.require_mfa { "/require_mfa" } else { "/mfa_required_for" };
        let detail = "no method is on that could tell of a second factor".to_owned();
        return Err(Refused::listing(Code::MfaImpossible, [(pointer.to_owned(), detail)]));
    }
    Ok(())
}

/// Writes what differs. `forced`: the operator's word, whatever is missing for enforcement.
pub async fn change(
    change: &mut Change<'_, '_>,
    before: Organization,
    wanted: &Wanted,
    forced: bool,
) -> Result<Organization, Refused> {
    refuse_unavailable(&wanted.turned)?;
    let policy = wanted.over(&before.policy);
    if policy == before.policy {
        return Ok(before);
    }
    // As the project is in this transaction, and not when the request came in.
    let project = projects::by_id(change.tx, change.keep.project.id).await?.ok_or_else(Refused::hidden)?;
    refuse_impossible(&policy, &project.settings.switches)?;
    refuse_unknown(change, before.id, wanted).await?;
    if policy.delegations != before.policy.delegations {
        // Whose people act for the organization is said by who may make delegations.
        let besides = desk::Wanted::besides(Permission::DelegationsWrite, before.id);
        besides.of(&change.standing, change.keep.now)?;
        refuse_ceiling(change, &before, &policy.delegations).await?;
    }
    let enforces =
        policy.enforcement == Enforcement::Required && before.policy.enforcement == Enforcement::Off;
    let missing = match enforces {
        true => gate::missing(change.tx, before.id, &policy, &project, change.keep.now).await?,
        false => Vec::new(),
    };
    if !missing.is_empty() && !forced {
        let told =
            |what: &Missing| ("/enforcement".to_owned(), format!("{}: {}", what.word(), what.advice()));
        let words: Vec<_> = missing.iter().map(|what| what.word()).collect();
        let refused = Refused::listing(Code::EnforcementNotReady, missing.iter().map(told));
        return Err(refused.with("missing", words));
    }
    let missing: Vec<_> = missing.into_iter().map(Missing::word).collect();
    let last_way = LastWay::before(change, before.id).await?;
    let after = Organization { policy, updated_at: change.keep.now, ..before.clone() };
    organizations::update(change.tx, &after).await?;
    let locked_out = last_way.missing(change).await?;
    if !locked_out.is_empty() && !forced {
        return Err(last_way.refused(change, locked_out).await?);
    }
    let (was, is) = audit::differing(&view::facts(&before.policy), &view::facts(&after.policy));
    let mut event = change.keep.event("organization.policy_changed", before.id).subject(before.id);
    if !missing.is_empty() {
        event = event.with("forced_without", missing);
    }
    if !locked_out.is_empty() {
        event = event.with("locks_out", locked_out);
    }
    change.record(&event.changing(Some(was), Some(is))).await?;
    Ok(after)
}

/// Whoever lets a delegation count gives what it gives (threats H01).
async fn refuse_ceiling(
    change: &mut Change<'_, '_>,
    before: &Organization,
    after: &DelegationAcceptance,
) -> Result<(), Refused> {
    let custom = roles::permissions(change.tx, change.keep.project.id, before.id).await?;
    for one in delegations::agreed_to(change.tx, before.id, change.keep.now).await? {
        let counts_anew = after.accepts(one.id) && !before.policy.delegations.accepts(one.id);
        for name in one.settings.roles.iter().filter(|_| counts_anew) {
            match may_grant(&change.standing, name, &custom, change.keep.now) {
                // A role that is no more gives nothing.
                Ok(()) | Err(Code::RoleUnknown) => {}
                Err(code) => {
                    let detail = format!("people of another organization would be {name} by it");
                    return Err(Refused::ceiling(code, detail));
                }
            }
        }
    }
    Ok(())
}

/// Roles and delegations that a policy names are the organization's.
async fn refuse_unknown(
    change: &mut Change<'_, '_>,
    id: OrganizationId,
    wanted: &Wanted,
) -> Result<(), Refused> {
    let project = change.keep.project.id;
    if let Some(names) = &wanted.mfa_required_for {
        let custom = roles::permissions(change.tx, project, id).await?;
        for (place, name) in names.iter().enumerate() {
            if role::built_in(name).is_none() && !custom.contains_key(name) {
                let at = (format!("/mfa_required_for/{place}"), format!("there is no role {name}"));
                return Err(Refused::listing(Code::RoleUnknown, [at]));
            }
        }
    }
    if let Some(DelegationAcceptance::Only(ids)) = &wanted.delegations {
        for (place, delegation) in ids.iter().enumerate() {
            let found = delegations::by_id(change.tx, project, *delegation).await?;
            if found.is_none_or(|found| found.target != id) {
                let pointer = format!("/delegations/only/{place}");
                return Err(Refused::value(&pointer, "is no delegation to this organization"));
            }
        }
    }
    Ok(())
}

/// What is wanted of the project's half. What is absent stays as it is.
#[derive(Clone, Debug)]
pub struct WantedOfProject {
    pub turned: Turned,
    pub organizations: Option<Organizations>,
    pub organizations_by_members: Option<bool>,
    pub dynamic_registration: Option<bool>,
}

impl WantedOfProject {
    pub fn lay_over(&self, settings: &mut ProjectSettings) {
        self.turned.iter().for_each(|(switch, on)| settings.switches.set(*switch, *on));
        settings.organizations = self.organizations.unwrap_or(settings.organizations);
        settings.organizations_by_members =
            self.organizations_by_members.unwrap_or(settings.organizations_by_members);
        settings.dynamic_registration = self.dynamic_registration.unwrap_or(settings.dynamic_registration);
    }
}

/// Writes what differs of the project's half, in a change that is alone.
pub async fn change_project(
    change: &mut Change<'_, '_>,
    before: Project,
    wanted: &WantedOfProject,
    forced: bool,
) -> Result<Project, Refused> {
    refuse_unavailable(&wanted.turned)?;
    let mut after = before.clone();
    wanted.lay_over(&mut after.settings);
    if after == before {
        return Ok(after);
    }
    after.updated_at = change.keep.now;
    let ways = match shuts_a_way(&before, &after) {
        true => LastWay::before_everywhere(change).await?,
        false => Vec::new(),
    };
    projects::update(change.tx, &after).await?;
    let (was, is) =
        audit::differing(&view::project_facts(&before.settings), &view::project_facts(&after.settings));
    let event = AuditEvent::new(before.id, "project.policy_changed", Outcome::Changed)
        .actor(change.keep.actor)
        .subject(before.id)
        .request(change.keep.request)
        .changing(Some(was), Some(is));
    change.record(&event).await?;
    all_stay(change, &ways, forced).await?;
    Ok(after)
}

/// Whether people could sign in before by a way by which they cannot from then on, or for an organization at all.
pub fn shuts_a_way(before: &Project, after: &Project) -> bool {
    let (was, is) = (&before.settings, &after.settings);
    let off = |settings: &ProjectSettings| settings.organizations == Organizations::Off;
    let shuts = |switch: &Switch| was.switches.is_on(*switch) && !is.switches.is_on(*switch);
    (!off(was) && off(is)) || Switch::UPSTREAM.iter().any(shuts)
}
