//! Writes down how sign-ins ended, and takes a connection back to what worked before where its new version lets nobody in
//! (demands 4.2).

use crate::audit::Keep;
use crate::broker::Broker;
use crate::broker::connection_return::{Suspect, go_back, suspects};
use crate::broker::connection_swap::NotSwapped;
use crate::model::audit_event::Actor;
use crate::store::durable::engine::StoreError;
use crate::store::durable::projects;

/// What was counted in this process, into the store.
pub async fn settle(broker: &Broker) -> Result<(), StoreError> {
    broker.tally.settle(&broker.db, broker.now()).await
}

/// Looks at every connection that fails.
pub async fn look(broker: &Broker) -> Result<(), StoreError> {
    settle(broker).await?;
    for suspect in suspects(&mut &broker.db, broker.now()).await? {
        match take_back(broker, suspect).await {
            Ok(()) => {}
            Err(NotSwapped::Store(error)) => return Err(error),
            Err(why) => {
                tracing::warn!(connection = %suspect.connection, %why, "a connection that fails cannot go back");
            }
        }
    }
    Ok(())
}

async fn take_back(broker: &Broker, suspect: Suspect) -> Result<(), NotSwapped> {
    let found = projects::by_id(&mut &broker.db, suspect.project).await?;
    let Some(project) = found else { return Ok(()) };
    let keep = Keep {
        random: broker.random.clone(),
        project,
        actor: Actor::House,
        by: None,
        request: None,
        now: broker.now(),
    };
    let swapped = broker.db.write(async move |tx| go_back(tx, &keep, suspect).await).await?;
    if let Some(swapped) = swapped {
        let (connection, version) = (swapped.after.id, swapped.after.version);
        tracing::warn!(%connection, version, "a connection has gone back to what worked before");
    }
    Ok(())
}
