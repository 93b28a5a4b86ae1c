//! Domains: claimed, proved, switched on and given up. What is decided here is decided within the transaction that keeps
//! it; what the network says was asked before ([`crate::broker::domain_look`]).

pub mod api;
mod auto_join;
mod body;
mod view;

use std::time::Duration;

use serde_json::json;

use super::authority::Need;
use super::desk::{Change, Wanted};
use super::last_way::{Guests, LastWay};
use super::opening::may_open;
use super::refused::{Code, Refused};
use crate::audit;
use crate::broker::domain_look::NEVER;
use crate::foundation::clock::Moment;
use crate::foundation::domain_name::DomainName;
use crate::foundation::id::{ConnectionId, DomainId, OrganizationId};
use crate::model::audit_event::AuditEvent;
use crate::model::connection::Connection;
use crate::model::domain::{Domain, DomainState, Method};
use crate::model::organization::{Enforcement, Organization};
use crate::model::permission::Permission;
use crate::store::durable::engine::Lock;
use crate::store::durable::{
    connection_runs, connection_tests, connection_versions, connections, domains,
    vouched::{self, Place},
};

pub use auto_join::AutoJoinWanted;
pub use view::DomainView;

/// Domains that one organization may claim at a time.
const MOST: i64 = 20;
/// Whoever has signed in by a connection within this shows that it lets people in.
const LATELY: Duration = Duration::from_secs(86_400);
/// Connections that one domain is routed to.
const MOST_ROUTES: usize = 20;

/// A domain, and the connections that it is routed to, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Routed {
    pub domain: Domain,
    pub routes: Vec<ConnectionId>,
}

/// What is wanted of a domain. What is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Switches {
    pub use_for_routing: Option<bool>,
    pub trust_email: Option<bool>,
    pub connections: Option<Vec<ConnectionId>>,
    pub auto_join: AutoJoinWanted,
}

/// Whether what is turned on must have been proved first (S1-D4, S1-D5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turning {
    Proved,
    /// The operator's file says once what shall be, and is not read again after the proof: what it turns on ahead counts
    /// from the proof on, and never before.
    Ahead,
}

/// A claim of the organization, as it is in this transaction.
pub async fn found(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    id: DomainId,
) -> Result<Routed, Refused> {
    // Whoever looks at it unattended locks nothing else.
    change.tx.lock(Lock::Exclusive, "domains", &id.to_string()).await?;
    let domain = domains::of(change.tx, organization, id).await?.ok_or_else(Refused::hidden)?;
    let routes = domains::connections_of(change.tx, id).await?;
    Ok(Routed { domain, routes })
}

/// Claims a domain, which confers nothing and tells nothing of whoever else does (S1-R13, threats C15). One that was given
/// up comes back as a new claim, with nothing switched on.
pub async fn claim(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    name: DomainName,
    method: Method,
) -> Result<Routed, Refused> {
    let keep = change.keep;
    let challenge = keep.random.token().expose().to_owned();
    let known = domains::by_name(change.tx, organization, &name).await?;
    if known.as_ref().is_some_and(|known| known.state != DomainState::Removed) {
        return Err(Refused::new(Code::DomainExists, Code::DomainExists.title()));
    }
    if domains::count(change.tx, organization).await? >= MOST {
        return Err(Refused::new(Code::TooManyDomains, format!("an organization claims at most {MOST}")));
    }
    let domain = match known {
        Some(known) => {
            let domain = Domain { method, ..switched_off(&known).restarted(challenge, keep.now) };
            domains::update(change.tx, &domain).await?;
            domain
        }
        None => {
            let (id, of) = (DomainId::new(&keep.random, keep.now), (keep.project.id, organization));
            let domain = Domain { method, ..Domain::claimed(id, of, name, challenge, keep.now) };
            domains::insert(change.tx, &domain).await?;
            domain
        }
    };
    let claimed = Routed { domain, routes: Vec::new() };
    let event = event(change, "organization.domain.claimed", &claimed);
    change.record(&event.changing(None, Some(view::facts(&claimed)))).await?;
    Ok(claimed)
}

/// The challenge to prove: the same until it runs out, then a fresh one (S1-R14). What lapsed begins anew: it is used again as
/// it was once that is proved, unless another organization has held it meanwhile (threats C16), but lets nobody join by
/// itself. Whoever lost it has no other way to sign in and switch it on.
pub async fn start(
    change: &mut Change<'_, '_>,
    before: Routed,
    method: Option<Method>,
) -> Result<Routed, Refused> {
    let now = change.keep.now;
    let method = method.unwrap_or(before.domain.method);
    if before.domain.state == DomainState::Verified && method != before.domain.method {
        return Err(Refused::value("/method", "a verified domain is looked up as it was proved"));
    }
    let mut after = before.clone();
    if before.domain.is_over(now) {
        let challenge = change.keep.random.token().expose().to_owned();
        let lapsed = before.domain.state == DomainState::Lapsed;
        after.domain = before.domain.restarted(challenge, now);
        if lapsed {
            after.domain.auto_join_since = None;
        }
    }
    if method != after.domain.method {
        (after.domain.method, after.domain.answer, after.domain.next_check_at) = (method, None, now);
    }
    if after == before {
        return Ok(after);
    }
    after.domain.updated_at = now;
    kept(change, "organization.domain.challenged", &before, &after).await?;
    Ok(after)
}

/// Writes what differs of the switches (S1-R16), with the event that tells of it. `forced`: the operator's word, whomever it
/// locks out.
pub async fn switch(
    change: &mut Change<'_, '_>,
    organization: &Organization,
    before: Routed,
    (wanted, turning, forced): (&Switches, Turning, bool),
) -> Result<Routed, Refused> {
    let now = change.keep.now;
    let mut after = before.clone();
    let domain = &mut after.domain;
    domain.routing_since = since(wanted.use_for_routing, domain.routing_since, now);
    domain.trust_since = since(wanted.trust_email, domain.trust_since, now);
    domain.auto_join_since = since(wanted.auto_join.enabled, domain.auto_join_since, now);
    auto_join::rewrite(&before.domain, domain, &wanted.auto_join, now);
    if let Some(routes) = &wanted.connections {
        after.routes.clone_from(routes);
    }
    if !only_takes_away(&before, &after, wanted) {
        let need = Need::OwnRight(Permission::DomainsWrite);
        let besides = Wanted { need, ..Wanted::besides(Permission::DomainsWrite, organization.id) };
        besides.of(&change.standing, now)?;
    }
    let rules = (&before.domain, &after.domain);
    auto_join::refuse_ceiling(change, organization.id, rules, &wanted.auto_join).await?;
    if let Some(routes) = &wanted.connections {
        own(change, organization.id, routes).await?;
    }
    if after == before {
        return Ok(after);
    }
    if turning == Turning::Proved {
        only_when_verified(&before.domain, &after.domain)?;
    }
    if before.domain.routing_since.is_none() && routes(&after).is_none_or(<[_]>::is_empty) {
        let turned_on = after.domain.routing_since.is_some();
        if turned_on {
            return Err(Refused::value("/connection_ids", "routing needs a connection to lead to"));
        }
    }
    if is_relied_on(organization, &before) && !is_relied_on(organization, &after) {
        return Err(depends());
    }
    if is_relied_on(organization, &after) && routes(&before) != routes(&after) {
        leads_somewhere(change, &after, turning).await?;
    }
    let (further, is_trusted_more) = (leads_further(&before, &after), is_trusted_more(&before, &after));
    if !further.is_empty() || is_trusted_more {
        let place = Place { project: change.keep.project.id, organization: organization.id, now };
        let opened = vouched::by_domain(change.tx, place, (&before.domain, &further)).await?;
        let detail = "people of this domain may more than you, or will as soon as they come, and whoever says who they are \
                      could become them: an owner who has just signed in lets it lead there, or the operator";
        may_open(change, organization.id, &opened, detail).await?;
    }
    after.domain.updated_at = now;
    let last_way = LastWay::before(change, organization.id).await?;
    let guests = match routes(&before) == routes(&after) {
        true => Guests::default(),
        false => Guests::of(change, organization.id).await?,
    };
    kept(change, "organization.domain.updated", &before, &after).await?;
    last_way.stays(change, forced).await?;
    guests.stay(change, forced).await?;
    Ok(after)
}

/// Whether nobody is believed, led elsewhere or let in by it who was not before: that outlives no leave, so that whoever acts
/// by one may do it, as they may give the domain up.
fn only_takes_away(before: &Routed, after: &Routed, wanted: &Switches) -> bool {
    let (old, new) = (&before.domain, &after.domain);
    let is_turned_on = |was: Option<Moment>, is: Option<Moment>| was.is_none() && is.is_some();
    let left = before.routes.iter().filter(|one| after.routes.contains(one));
    !is_turned_on(old.routing_since, new.routing_since)
        && !is_turned_on(old.trust_since, new.trust_since)
        && !auto_join::gives_more(old, new, &wanted.auto_join)
        && left.eq(&after.routes)
}

/// Where members come by nothing else, a domain leads to what lets them in: a live connection by which somebody has come,
/// be it on trial. What the operator's file makes live it answers for.
async fn leads_somewhere(
    change: &mut Change<'_, '_>,
    routed: &Routed,
    turning: Turning,
) -> Result<(), Refused> {
    let mut refused = Refused::new(
        Code::ConnectionNotActive,
        "members must come through the organization's own connection, and nobody can by those that the domain would \
         lead to: make one live first",
    );
    for id in &routed.routes {
        let found = connections::by_id(change.tx, change.keep.project.id, *id).await?;
        let Some(found) = found.filter(Connection::is_active) else { continue };
        let is_proved = turning == Turning::Ahead
            || connection_runs::of(change.tx, found.id, found.version).await?.worked_at.is_some()
            // What was counted a moment ago is not written down yet.
            || connection_versions::is_used_since(change.tx, found.id, change.keep.now.minus(LATELY)).await?
            || connection_tests::has_succeeded(
                change.tx,
                (found.id, found.version),
                change.keep.now.minus(crate::model::readiness::TRIED_WITHIN),
            )
            .await?;
        if is_proved {
            return Ok(());
        }
        refused = Refused::new(
            Code::Untested,
            "members must come through the organization's own connection, and nobody has come by those that the \
             domain would lead to: try one first",
        );
    }
    Err(refused)
}

/// Gives a claim up: nobody is routed by it from now on, and it is free for others. Members stay (S1-R17).
async fn remove(
    change: &mut Change<'_, '_>,
    organization: &Organization,
    before: Routed,
    by_force: bool,
) -> Result<(), Refused> {
    if !by_force && is_relied_on(organization, &before) {
        return Err(depends());
    }
    let now = change.keep.now;
    let last_way = LastWay::before(change, organization.id).await?;
    let guests = Guests::of(change, organization.id).await?;
    let domain = Domain {
        state: DomainState::Removed,
        next_challenge: None,
        removed_at: Some(now),
        updated_at: now,
        next_check_at: NEVER,
        ..switched_off(&before.domain)
    };
    kept(change, "organization.domain.removed", &before, &Routed { domain, routes: Vec::new() }).await?;
    last_way.stays(change, by_force).await?;
    guests.stay(change, by_force).await
}

fn switched_off(domain: &Domain) -> Domain {
    Domain { routing_since: None, trust_since: None, auto_join_since: None, ..domain.clone() }
}

/// A switch that is on stays on since it was turned.
fn since(wanted: Option<bool>, known: Option<Moment>, now: Moment) -> Option<Moment> {
    match wanted {
        Some(true) => known.or(Some(now)),
        Some(false) => None,
        None => known,
    }
}

/// Nothing is turned on before the proof (S1-D4, S1-D5).
fn only_when_verified(before: &Domain, after: &Domain) -> Result<(), Refused> {
    let turned_on = [
        (before.routing_since, after.routing_since),
        (before.trust_since, after.trust_since),
        (before.auto_join_since, after.auto_join_since),
    ]
    .into_iter()
    .any(|(before, after)| before.is_none() && after.is_some());
    if turned_on && before.state != DomainState::Verified {
        return Err(Refused::new(Code::DomainNotVerified, "prove the domain first"));
    }
    Ok(())
}

/// Only its own connections assert an organization's addresses (invariant 2).
async fn own(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    routes: &[ConnectionId],
) -> Result<(), Refused> {
    if routes.len() > MOST_ROUTES {
        return Err(Refused::value("/connection_ids", format!("must be at most {MOST_ROUTES}")));
    }
    for (place, id) in routes.iter().enumerate() {
        let found = connections::by_id(change.tx, change.keep.project.id, *id).await?;
        if found.and_then(|found| found.organization_id) != Some(organization) {
            let pointer = format!("/connection_ids/{place}");
            return Err(Refused::value(&pointer, "the organization has no such connection"));
        }
    }
    Ok(())
}

/// The connections that may say who somebody of the domain is, and might not before.
fn leads_further(before: &Routed, after: &Routed) -> Vec<ConnectionId> {
    let known = routes(before).unwrap_or_default();
    routes(after).unwrap_or_default().iter().filter(|to| !known.contains(to)).copied().collect()
}

/// Whether those to which it leads are believed more.
fn is_trusted_more(before: &Routed, after: &Routed) -> bool {
    let trusts = before.domain.trust_since.is_none() && after.domain.trust_since.is_some();
    trusts && routes(after).is_some_and(|routes| !routes.is_empty())
}

/// Where a domain leads now; nowhere, while it is not routed.
fn routes(routed: &Routed) -> Option<&[ConnectionId]> {
    routed.domain.routing_since.map(|_| &*routed.routes)
}

/// Whether members could not sign in any more without it: they must come through the organization's own connection.
fn is_relied_on(organization: &Organization, routed: &Routed) -> bool {
    organization.policy.enforcement == Enforcement::Required
        && routed.domain.state == DomainState::Verified
        && routes(routed).is_some_and(|routes| !routes.is_empty())
}

fn depends() -> Refused {
    let detail =
        "members must come through the organization's own connection, and this domain leads them there";
    Refused::new(Code::EnforcementDepends, detail)
}

async fn kept(
    change: &mut Change<'_, '_>,
    action: &'static str,
    before: &Routed,
    after: &Routed,
) -> Result<(), Refused> {
    domains::update(change.tx, &after.domain).await?;
    if after.routes != before.routes {
        domains::set_connections(change.tx, after.domain.id, &after.routes).await?;
    }
    let (was, is) = audit::differing(&json!(view::facts(before)), &json!(view::facts(after)));
    let event = event(change, action, after).changing(Some(was), Some(is));
    change.record(&event).await
}

fn event(change: &Change<'_, '_>, action: &'static str, routed: &Routed) -> AuditEvent {
    let domain = &routed.domain;
    let event = change.keep.event(action, domain.organization_id).subject(domain.id);
    event.with("domain", domain.name.as_str())
}
