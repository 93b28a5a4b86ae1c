//! What the checks look at, read in one snapshot.

use std::collections::BTreeSet;

use super::Request;
use crate::foundation::clock::Moment;
use crate::model::application::Application;
use crate::model::connection::Connection;
use crate::model::consent::{self, Telling};
use crate::model::delegation::Delegation;
use crate::model::grant::Epochs;
use crate::model::identity::IdentityFacts;
use crate::model::login::Context;
use crate::model::membership::Membership;
use crate::model::organization::Organization;
use crate::model::project::Project;
use crate::model::session::Session;
use crate::model::user::User;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::standing::Scene;
use crate::store::durable::{
    applications, choices, connections, consents, delegations, memberships, role_rules, standing,
};

/// Everything that the checks look at, as it is in this snapshot.
pub(super) struct Facts {
    pub(super) now: Moment,
    pub(super) context: Context,
    /// Nobody stands behind it: what is of a person is not asked.
    pub(super) is_machine: bool,
    pub(super) offline: bool,
    pub(super) on_device: bool,
    pub(super) epochs: Option<Epochs>,
    pub(super) project: Option<Project>,
    pub(super) application: Option<Application>,
    pub(super) scopes: Vec<String>,
    pub(super) session: Option<Session>,
    pub(super) user: Option<User>,
    pub(super) connection: Option<Connection>,
    /// Whose connection it is, unless it is the project's.
    pub(super) provider: Option<Organization>,
    pub(super) still_provided: bool,
    /// What that connection's provider said of the person.
    pub(super) identity: IdentityFacts,
    /// The roles that rules of the provider's organization give by that, there and nowhere else.
    pub(super) by_rule: Vec<String>,
    pub(super) organization: Option<Organization>,
    pub(super) membership: Option<Membership>,
    pub(super) delegation: Option<Delegation>,
    pub(super) home: Option<Organization>,
    pub(super) home_membership: Option<Membership>,
    pub(super) is_listed: bool,
    /// Whether the person has allowed the application to be told of them, where that is asked.
    pub(super) is_allowed: bool,
}

impl Facts {
    pub(super) fn wants(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope == name)
    }

    /// Before anything of a person is known.
    pub(super) fn of(
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

pub(super) async fn gather(tx: &mut Tx<'_>, request: &Request) -> Result<Facts, StoreError> {
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
            let telling = Telling {
                audiences: &application.settings.audiences,
                acts_at: application.acts_at(),
                place: request.place.as_ref(),
                // At our own doors they are not the application's, and nobody was asked for them.
                scopes: &match request.is_for_us {
                    true => Vec::new(),
                    false => consent::wanted(&facts.scopes, &request.claims),
                },
                organization: request.context.organization(),
            };
            Ok(allowed.covers(&application.display_name, &telling))
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

pub(super) fn is_limited(facts: &Facts) -> bool {
    facts.application.as_ref().is_some_and(|application| application.settings.organizations_limited)
}
