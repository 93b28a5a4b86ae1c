//! Their email domain names an identity provider. What is decided here depends on the domain, never on whether
//! somebody is known (threats M01).

pub mod pages;

use super::Stop;
use super::refusal::Refusal;
use crate::foundation::domain_name::DomainName;
use crate::foundation::email::Email;
use crate::foundation::id::{ConnectionId, UserId};
use crate::model::application::Application;
use crate::model::connection::Connection;
use crate::model::login::{Arrived, Asked, OrganizationAsked, Resolved};
use crate::model::organization::Policy;
use crate::model::policy::Switch;
use crate::model::user::User;
use crate::store::durable::{connections, delegations, domains, organizations, users};
use crate::web::visitor::Visitor;

/// Whether it is known where to send the person.
#[derive(Debug)]
pub enum Decision {
    /// They must say who they are.
    Ask,
    Resolved(Resolved),
}

/// Tries, in this order, what the application said: a connection, an organization, the domain of a hint
/// (model.md, tension 7). A hint that leads nowhere is no error: the person is asked.
pub async fn decide(
    visitor: &Visitor,
    application: &Application,
    asked: &Asked,
    arrived: &Arrived,
) -> Result<Decision, Stop> {
    let hint = asked.login_hint.as_deref().and_then(|hint| Email::parse(hint).ok());
    if arrived.another_account || asked.prompt.select_account {
        return Ok(Decision::Ask);
    }
    if let Some(name) = &asked.connection {
        let found = connections::named(&mut &visitor.broker().db, visitor.project.id, name).await?;
        let found = found.filter(|connection| may_use(application, connection));
        let found = found.filter(|connection| is_open(visitor, connection, None));
        return Ok(match found {
            Some(connection) => {
                Decision::Resolved(Resolved { email: hint, connections: vec![connection.id] })
            }
            // Nobody has typed anything: it is for the application to know.
            None => return Err(Refusal::ConnectionNotAllowed.into()),
        });
    }
    let routed = match (&hint, asked.login_hint.as_deref().map(str::parse::<UserId>)) {
        (Some(email), _) => by_domain(visitor, application, email.domain()).await?,
        (None, Some(Ok(user))) => by_user(visitor, application, user).await?,
        _ => Vec::new(),
    };
    if let OrganizationAsked::Named(name) = &asked.organization {
        let own = of_organization(visitor, application, name).await?;
        // The hint's domain belongs to another identity provider: nobody else's may assert that address
        // (invariant 2), so the organization's own one could only refuse it.
        if !own.is_empty() && (routed.is_empty() || routed.iter().any(|id| own.contains(id))) {
            return Ok(Decision::Resolved(Resolved { email: hint, connections: own }));
        }
    }
    if !routed.is_empty() {
        return Ok(Decision::Resolved(Resolved { email: hint, connections: routed }));
    }
    if let Some(domain) = asked.domain_hint.as_deref().and_then(|text| DomainName::parse(text).ok()) {
        let connections = by_domain(visitor, application, &domain).await?;
        if !connections.is_empty() {
            return Ok(Decision::Resolved(Resolved { email: hint, connections }));
        }
    }
    match (application.settings.domain_based, application.settings.connections.as_slice()) {
        // Nothing to ask: there is one way in.
        (false, [only]) => Ok(Decision::Resolved(Resolved { email: hint, connections: vec![*only] })),
        _ => Ok(Decision::Ask),
    }
}

/// What a typed address leads to.
pub async fn by_email(visitor: &Visitor, application: &Application, email: Email) -> Result<Resolved, Stop> {
    let connections = by_domain(visitor, application, email.domain()).await?;
    Ok(Resolved { email: Some(email), connections })
}

/// Where the user of this id would be led by their proved address. The address itself is told to nobody: the id may
/// have come from anywhere.
async fn by_user(
    visitor: &Visitor,
    application: &Application,
    id: UserId,
) -> Result<Vec<ConnectionId>, Stop> {
    let user = users::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
    match user.as_ref().and_then(User::proved_email) {
        Some(email) => by_domain(visitor, application, email.domain()).await,
        None => Ok(Vec::new()),
    }
}

async fn by_domain(
    visitor: &Visitor,
    application: &Application,
    name: &DomainName,
) -> Result<Vec<ConnectionId>, Stop> {
    if !application.settings.domain_based {
        return Ok(Vec::new());
    }
    let routed = domains::routed(&mut &visitor.broker().db, visitor.project.id, name).await?;
    let open = |(connection, policy): &&(Connection, Policy)| is_open(visitor, connection, Some(policy));
    Ok(routed.iter().filter(open).map(|(connection, _)| connection.id).collect())
}

async fn of_organization(
    visitor: &Visitor,
    application: &Application,
    name: &str,
) -> Result<Vec<ConnectionId>, Stop> {
    let db = &visitor.broker().db;
    let Some(organization) = organizations::named(&mut &*db, visitor.project.id, name).await? else {
        return Ok(Vec::new());
    };
    // Contractors use their own domain's identity provider (model.md, tension 7): where there are any, everybody
    // says who they are first.
    if !organization.is_active()
        || delegations::any_to(&mut &*db, organization.id, visitor.broker().now()).await?
    {
        return Ok(Vec::new());
    }
    let all = connections::of_organization(&mut &*db, organization.id).await?;
    Ok(all
        .iter()
        .filter(|connection| may_use(application, connection))
        .filter(|connection| is_open(visitor, connection, Some(&organization.policy)))
        .map(|connection| connection.id)
        .collect())
}

/// Hints are limited to what the application may use at all.
fn may_use(application: &Application, connection: &Connection) -> bool {
    connection.is_active()
        && application.settings.accepts_connection(connection.id, connection.organization_id.is_some())
}

/// Whether anybody may come this way at all.
fn is_open(visitor: &Visitor, connection: &Connection, policy: Option<&Policy>) -> bool {
    let (project, method) = (&visitor.project.settings.switches, Switch::of(connection));
    project.is_on(method) && policy.is_none_or(|policy| policy.switches.is_on(method))
}

/// Of the organization that the application asked for.
async fn policy_of(visitor: &Visitor, asked: &Asked) -> Result<Option<Policy>, Stop> {
    let OrganizationAsked::Named(name) = &asked.organization else { return Ok(None) };
    let found = organizations::named(&mut &visitor.broker().db, visitor.project.id, name).await?;
    Ok(found.map(|organization| organization.policy))
}

/// The connections that the application offers by name, as buttons beside the email field.
/// What is switched off, by the project or by the organization that is asked for, is no button (S3-19).
pub async fn offered(
    visitor: &Visitor,
    application: &Application,
    asked: &Asked,
) -> Result<Vec<Connection>, Stop> {
    let mut offered = Vec::new();
    if application.settings.connections.is_empty() {
        return Ok(offered);
    }
    let policy = policy_of(visitor, asked).await?;
    for id in &application.settings.connections {
        let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, *id).await?;
        let found = found.filter(Connection::is_active);
        offered.extend(found.filter(|connection| is_open(visitor, connection, policy.as_ref())));
    }
    Ok(offered)
}
