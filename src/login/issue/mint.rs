//! THE mint pipeline (model.md): whatever is issued, by whichever grant, runs this one list against one snapshot
//! of the database. A path that skipped one check is where real advisories come from.

mod checks;
mod facts;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, OrganizationId, ProjectId, SessionId};
use crate::foundation::random::Random;
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::consent::Place;
use crate::model::delegation::Delegation;
use crate::model::grant::Epochs;
use crate::model::login::Context;
use crate::model::organization::{Enforcement, Organization};
use crate::model::project::{Organizations, Project};
use crate::model::role;
use crate::model::session::Session;
use crate::model::user::User;
use crate::protocol::oauth::claims_parameter::Named;
use crate::protocol::oauth::scope;
use crate::store::durable::choices::Choice;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{applications, choices, organizations, projects, roles, user_roles};
use checks::{by_rule, is_young_enough, roles_in};
use facts::{Facts, gather, is_limited};

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
    /// Where it leads, or has led; absent: to an application that acts for the person.
    pub place: Option<Place>,
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
    /// Where nobody is acted for: the person's roles of the project, and what each of them allows (S1-W5).
    pub own_roles: BTreeMap<String, Vec<String>>,
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

    /// Records that something begins to be issued: in the trail of the organization that is acted for, and in that of the
    /// home organization, whose people act. That one is told for whom, and not by which application (demands 4.5).
    pub async fn record(
        &self,
        tx: &mut Tx<'_>,
        random: &Random,
        now: Moment,
        event: AuditEvent,
    ) -> Result<(), StoreError> {
        let request = event.request_id;
        audit::record(tx, random, now, &self.describe(event)).await?;
        let Some((acting, (home, delegation))) =
            self.acting.as_ref().and_then(|acting| Some((acting, acting.on_behalf.as_ref()?)))
        else {
            return Ok(());
        };
        let event = AuditEvent::new(self.application.project_id, "delegation.used", Outcome::Granted)
            .organization(Some(home.id))
            .actor(self.user.id)
            .subject(delegation.id)
            .request(request)
            .with("session", self.session.id.to_string())
            .with("target", acting.organization.id.to_string())
            .with("target_name", acting.organization.slug.as_str());
        audit::record(tx, random, now, &event).await
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

/// Runs the pipeline: reads the facts, checks them, works out what the person may do.
pub async fn run(tx: &mut Tx<'_>, request: &Request) -> Result<Result<Minted, Refusal>, StoreError> {
    let mut facts = gather(tx, request).await?;
    if let Some(refusal) = checks::refusal(&facts) {
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
    let wants_roles = facts.wants(scope::ROLES) || facts.wants(scope::PERMISSIONS);
    // What the operator has made of somebody is nothing to a customer's own application.
    let is_of_customer = application.organization_id.is_some();
    let own_roles = match acting {
        None if wants_roles && !is_of_customer => user_roles::of(tx, user.id).await?,
        _ => BTreeMap::new(),
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
    Ok(Ok(Minted { application, scopes: facts.scopes, user, session, acting, own_roles, organizations }))
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
    if let Some(refusal) = checks::refusal(&facts) {
        return Ok(Err(refusal));
    }
    let organization = facts.organization;
    Ok(facts
        .application
        .map(|application| MachineMinted { application, organization })
        .ok_or(Refusal::ApplicationDisabled))
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
