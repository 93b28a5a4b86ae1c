//! Their email domain names an identity provider. What is decided here depends on the domain, never on whether
//! somebody is known (threats M01).

pub mod pages;

use super::Stop;
use super::refusal::Refusal;
use crate::foundation::email::Email;
use crate::foundation::id::ConnectionId;
use crate::foundation::secret::Digest;
use crate::model::application::{Application, OrganizationPrompt, OrganizationUsage};
use crate::model::connection::Connection;
use crate::model::login::{Arrived, Beforehand, Login, OrganizationAsked, Resolved};
use crate::model::organization::Policy;
use crate::model::project::Organizations;
use crate::model::routing::{self as found, Question};
use crate::store::durable::{connections, organizations, routing};
use crate::web::cookies::Begun;
use crate::web::visitor::Visitor;

/// Whether it is known where to send the person.
#[derive(Debug)]
pub enum Decision {
    /// They must say who they are.
    Ask,
    Resolved(Resolved),
}

/// What the application said leads somewhere, or the person is asked; the rules are in [`routing::decide`].
pub async fn decide(
    visitor: &Visitor,
    application: &Application,
    login: &Login,
    arrived: &Arrived,
) -> Result<Decision, Stop> {
    let asked = &login.asked;
    if arrived.another_account || asked.prompt.select_account {
        return Ok(Decision::Ask);
    }
    let begun = begun(visitor, application, login).map(|id| id.to_string());
    let question = Question {
        connection: asked.connection.as_deref().or(begun.as_deref()),
        organization: login.organization_named(),
        login_hint: asked.login_hint.as_deref(),
        domain_hint: asked.domain_hint.as_deref(),
    };
    let (broker, switches) = (visitor.broker(), &visitor.project.settings.switches);
    let routed = routing::decide(&mut &broker.db, application, switches, &question, broker.now()).await?;
    match routed.decision {
        found::Decision::Ask => Ok(Decision::Ask),
        found::Decision::Resolved(resolved) => Ok(Decision::Resolved(resolved)),
        // It was allowed when it began this.
        found::Decision::ConnectionNotAllowed if begun.is_some() => Err(Refusal::ConnectionChanged.into()),
        found::Decision::ConnectionNotAllowed => Err(Refusal::ConnectionNotAllowed.into()),
    }
}

/// Whether the person is asked for their organization first: where the application wants that, and nobody has said yet
/// where they sign in or for whom they act.
pub fn asks_for_organization(visitor: &Visitor, application: &Application, login: &Login) -> bool {
    let settings = &application.settings;
    settings.organization_prompt == OrganizationPrompt::Before
        && settings.organization_usage != OrganizationUsage::Deny
        && visitor.project.settings.organizations != Organizations::Off
        && login.beforehand == Beforehand::Unasked
        && matches!(login.asked.organization, OrganizationAsked::Unsaid | OrganizationAsked::One)
        && login.asked.connection.is_none()
        && login.asked.ticket.is_none()
        && begun(visitor, application, login).is_none()
}

/// The connection whose identity provider has sent this browser to the application, which now asks us: the login is that
/// connection's (threats H09). Unless the application says itself where it wants somebody to sign in, or means somebody
/// else than it was told of.
fn begun(visitor: &Visitor, application: &Application, login: &Login) -> Option<ConnectionId> {
    let asked = &login.asked;
    let begun = Begun::of(&visitor.headers)?;
    if begun.application != application.id || !begun.is_before(login.started_at) {
        return None;
    }
    let says_where = asked.connection.is_some()
        || asked.domain_hint.is_some()
        || asked.hinted_user.is_some()
        || matches!(asked.organization, OrganizationAsked::Named(_));
    let is_meant = |hint: &String| {
        let email = Email::parse(hint).ok();
        email.is_some_and(|email| begun.hint == Some(Digest::of(email.as_str().as_bytes())))
    };
    (!says_where && asked.login_hint.as_ref().is_none_or(is_meant)).then_some(begun.connection)
}

/// What a typed address leads to.
pub async fn by_email(visitor: &Visitor, application: &Application, email: Email) -> Result<Resolved, Stop> {
    let switches = &visitor.project.settings.switches;
    let connections =
        routing::routes(&mut &visitor.broker().db, application, switches, email.domain()).await?;
    Ok(Resolved { email: Some(email), connections })
}

/// Of the organization that is asked for.
async fn policy_of(visitor: &Visitor, login: &Login) -> Result<Option<Policy>, Stop> {
    let Some(name) = login.organization_named() else { return Ok(None) };
    let found = organizations::named(&mut &visitor.broker().db, visitor.project.id, name).await?;
    Ok(found.map(|organization| organization.policy))
}

/// The connections that the application offers by name, as buttons beside the email field.
/// What is switched off, by the project or by the organization that is asked for, is no button (S3-19).
pub async fn offered(
    visitor: &Visitor,
    application: &Application,
    login: &Login,
) -> Result<Vec<Connection>, Stop> {
    let mut offered = Vec::new();
    if application.settings.connections.is_empty() {
        return Ok(offered);
    }
    let (policy, switches) = (policy_of(visitor, login).await?, &visitor.project.settings.switches);
    for id in &application.settings.connections {
        let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, *id).await?;
        let found = found.filter(Connection::is_active);
        offered.extend(found.filter(|connection| switches.open(connection, policy.as_ref())));
    }
    Ok(offered)
}
