//! What must be there before an organization may let its members in through its own connection only: whoever would be
//! locked out must have a way back (S1-T1, S1-T2).

use crate::foundation::clock::Moment;
use crate::foundation::id::OrganizationId;
use crate::manage::refused::Refused;
use crate::model::organization::Policy;
use crate::model::policy::Switches;
use crate::model::project::Project;
use crate::model::readiness::Missing;
use crate::store::durable::engine::Tx;
use crate::store::durable::{readiness, ways_in};

/// What is missing, in the order in which somebody would see to it. What nobody can know yet counts as missing.
pub(super) async fn missing(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    policy: &Policy,
    project: &Project,
    now: Moment,
) -> Result<Vec<Missing>, Refused> {
    let facts = readiness::facts(tx, organization, policy, &project.settings.switches, now).await?;
    Ok(facts.missing())
}

/// What keeps every owner out under `after` of whom some come in under `before`: as far as anybody can know, by what they
/// have come by until now. Nothing where one still comes in, or none did. An owner who wants more of everybody shows first
/// that they have it themselves.
pub(super) async fn owners_locked_out(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    (before, after): (&Policy, &Policy),
    project: &Switches,
) -> Result<Vec<&'static str>, Refused> {
    let mut ways = ways_in::of_owners(tx, organization).await?;
    ways.retain(|way| way.is_open(before, project) && way.is_enough(before));
    let (open, shut): (Vec<_>, Vec<_>) = ways.into_iter().partition(|way| way.is_open(after, project));
    if open.iter().any(|way| way.is_enough(after)) {
        return Ok(Vec::new());
    }
    let all = [(!shut.is_empty(), "owner_by_open_method"), (!open.is_empty(), "owner_with_second_factor")];
    Ok(all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, missing)| missing).collect())
}
