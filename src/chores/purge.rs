//! Forgets what is left of organizations that were deleted long enough ago (S1-R05). Their audit trail stays.

use crate::audit;
use crate::broker::Broker;
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, ProjectId};
use crate::foundation::random::Random;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::project::MembershipMode;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{projects, purge};

/// Each of them in many short transactions.
pub async fn run(broker: &Broker) -> Result<(), StoreError> {
    for (project, id) in purge::due(&mut &broker.db, broker.now()).await? {
        let (random, now) = (broker.random.clone(), broker.now());
        let step = Step { random, project, id, now };
        while broker
            .db
            .write({
                let step = step.clone();
                async move |tx| step.run(tx).await
            })
            .await?
        {}
    }
    Ok(())
}

#[derive(Clone)]
struct Step {
    random: Random,
    project: ProjectId,
    id: OrganizationId,
    now: Moment,
}

impl Step {
    /// True: there is more.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let Some(organization) = purge::locked(tx, self.project, self.id, self.now).await? else {
            return Ok(false);
        };
        let users = purge::members(tx, self.id).await?;
        if users.is_empty() {
            purge::rest(tx, &organization).await?;
            let event = AuditEvent::new(self.project, "organization.purged", Outcome::Changed)
                .organization(Some(self.id))
                .actor("house")
                .subject(self.id);
            audit::record(tx, &self.random, self.now, &event).await?;
            return Ok(false);
        }
        // Where one belongs to one organization, nobody is left without it (S3-05).
        let project = projects::by_id(tx, self.project).await?;
        if project.is_some_and(|project| project.settings.membership_mode == MembershipMode::Exclusive) {
            for user in users {
                purge::person(tx, user, self.now).await?;
            }
        }
        Ok(true)
    }
}
