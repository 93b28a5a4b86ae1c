//! What must be there before an organization may let its members in through its own connection only: whoever would be
//! locked out must have a way back (S1-T1, S1-T2).

use crate::foundation::id::OrganizationId;
use crate::manage::refused::Refused;
use crate::model::domain::DomainState;
use crate::model::organization::Policy;
use crate::model::policy::Switch;
use crate::model::project::Project;
use crate::store::durable::engine::Tx;
use crate::store::durable::{connections, domains, memberships};

const CONNECTION: &str = "connection_not_active";
const DOMAIN: &str = "domain_not_verified";
const OWNER: &str = "second_owner_missing";
const TEST: &str = "test_missing";
const BREAK_GLASS: &str = "break_glass_missing";

/// What is missing, in the order in which somebody would see to it. What nobody can know yet counts as missing.
pub(super) async fn missing(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    policy: &Policy,
    project: &Project,
) -> Result<Vec<&'static str>, Refused> {
    let mut missing = Vec::new();
    let open = |method| project.settings.switches.effective(&policy.switches, method);
    let all = connections::of_organization(tx, organization).await?;
    let usable: Vec<_> = all
        .iter()
        .filter(|connection| connection.is_active() && open(Switch::of(connection)))
        .map(|connection| connection.id)
        .collect();
    if usable.is_empty() {
        missing.push(CONNECTION);
    }
    let mut routed = false;
    for domain in domains::of_organization(tx, organization).await? {
        if domain.state == DomainState::Verified && domain.routing_since.is_some() {
            let to = domains::connections_of(tx, domain.id).await?;
            routed |= to.iter().any(|connection| usable.contains(connection));
        }
    }
    if !routed {
        missing.push(DOMAIN);
    }
    if memberships::active_owners(tx, organization, 2).await? < 2 {
        missing.push(OWNER);
    }
    // Nothing is kept yet of test sign-ins and of ways in for emergencies.
    missing.extend([TEST, BREAK_GLASS]);
    Ok(missing)
}
