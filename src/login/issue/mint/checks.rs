//! The list of the pipeline: whether what was found lets somebody have what is to be minted.

use super::facts::Facts;
use crate::foundation::clock::Moment;
use crate::foundation::id::OrganizationId;
use crate::login::refusal::Refusal;
use crate::model::application::OrganizationUsage;
use crate::model::connection::Connection;
use crate::model::login::Context;
use crate::model::membership::{MembershipKind, MembershipStatus};
use crate::model::organization::{Enforcement, Organization, Policy};
use crate::model::policy::Switch;
use crate::model::project::Organizations;
use crate::model::role;
use crate::model::session::Session;

/// The first check that refuses, if one does.
pub(super) fn refusal(facts: &Facts) -> Option<Refusal> {
    CHECKS.iter().find_map(|check| check(facts).err())
}

type Check = fn(&Facts) -> Result<(), Refusal>;

/// The list. Its order is the order in which an application is told.
const CHECKS: [Check; 12] = [
    project_and_application_are_enabled,
    user_is_active,
    session_is_alive,
    organization_is_resolved,
    organization_is_active,
    membership_or_delegation_is_active,
    organizations_were_active_since,
    application_is_allowed,
    device_is_allowed,
    sign_in_policy_is_met,
    assurance_is_enough,
    consent_is_given,
];

fn refuse_unless(condition: bool, refusal: Refusal) -> Result<(), Refusal> {
    if condition { Ok(()) } else { Err(refusal) }
}

fn project_and_application_are_enabled(facts: &Facts) -> Result<(), Refusal> {
    let project = facts.project.as_ref().is_some_and(|project| project.disabled_at.is_none());
    refuse_unless(project, Refusal::ProjectDisabled)?;
    let application = facts.application.as_ref().is_some_and(|application| application.is_enabled());
    refuse_unless(application, Refusal::ApplicationDisabled)
}

fn user_is_active(facts: &Facts) -> Result<(), Refusal> {
    refuse_unless(
        facts.is_machine || facts.user.as_ref().is_some_and(|user| user.disabled_at.is_none()),
        Refusal::UserDisabled,
    )
}

/// Whoever takes a session back revokes what was given in it, offline or not; that its end is survived means a sign-out
/// and no more.
fn session_is_alive(facts: &Facts) -> Result<(), Refusal> {
    let fine = |session: &Session| facts.offline || session.is_alive(facts.now);
    refuse_unless(facts.is_machine || facts.session.as_ref().is_some_and(fine), Refusal::SessionEnded)
}

/// The application gets an organization if it needs one, and none if it uses none.
fn organization_is_resolved(facts: &Facts) -> Result<(), Refusal> {
    let usage = facts.application.as_ref().map(|application| application.settings.organization_usage);
    let wanted = facts.project.as_ref().map(|project| project.settings.organizations);
    match (facts.context, usage) {
        (Context::Personal, _) if wanted == Some(Organizations::Required) => Err(Refusal::NoOrganization),
        (Context::Member(_) | Context::Delegate { .. }, _) if wanted == Some(Organizations::Off) => {
            Err(Refusal::OrganizationNotAllowed)
        }
        (Context::Personal, Some(OrganizationUsage::Require)) => Err(Refusal::NoOrganization),
        (Context::Personal, _) => Ok(()),
        (_, Some(OrganizationUsage::Deny)) => Err(Refusal::OrganizationsNotUsed),
        _ => refuse_unless(facts.organization.is_some(), Refusal::OrganizationNotAllowed),
    }
}

fn organization_is_active(facts: &Facts) -> Result<(), Refusal> {
    let fine = facts.organization.as_ref().is_none_or(Organization::is_active);
    refuse_unless(fine, Refusal::OrganizationInactive)
}

/// What was given before an organization was deactivated is over for good (S0-30), the home's as well.
fn organizations_were_active_since(facts: &Facts) -> Result<(), Refusal> {
    let Some(epochs) = facts.epochs else { return Ok(()) };
    let same = |organization: Option<&Organization>, epoch: Option<i64>| {
        organization.is_none_or(|organization| epoch == Some(organization.epoch))
    };
    let both =
        same(facts.organization.as_ref(), epochs.organization) && same(facts.home.as_ref(), epochs.home);
    refuse_unless(both, Refusal::OrganizationWasInactive)
}

fn membership_or_delegation_is_active(facts: &Facts) -> Result<(), Refusal> {
    match facts.context {
        _ if facts.is_machine => Ok(()),
        Context::Personal => Ok(()),
        Context::Member(_) => {
            let status = facts.membership.as_ref().map(|membership| membership.status);
            match status {
                Some(MembershipStatus::Active) => Ok(()),
                Some(_) => Err(Refusal::MembershipInactive),
                None => Err(Refusal::OrganizationNotAllowed),
            }
        }
        Context::Delegate { target, .. } => {
            refuse_unless(delegates(facts, target), Refusal::DelegationInactive)
        }
    }
}

/// The delegation is in force, for this target, and the person is the home's own: an active member of an active
/// organization, and one of those it names.
fn delegates(facts: &Facts, target: OrganizationId) -> bool {
    let (Some(delegation), Some(user)) = (&facts.delegation, &facts.user) else { return false };
    let (Some(home), Some(organization), Some(project)) = (&facts.home, &facts.organization, &facts.project)
    else {
        return false;
    };
    let own = facts.home_membership.as_ref().is_some_and(|membership| {
        membership.status == MembershipStatus::Active
            && matches!(membership.kind, MembershipKind::Home | MembershipKind::Member)
    });
    // One whom the target has blocked or removed does not come back through somebody else's door.
    let unwanted =
        facts.membership.as_ref().is_some_and(|membership| membership.status != MembershipStatus::Active);
    delegation.target == target
        && delegation.is_in_force(facts.now)
        && delegation.settings.means(user.proved_email())
        && home.is_active()
        && role::may_stand_between(
            home.functional_roles.as_deref(),
            organization.functional_roles.as_deref(),
            &project.settings.functional_roles,
        )
        && own
        && !unwanted
}

/// Where nobody signs in, nobody is asked: an organization's own application works by itself for that one alone, whomever
/// of others the operator lets it ask (threats C22).
fn application_is_allowed(facts: &Facts) -> Result<(), Refusal> {
    let owner = facts.application.as_ref().and_then(|application| application.organization_id);
    let organization = facts.organization.as_ref().map(|organization| organization.id);
    let own = owner.is_none() || owner == organization;
    refuse_unless(facts.is_listed && (own || !facts.is_machine), Refusal::ApplicationNotAllowed)
}

/// People are talked into letting strangers' devices in, so whoever answers for them says that they may: whom they act for,
/// in whose name, and whose connection signs them in (threats H23).
fn device_is_allowed(facts: &Facts) -> Result<(), Refusal> {
    let mut judges = facts.organization.iter().chain(&facts.home).chain(&facts.provider);
    let fine = !facts.on_device || judges.all(|organization| organization.policy.device_sign_in);
    refuse_unless(fine, Refusal::DeviceNotAllowed)
}

/// How this session was authenticated, and whether the organization accepts that.
fn sign_in_policy_is_met(facts: &Facts) -> Result<(), Refusal> {
    if facts.is_machine {
        return Ok(());
    }
    let connection = facts.connection.as_ref().filter(|connection| connection.is_active());
    let connection = connection.ok_or(Refusal::ConnectionInactive)?;
    refuse_unless(facts.still_provided || acts_elsewhere(facts), Refusal::ConnectionInactive)?;
    let application = facts.application.as_ref().map(|application| &application.settings);
    let offered = application.is_some_and(|settings| {
        settings.accepts_connection(connection.id, connection.organization_id.is_some())
    });
    refuse_unless(offered, Refusal::ConnectionInactive)?;
    method_is_on(facts, connection)?;
    let Some(organization) = &facts.organization else { return Ok(()) };
    match (&facts.delegation, facts.context) {
        (Some(delegation), Context::Delegate { .. }) => {
            refuse_unless(
                organization.policy.delegations.accepts(delegation.id),
                Refusal::DelegationNotAccepted,
            )?;
            // A delegate comes through the home's own identity provider, and no other.
            refuse_unless(connection.organization_id == Some(delegation.home), Refusal::DelegationNotAccepted)
        }
        _ => {
            let own = connection.organization_id == Some(organization.id);
            let required = organization.policy.enforcement == Enforcement::Required;
            refuse_unless(own || !required, Refusal::SsoRequired)
        }
    }
}

/// Whoever shuts an organization down ends what is of it, of nobody else's (S0-31): who signed in by its connection goes
/// on as a member of another one, and neither for it nor in its name, then or later.
fn acts_elsewhere(facts: &Facts) -> bool {
    let member = match facts.context {
        Context::Member(organization) => Some(organization),
        Context::Delegate { .. } | Context::Personal => None,
    };
    facts
        .provider
        .as_ref()
        .is_some_and(|provider| provider.deleted_at.is_none() && member.is_some_and(|one| one != provider.id))
}

/// The way by which they came is on: for the project, for whoever provides it, and for whom they act. A delegate's is
/// the home's to judge, and the target has accepted that.
fn method_is_on(facts: &Facts, connection: &Connection) -> Result<(), Refusal> {
    let Some(project) = &facts.project else { return Err(Refusal::ProjectDisabled) };
    let switches = &project.settings.switches;
    let own = facts.organization.as_ref().filter(|_| matches!(facts.context, Context::Member(_)));
    let mut judges = facts.provider.iter().chain(own).map(|organization| &organization.policy);
    let on = switches.is_on(Switch::of(connection));
    let fine = |policy: &Policy| policy.lets_in_by(switches, connection, &facts.identity);
    refuse_unless(on && judges.all(fine), Refusal::MethodNotAllowed)
}

fn assurance_is_enough(facts: &Facts) -> Result<(), Refusal> {
    let (Some(session), Some(organization)) = (&facts.session, &facts.organization) else { return Ok(()) };
    let delegated = facts.delegation.as_ref().is_some_and(|delegation| delegation.settings.require_mfa);
    let roles = roles_in(facts, organization.id).0;
    let needs_mfa = organization.policy.wants_mfa_of(&roles) || delegated;
    refuse_unless(!needs_mfa || session.assurance.is_multi_factor(), Refusal::MfaRequired)?;
    let young = is_young_enough(&organization.policy, session, facts.now);
    refuse_unless(young, Refusal::AuthenticationTooOld)
}

/// What is to be told is somebody's own: they say whom, how much of it, and for whom they act.
fn consent_is_given(facts: &Facts) -> Result<(), Refusal> {
    refuse_unless(facts.is_allowed, Refusal::ConsentRequired)
}

/// Their own with those that rules give, or what the ceiling of a delegation leaves of their own; and which are by rule.
/// A delegate brings nothing along that their home says of them.
pub(super) fn roles_in(facts: &Facts, organization: OrganizationId) -> (Vec<String>, Vec<String>) {
    match (&facts.delegation, &facts.membership) {
        (Some(delegation), Some(member)) => {
            (role::cut(&member.roles, &delegation.settings.roles), Vec::new())
        }
        (Some(delegation), None) => (delegation.settings.roles.clone(), Vec::new()),
        (None, Some(member)) => {
            let by_rule = by_rule(facts, organization, &member.roles);
            ([member.roles.as_slice(), &by_rule].concat(), by_rule)
        }
        (None, None) => (Vec::new(), Vec::new()),
    }
}

/// What rules give somebody in this organization beyond what they hold there.
pub(super) fn by_rule(facts: &Facts, organization: OrganizationId, held: &[String]) -> Vec<String> {
    let own = facts.provider.as_ref().is_some_and(|provider| provider.id == organization);
    facts.by_rule.iter().filter(|role| own && !held.contains(role)).cloned().collect()
}

pub(super) fn is_young_enough(policy: &Policy, session: &Session, now: Moment) -> bool {
    let age = now.since(session.authenticated_at).as_secs();
    policy.max_age.is_none_or(|limit| age <= limit)
}
