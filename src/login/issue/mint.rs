//! THE mint pipeline (model.md): whatever is issued, by whichever grant, runs this one list against one snapshot
//! of the database. A path that skipped one check is where real advisories come from.

use std::collections::BTreeSet;

use serde_json::json;

use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, OrganizationId, ProjectId, SessionId};
use crate::login::refusal::Refusal;
use crate::model::application::{Application, OrganizationUsage};
use crate::model::audit_event::AuditEvent;
use crate::model::connection::Connection;
use crate::model::consent::{self, Telling, Terms};
use crate::model::delegation::Delegation;
use crate::model::grant::Epochs;
use crate::model::identity::IdentityFacts;
use crate::model::login::Context;
use crate::model::membership::{Membership, MembershipKind, MembershipStatus};
use crate::model::organization::{Enforcement, Organization, Policy};
use crate::model::policy::Switch;
use crate::model::project::{Organizations, Project};
use crate::model::role;
use crate::model::session::Session;
use crate::model::user::User;
use crate::protocol::oauth::claims_parameter::Named;
use crate::protocol::oauth::scope;
use crate::store::durable::choices::{self, Choice};
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::standing::{self, Scene};
use crate::store::durable::{
    applications, connections, consents, delegations, memberships, organizations, projects, role_rules, roles,
};

/// What is to be minted.
#[derive(Clone, Debug)]
pub struct Request {
    pub project: ProjectId,
    pub application: ApplicationId,
    pub session: SessionId,
    pub context: Context,
    pub scopes: Vec<String>,
    /// Told beyond what the scopes give.
    pub claims: Named,
    /// How many organizations of the full list are of use, where that was asked for.
    pub listed: u32,
    /// Whether it outlives its session.
    pub offline: bool,
    pub now: Moment,
    /// In which the grant was given that this is of; absent where the grant is to be made.
    pub epochs: Option<Epochs>,
    /// Whether it is for a device that somebody let in from another one.
    pub on_device: bool,
    /// Where it leads, of what the person is still to be asked about; absent: it goes to whom it was given before.
    pub place: Option<String>,
    /// Whether it is for a door of our own, at which the scopes are not the application's to ask for.
    pub is_for_us: bool,
}

/// What passed every check; claims are made of nothing else.
#[derive(Debug)]
pub struct Minted {
    pub application: Application,
    /// What was wanted, as far as the application may have it now.
    pub scopes: Vec<String>,
    pub user: User,
    pub session: Session,
    pub acting: Option<ActingFor>,
    /// The full list, where the application asked for it and may have it; with roles where this session would be
    /// let in, and without where the organization wants more than it has.
    pub organizations: Option<Vec<Choice>>,
}

/// The organization that is acted for.
#[derive(Debug)]
pub struct ActingFor {
    pub organization: Organization,
    pub roles: Vec<String>,
    /// Those of them that no membership holds, but what the identity provider says gives (S1-P7).
    pub by_rule: Vec<String>,
    pub permissions: BTreeSet<String>,
    /// The home organization and the delegation, where it is not the person's own.
    pub on_behalf: Option<(Organization, Delegation)>,
}

impl Minted {
    /// As they are in the snapshot that minted it.
    pub fn epochs(&self) -> Epochs {
        let acting = self.acting.as_ref();
        let home = acting.and_then(|acting| acting.on_behalf.as_ref());
        Epochs {
            organization: acting.map(|acting| acting.organization.epoch),
            home: home.map(|(home, _)| home.epoch),
        }
    }

    /// The facts that every audit event of an issue names.
    pub fn describe(&self, event: AuditEvent) -> AuditEvent {
        let event = event
            .with("application", self.application.id.to_string())
            .with("session", self.session.id.to_string())
            .with("connection", self.session.connection_id.to_string());
        match self.acting.as_ref().and_then(|acting| acting.on_behalf.as_ref()) {
            Some((home, delegation)) => event
                .with("home_organization", home.id.to_string())
                .with("delegation", json!(delegation.id.to_string())),
            None => event,
        }
    }
}

/// What is to be minted for an application itself, which nobody stands behind.
#[derive(Clone, Copy, Debug)]
pub struct MachineRequest {
    pub project: ProjectId,
    pub application: ApplicationId,
    pub organization: Option<OrganizationId>,
    pub now: Moment,
    /// As in [`Request`].
    pub epoch: Option<i64>,
}

/// What passed every check that is not of a person.
#[derive(Debug)]
pub struct MachineMinted {
    pub application: Application,
    pub organization: Option<Organization>,
}

/// Everything that the checks look at, as it is in this snapshot.
struct Facts {
    now: Moment,
    context: Context,
    /// Nobody stands behind it: what is of a person is not asked.
    is_machine: bool,
    offline: bool,
    on_device: bool,
    epochs: Option<Epochs>,
    project: Option<Project>,
    application: Option<Application>,
    scopes: Vec<String>,
    session: Option<Session>,
    user: Option<User>,
    connection: Option<Connection>,
    /// Whose connection it is, unless it is the project's.
    provider: Option<Organization>,
    still_provided: bool,
    /// What that connection's provider said of the person.
    identity: IdentityFacts,
    /// The roles that rules of the provider's organization give by that, there and nowhere else.
    by_rule: Vec<String>,
    organization: Option<Organization>,
    membership: Option<Membership>,
    delegation: Option<Delegation>,
    home: Option<Organization>,
    home_membership: Option<Membership>,
    is_listed: bool,
    /// Whether the person has allowed the application to be told of them, where that is asked.
    is_allowed: bool,
}

type Check = fn(&Facts) -> Result<(), Refusal>;

/// The list. Its order is the order in which an application is told.
const CHECKS: [Check; 11] = [
    project_and_application_are_enabled,
    user_is_active,
    session_is_alive,
    organization_is_resolved,
    organization_is_active,
    membership_or_delegation_is_active,
    application_is_allowed,
    device_is_allowed,
    sign_in_policy_is_met,
    assurance_is_enough,
    consent_is_given,
];

/// Runs the pipeline: reads the facts, checks them, works out what the person may do.
pub async fn run(tx: &mut Tx<'_>, request: &Request) -> Result<Result<Minted, Refusal>, StoreError> {
    let mut facts = gather(tx, request).await?;
    if let Some(refusal) = CHECKS.iter().find_map(|check| check(&facts).err()) {
        return Ok(Err(refusal));
    }
    let (Some(project), Some(application), Some(session), Some(user)) =
        (facts.project.take(), facts.application.take(), facts.session.take(), facts.user.take())
    else {
        return Ok(Err(Refusal::ApplicationDisabled));
    };
    let acting = match facts.organization.take() {
        Some(organization) => Some(acting_for(tx, request, &project, organization, &mut facts).await?),
        None => None,
    };
    let wants_list = facts.wants(scope::ORGANIZATIONS) || facts.wants("organization:*");
    let mut organizations = if wants_list && request.listed > 0 {
        Some(choices::of(tx, &application, &user, request.now, request.listed).await?)
    } else {
        None
    };
    if project.settings.organizations == Organizations::Off {
        organizations = None;
    }
    for choice in organizations.iter_mut().flatten() {
        if choice.delegation.is_none() {
            choice.roles.extend(by_rule(&facts, choice.organization, &choice.roles));
        }
        if !lets_in(choice, &session, &project, &facts) {
            choice.roles.clear();
        }
    }
    Ok(Ok(Minted { application, scopes: facts.scopes, user, session, acting, organizations }))
}

/// Checks 7 and 8, for an organization that is only listed.
fn lets_in(choice: &Choice, session: &Session, project: &Project, facts: &Facts) -> bool {
    let (connection, now) = (facts.connection.as_ref(), facts.now);
    let switches = &project.settings.switches;
    let method = choice.delegation.is_some()
        || connection.is_some_and(|by| choice.policy.lets_in_by(switches, by, &facts.identity));
    let provider = connection.and_then(|connection| connection.organization_id);
    let through = match &choice.delegation {
        Some(delegated) => provider == Some(delegated.home),
        None => choice.policy.enforcement == Enforcement::Off || provider == Some(choice.organization),
    };
    let needs_mfa = choice.policy.wants_mfa_of(&choice.roles)
        || choice.delegation.as_ref().is_some_and(|delegated| delegated.settings.require_mfa);
    let multi_factor = !needs_mfa || session.assurance.is_multi_factor();
    let elsewhere = choice.delegation.is_none() && provider != Some(choice.organization);
    let provided = facts.still_provided || elsewhere;
    provided && method && through && multi_factor && is_young_enough(&choice.policy, session, now)
}

/// The same list for an application itself.
pub async fn run_for_machine(
    tx: &mut Tx<'_>,
    request: &MachineRequest,
) -> Result<Result<MachineMinted, Refusal>, StoreError> {
    let project = projects::by_id(tx, request.project).await?;
    let application = applications::by_id(tx, request.project, request.application).await?;
    let context = request.organization.map_or(Context::Personal, Context::Member);
    let epochs = request.epoch.map(|epoch| Epochs { organization: Some(epoch), home: None });
    let mut facts =
        Facts { is_machine: true, ..Facts::of(request.now, context, epochs, project, application) };
    if let Some(id) = request.organization {
        tx.lock(Lock::Shared, "organizations", &id.to_string()).await?;
        facts.organization = organizations::by_id(tx, request.project, id).await?;
        if is_limited(&facts) {
            facts.is_listed = applications::is_listed(tx, request.application, id).await?;
        }
    }
    if let Some(refusal) = CHECKS.iter().find_map(|check| check(&facts).err()) {
        return Ok(Err(refusal));
    }
    let organization = facts.organization;
    Ok(facts
        .application
        .map(|application| MachineMinted { application, organization })
        .ok_or(Refusal::ApplicationDisabled))
}

impl Facts {
    fn wants(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope == name)
    }

    /// Before anything of a person is known.
    fn of(
        now: Moment,
        context: Context,
        epochs: Option<Epochs>,
        project: Option<Project>,
        application: Option<Application>,
    ) -> Self {
        Self {
            now,
            context,
            is_machine: false,
            offline: false,
            on_device: false,
            epochs,
            project,
            application,
            scopes: Vec::new(),
            session: None,
            user: None,
            connection: None,
            provider: None,
            still_provided: false,
            identity: IdentityFacts::default(),
            by_rule: Vec::new(),
            organization: None,
            membership: None,
            delegation: None,
            home: None,
            home_membership: None,
            is_listed: true,
            is_allowed: true,
        }
    }
}

async fn gather(tx: &mut Tx<'_>, request: &Request) -> Result<Facts, StoreError> {
    let Scene { project, application, standing } =
        standing::scene(tx, request.project, request.application, request.session).await?;
    let application = asking(tx, request, project.as_ref(), application).await?;
    let known = Facts::of(request.now, request.context, request.epochs, project, application);
    let mut facts = Facts { offline: request.offline, on_device: request.on_device, ..known };
    if let Some(standing) = standing {
        facts.by_rule = role_rules::given(tx, request.project, &standing).await?;
        (facts.session, facts.user) = (Some(standing.session), Some(standing.user));
        (facts.connection, facts.provider) = (Some(standing.connection), standing.provider);
        (facts.still_provided, facts.identity) = (standing.still_provided, standing.facts);
    }
    facts.scopes = scopes(request, facts.application.as_ref());
    gather_context(tx, request, &mut facts).await?;
    facts.is_allowed = is_allowed(tx, request, &facts).await?;
    Ok(facts)
}

/// What the operator has taken away from an application since is in nothing that it gets from then on.
fn scopes(request: &Request, application: Option<&Application>) -> Vec<String> {
    let may = |one: &&String| {
        request.is_for_us || application.is_some_and(|application| application.settings.may_have(one))
    };
    request.scopes.iter().filter(may).cloned().collect()
}

async fn is_allowed(tx: &mut Tx<'_>, request: &Request, facts: &Facts) -> Result<bool, StoreError> {
    let asks = |one: &&Application| one.settings.client.consent_required;
    match (facts.application.as_ref().filter(asks), &facts.user) {
        (Some(application), Some(user)) => {
            let Some(allowed) = consents::allowed(tx, user.id, application.id).await? else {
                return Ok(false);
            };
            Ok(allowed.covers(&Telling {
                terms: &Terms::of(application),
                place: request.place.as_deref(),
                // At our own doors they are not the application's, and nobody was asked for them.
                scopes: &match request.is_for_us {
                    true => Vec::new(),
                    false => consent::wanted(&facts.scopes, &request.claims),
                },
                organization: request.context.organization(),
            }))
        }
        _ => Ok(true),
    }
}

/// The application that it is for, as it was found; or the house itself, for what a person does here: nothing is issued to
/// that.
async fn asking(
    tx: &mut Tx<'_>,
    request: &Request,
    project: Option<&Project>,
    found: Option<Application>,
) -> Result<Option<Application>, StoreError> {
    let Some(project) = project.filter(|_| request.application == Application::HOUSE) else {
        return Ok(found);
    };
    let own = connections::of_nobody(tx, project.id).await?;
    let active = own.iter().filter(|one| one.is_active()).map(|one| one.id);
    Ok(Some(Application::of_house(project, active.collect())))
}

async fn gather_context(tx: &mut Tx<'_>, request: &Request, facts: &mut Facts) -> Result<(), StoreError> {
    let Some(id) = request.context.organization() else { return gather_personal(tx, request, facts).await };
    let Some(user) = facts.user.as_ref().map(|user| user.id) else { return Ok(()) };
    if let Some(delegation) = request.context.delegation() {
        facts.delegation = delegations::by_id(tx, request.project, delegation).await?;
    }
    // Whoever deactivates an organization locks it exclusively: no token is minted past that. In order, so that
    // nobody waits for each other.
    let home = facts.delegation.as_ref().map(|delegation| delegation.home);
    let provider = facts.provider.as_ref().map(|provider| provider.id);
    let organizations: BTreeSet<_> = [Some(id), home, provider].into_iter().flatten().collect();
    for organization in organizations {
        tx.lock(Lock::Shared, "organizations", &organization.to_string()).await?;
    }
    (facts.organization, facts.membership) = memberships::place(tx, request.project, id, user).await?;
    if let Some(home) = home {
        (facts.home, facts.home_membership) = memberships::place(tx, request.project, home, user).await?;
    }
    if is_limited(facts) {
        facts.is_listed = applications::is_listed(tx, request.application, id).await?;
    }
    Ok(())
}

/// Who acts for none of them may use a limited application if they belong to one that it is open to.
async fn gather_personal(tx: &mut Tx<'_>, request: &Request, facts: &mut Facts) -> Result<(), StoreError> {
    if is_limited(facts)
        && let (Some(application), Some(user)) = (&facts.application, &facts.user)
    {
        facts.is_listed = !choices::of(tx, application, user, request.now, 1).await?.is_empty();
    }
    Ok(())
}

fn is_limited(facts: &Facts) -> bool {
    facts.application.as_ref().is_some_and(|application| application.settings.organizations_limited)
}

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
        (_, Some(OrganizationUsage::Deny)) => Err(Refusal::OrganizationNotAllowed),
        _ => refuse_unless(facts.organization.is_some(), Refusal::OrganizationNotAllowed),
    }
}

fn organization_is_active(facts: &Facts) -> Result<(), Refusal> {
    let fine = |organization: &Organization| {
        let same = facts.epochs.is_none_or(|epochs| epochs.organization == Some(organization.epoch));
        organization.is_active() && same
    };
    refuse_unless(facts.organization.as_ref().is_none_or(fine), Refusal::OrganizationInactive)
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
    let home_is_active = |home: &Organization| {
        home.is_active() && facts.epochs.is_none_or(|epochs| epochs.home == Some(home.epoch))
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
        && facts.home.as_ref().is_some_and(home_is_active)
        && own
        && !unwanted
}

fn application_is_allowed(facts: &Facts) -> Result<(), Refusal> {
    refuse_unless(facts.is_listed, Refusal::ApplicationNotAllowed)
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
fn roles_in(facts: &Facts, organization: OrganizationId) -> (Vec<String>, Vec<String>) {
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
fn by_rule(facts: &Facts, organization: OrganizationId, held: &[String]) -> Vec<String> {
    let own = facts.provider.as_ref().is_some_and(|provider| provider.id == organization);
    facts.by_rule.iter().filter(|role| own && !held.contains(role)).cloned().collect()
}

fn is_young_enough(policy: &Policy, session: &Session, now: Moment) -> bool {
    let age = now.since(session.authenticated_at).as_secs();
    policy.max_age.is_none_or(|limit| age <= limit)
}

/// Roles cut by the delegation's ceiling, permissions masked by the organization's functional roles.
async fn acting_for(
    tx: &mut Tx<'_>,
    request: &Request,
    project: &Project,
    organization: Organization,
    facts: &mut Facts,
) -> Result<ActingFor, StoreError> {
    let (roles, by_rule) = roles_in(facts, organization.id);
    let on_behalf = facts.home.take().zip(facts.delegation.take());
    let permissions = if facts.wants(scope::PERMISSIONS) {
        let custom = roles::permissions(tx, request.project, organization.id).await?;
        let functional = organization.functional_roles.as_deref();
        role::effective_permissions(&roles, &custom, functional, &project.settings.functional_roles)
    } else {
        BTreeSet::new()
    };
    Ok(ActingFor { organization, roles, by_rule, permissions, on_behalf })
}
