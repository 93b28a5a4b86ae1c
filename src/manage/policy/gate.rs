//! What must be there before an organization may let its members in through its own connection only: whoever would be
//! locked out must have a way back (S1-T1, S1-T2).

use crate::foundation::clock::Moment;
use crate::foundation::id::OrganizationId;
use crate::manage::refused::Refused;
use crate::model::organization::Policy;
use crate::model::project::Project;
use crate::model::readiness::Missing;
use crate::store::durable::engine::Tx;
use crate::store::durable::readiness;

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
