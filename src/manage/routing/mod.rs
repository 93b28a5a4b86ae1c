//! Why a login goes where it goes: the decision of the login itself, told rule by rule (demands 4.4).

pub mod api;
mod view;

use crate::foundation::domain_name::DomainName;
use crate::foundation::email::Email;
use crate::foundation::id::{ConnectionId, OrganizationId, ProjectId};
use crate::model::connection::Connection;
use crate::model::domain::{Domain, DomainState};
use crate::model::routing::{Question, Rule, Step, Why};
use crate::store::durable::engine::{Read, StoreError};
use crate::store::durable::{connections, domains, organizations};

/// A name that nothing can have.
const NOBODYS: &str = "?";

/// What is named of another organization's reads as what does not exist: nobody asks after the names of others.
async fn as_seen<'q>(
    db: &mut impl Read,
    project: ProjectId,
    asked: Question<'q>,
    sees: Option<OrganizationId>,
) -> Result<Question<'q>, StoreError> {
    let Some(own) = sees else { return Ok(asked) };
    let organization = match asked.organization {
        Some(name) => organizations::named(db, project, name).await?.map(|found| found.id),
        None => None,
    };
    let holder = match asked.connection {
        Some(name) => connections::named(db, project, name).await?.and_then(|found| found.organization_id),
        None => None,
    };
    let seen = |name: Option<&'q str>, of: Option<OrganizationId>| match of {
        Some(of) if of != own => Some(NOBODYS),
        _ => name,
    };
    let (organization, connection) = (seen(asked.organization, organization), seen(asked.connection, holder));
    Ok(Question { organization, connection, ..asked })
}

/// Why a domain leads nowhere, of a claim that the one who asks may know of.
async fn claim(
    db: &mut impl Read,
    project: ProjectId,
    asked: &Question<'_>,
    step: &Step,
    sees: Option<OrganizationId>,
) -> Result<Option<&'static str>, StoreError> {
    if step.why != Why::DomainNotRouted {
        return Ok(None);
    }
    let name = match step.rule {
        Rule::LoginHint => {
            asked.login_hint.and_then(|hint| Email::parse(hint).ok()).map(|email| email.domain().clone())
        }
        _ => asked.domain_hint.and_then(|hint| DomainName::parse(hint).ok()),
    };
    let Some(name) = name else { return Ok(None) };
    let mut claims = domains::claims(db, project, &name).await?;
    claims.retain(|claim| sees.is_none_or(|own| own == claim.organization_id));
    // Of several, the one that came furthest.
    let of = |state: DomainState| claims.iter().find(|claim| claim.state == state);
    let furthest =
        [DomainState::Verified, DomainState::Lapsed, DomainState::Pending].into_iter().find_map(of);
    let is_off = match furthest.is_some_and(|claim| claim.routing_since.is_some()) {
        true => !domains::routed(db, project, &name).await?.is_empty(),
        false => false,
    };
    Ok(Some(match furthest {
        Some(claim) if claim.state == DomainState::Verified && is_off => "domain_method_off",
        found => found.map_or("domain_not_claimed", told),
    }))
}

fn told(claim: &Domain) -> &'static str {
    match (claim.state, claim.routing_since) {
        (DomainState::Pending | DomainState::Removed, _) => "domain_pending",
        (DomainState::Lapsed, _) => "domain_lapsed",
        (DomainState::Verified, None) => "domain_routing_off",
        (DomainState::Verified, Some(_)) => "domain_without_active_connection",
    }
}

/// The connections that steps and decision lead to, each read once.
async fn found(
    db: &mut impl Read,
    project: ProjectId,
    steps: &[Step],
) -> Result<Vec<Connection>, StoreError> {
    let mut ids: Vec<ConnectionId> = steps.iter().flat_map(|step| step.connections.iter().copied()).collect();
    ids.sort();
    ids.dedup();
    let mut found = Vec::new();
    for id in ids {
        found.extend(connections::by_id(db, project, id).await?);
    }
    Ok(found)
}
