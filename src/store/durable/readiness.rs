//! What is known of an organization that wants to let its members in through its own connection only, in the durable
//! store. As many statements for one domain as for twenty.

use std::collections::BTreeSet;

use super::engine::{Read, StoreError};
use super::{break_glass, connection_runs, connection_tests, connections, domains, memberships};
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::model::connection::Connection;
use crate::model::domain::DomainState;
use crate::model::policy::{Policy, Switches};
use crate::model::readiness::{FAILING, Facts, TRIED_WITHIN, USED_WITHIN};

/// Claims of one organization are few.
const MOST: u32 = 1_000;

/// As things are now, under this policy of the organization's. `switches`: the project's.
pub async fn facts(
    db: &mut impl Read,
    organization: OrganizationId,
    policy: &Policy,
    switches: &Switches,
    now: Moment,
) -> Result<Facts, StoreError> {
    let all = connections::of_organization(db, organization).await?;
    let usable: Vec<_> = all
        .iter()
        .filter(|connection| connection.is_active() && switches.open(connection, Some(policy)))
        .collect();
    let routed = routed(db, organization).await?;
    let leads = |to: &BTreeSet<ConnectionId>| usable.iter().any(|connection| to.contains(&connection.id));
    let relied_on: Vec<_> =
        usable.iter().filter(|connection| routed.iter().any(|to| to.contains(&connection.id))).collect();
    let tried = connection_tests::tried(db, organization, now.minus(TRIED_WITHIN)).await?;
    let is_tried = |connection: &Connection| tried.contains(&(connection.id, connection.version));
    let runs = connection_runs::of_organization(db, organization).await?;
    let is_usable = |id: ConnectionId| usable.iter().any(|connection| connection.id == id);
    Ok(Facts {
        connection: !usable.is_empty(),
        domain: !routed.is_empty() && routed.iter().all(leads),
        owners: memberships::active_owners(db, organization, 2).await?,
        // Members of each domain will come by the one that it leads to, and by no other.
        tested: match relied_on.is_empty() {
            true => usable.iter().any(|connection| is_tried(connection)),
            false => relied_on.iter().all(|connection| is_tried(connection)),
        },
        break_glass: break_glass::is_proved(db, organization, now.minus(USED_WITHIN)).await?,
        failing: runs.iter().any(|(id, run)| is_usable(*id) && run.failures >= FAILING),
    })
}

/// The connections to which each verified domain that is routed leads.
async fn routed(
    db: &mut impl Read,
    organization: OrganizationId,
) -> Result<Vec<BTreeSet<ConnectionId>>, StoreError> {
    let claims = domains::page(db, organization, None, MOST).await?;
    let leads =
        claims.iter().filter(|claim| claim.state == DomainState::Verified && claim.routing_since.is_some());
    let leads: Vec<_> = leads.map(|claim| claim.id).collect();
    let routes = domains::routes_of(db, organization).await?;
    let to = |id| routes.iter().filter(|(domain, _)| *domain == id).map(|(_, to)| *to).collect();
    Ok(leads.into_iter().map(to).collect())
}
