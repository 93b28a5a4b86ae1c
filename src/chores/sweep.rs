//! Forgets what has run out. Nothing that is swept could still let somebody in or keep somebody out.

use std::time::Duration;

use crate::broker::Broker;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{browsers, grants, sessions, signing_keys, used};

/// Kept a while longer, so that a replay of what has just run out is still told from a stranger's guess.
const GRACE: Duration = Duration::from_secs(86_400);

pub async fn run(broker: &Broker) -> Result<(), StoreError> {
    let now = broker.now();
    broker
        .db
        .write(async move |tx| {
            let before = now.minus(GRACE);
            grants::sweep(tx, before).await?;
            sessions::sweep(tx, before).await?;
            browsers::sweep(tx, now).await?;
            used::sweep(tx, before).await?;
            signing_keys::sweep(tx, before).await?;
            Ok(())
        })
        .await
}
