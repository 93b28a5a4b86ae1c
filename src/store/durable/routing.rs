//! Where a login is sent: read and decided in one place, for the login itself and for who asks why.

use super::engine::{Read, StoreError};
use super::{connections, delegations, domains, organizations};
use crate::foundation::clock::Moment;
use crate::foundation::domain_name::DomainName;
use crate::foundation::email::Email;
use crate::foundation::id::{ConnectionId, UserId};
use crate::model::application::Application;
use crate::model::connection::Connection;
use crate::model::login::Resolved;
use crate::model::organization::Policy;
use crate::model::policy::Switches;
use crate::model::routing::{Decision, Question, Routed, Rule, Step, Why};

/// Tries, in this order, what the application said: a connection, an organization, the address of a hint, the domain
/// of one (model.md, tension 7). A hint that leads nowhere is no error: the person is asked.
pub async fn decide(
    db: &mut impl Read,
    application: &Application,
    switches: &Switches,
    asked: &Question<'_>,
    now: Moment,
) -> Result<Routed, StoreError> {
    let email = asked.login_hint.and_then(|hint| Email::parse(hint).ok());
    let resolved =
        |connections: Vec<ConnectionId>| Decision::Resolved(Resolved { email: email.clone(), connections });
    if let Some(name) = asked.connection {
        let step = by_connection(db, application, switches, name).await?;
        let decision = match step.why {
            Why::ConnectionAllowed => resolved(step.connections.clone()),
            // Nobody has typed anything: it is for the application to know.
            _ => Decision::ConnectionNotAllowed,
        };
        return Ok(Routed { decision, steps: vec![step] });
    }
    let mut steps = vec![Step::new(Rule::Connection, Why::NotAsked)];
    let hinted = by_login_hint(db, (application, switches), asked.login_hint, email.as_ref()).await?;
    let organization =
        by_organization(db, (application, switches), asked.organization, &hinted.connections, now).await?;
    let found = match (organization.matched(), hinted.matched()) {
        (true, _) => Some(organization.connections.clone()),
        (false, true) => Some(hinted.connections.clone()),
        _ => None,
    };
    steps.extend([organization, hinted]);
    if let Some(connections) = found {
        return Ok(Routed { decision: resolved(connections), steps });
    }
    for step in [by_domain_hint(db, (application, switches), asked.domain_hint).await?, only(application)] {
        let found = step.matched().then(|| step.connections.clone());
        steps.push(step);
        if let Some(connections) = found {
            return Ok(Routed { decision: resolved(connections), steps });
        }
    }
    Ok(Routed { decision: Decision::Ask, steps })
}

async fn by_connection(
    db: &mut impl Read,
    application: &Application,
    switches: &Switches,
    name: &str,
) -> Result<Step, StoreError> {
    let found = connections::named(db, application.project_id, name).await?;
    Ok(match found.filter(|found| may_use(application, found) && switches.open(found, None)) {
        Some(connection) => Step {
            organization: connection.organization_id,
            ..Step::new(Rule::Connection, Why::ConnectionAllowed).to(&[connection.id])
        },
        None => Step::new(Rule::Connection, Why::ConnectionNotAllowed),
    })
}

async fn by_login_hint(
    db: &mut impl Read,
    (application, switches): (&Application, &Switches),
    hint: Option<&str>,
    email: Option<&Email>,
) -> Result<Step, StoreError> {
    let step = |why| Step::new(Rule::LoginHint, why);
    let Some(hint) = hint else { return Ok(step(Why::NotAsked)) };
    if let Some(email) = email {
        return by_domain(db, (application, switches), Rule::LoginHint, email.domain()).await;
    }
    Ok(step(if hint.parse::<UserId>().is_ok() { Why::UserNotLookedUp } else { Why::Unreadable }))
}

async fn by_domain_hint(
    db: &mut impl Read,
    of: (&Application, &Switches),
    hint: Option<&str>,
) -> Result<Step, StoreError> {
    match hint.map(DomainName::parse) {
        None => Ok(Step::new(Rule::DomainHint, Why::NotAsked)),
        Some(Ok(name)) => by_domain(db, of, Rule::DomainHint, &name).await,
        Some(Err(_)) => Ok(Step::new(Rule::DomainHint, Why::Unreadable)),
    }
}

async fn by_domain(
    db: &mut impl Read,
    (application, switches): (&Application, &Switches),
    rule: Rule,
    name: &DomainName,
) -> Result<Step, StoreError> {
    let found = routes(db, application, switches, name).await?;
    let why = match (application.settings.domain_based, found.is_empty()) {
        (false, _) => Why::NotDomainBased,
        (true, true) => Why::DomainNotRouted,
        (true, false) => Why::DomainRouted,
    };
    Ok(Step::new(rule, why).to(&found))
}

/// Where addresses of a domain are sent, of an application that routes by domains.
pub async fn routes(
    db: &mut impl Read,
    application: &Application,
    switches: &Switches,
    name: &DomainName,
) -> Result<Vec<ConnectionId>, StoreError> {
    if !application.settings.domain_based {
        return Ok(Vec::new());
    }
    let routed = domains::routed(db, application.project_id, name).await?;
    let open = |(connection, policy): &&(Connection, Policy)| switches.open(connection, Some(policy));
    Ok(routed.iter().filter(open).map(|(connection, _)| connection.id).collect())
}

async fn by_organization(
    db: &mut impl Read,
    (application, switches): (&Application, &Switches),
    name: Option<&str>,
    hinted: &[ConnectionId],
    now: Moment,
) -> Result<Step, StoreError> {
    let step = |why| Step::new(Rule::Organization, why);
    let Some(name) = name else { return Ok(step(Why::NotAsked)) };
    let found = organizations::named(db, application.project_id, name).await?;
    let Some(organization) = found else { return Ok(step(Why::OrganizationUnknown)) };
    let step = |why| Step { organization: Some(organization.id), ..step(why) };
    if !organization.is_active() {
        return Ok(step(Why::OrganizationUnknown));
    }
    // Contractors use their own domain's identity provider (model.md, tension 7): where there are any, everybody
    // says who they are first.
    if delegations::any_to(db, organization.id, now).await? {
        return Ok(step(Why::OrganizationDelegated));
    }
    let all = connections::of_organization(db, organization.id).await?;
    let usable = all.iter().filter(|connection| {
        may_use(application, connection) && switches.open(connection, Some(&organization.policy))
    });
    let own: Vec<_> = usable.map(|connection| connection.id).collect();
    Ok(match () {
        () if own.is_empty() => step(Why::OrganizationWithoutConnection),
        // The hint's domain belongs to another identity provider: nobody else's may assert that address
        // (invariant 2), so the organization's own one could only refuse it.
        () if !hinted.is_empty() && !hinted.iter().any(|id| own.contains(id)) => step(Why::HintOfAnother),
        () => step(Why::OrganizationRouted).to(&own),
    })
}

/// Where there is one way in, there is nothing to ask.
fn only(application: &Application) -> Step {
    match (application.settings.domain_based, application.settings.connections.as_slice()) {
        (false, [only]) => Step::new(Rule::OnlyConnection, Why::OneWayIn).to(&[*only]),
        _ => Step::new(Rule::OnlyConnection, Why::SeveralWaysIn),
    }
}

/// Hints are limited to what the application may use at all.
fn may_use(application: &Application, connection: &Connection) -> bool {
    connection.is_active()
        && application.settings.accepts_connection(connection.id, connection.organization_id.is_some())
}
