//! Reads the metadata of SAML identity providers again. Each turn is taken by one node, and a document that does not
//! come keeps its distance.

use std::time::Duration;

use crate::broker::{Broker, Look};
use crate::store::durable::engine::StoreError;
use crate::store::durable::metadata_reads;

/// Turns of one round.
const MOST: i64 = 20;
/// If a node dies within its turn, another one takes it after this.
const TURN: Duration = Duration::from_secs(600);

/// Looks at every document whose turn it is, one after the other.
pub async fn look(broker: &Broker) -> Result<(), StoreError> {
    let now = broker.now();
    for (project, turn) in metadata_reads::due(&mut &broker.db, now, MOST).await? {
        let connection = turn.connection_id;
        let taken = broker.db.write(async move |tx| metadata_reads::claim(tx, &turn, now.plus(TURN)).await);
        if !taken.await? {
            continue;
        }
        match broker.saml_metadata.take_turn(project, connection).await? {
            Look::Changed => tracing::info!(%connection, "the metadata of an identity provider has changed"),
            Look::Failed(error) => {
                tracing::warn!(%connection, %error, "the metadata of an identity provider cannot be read again");
            }
            Look::Offered(why) => {
                tracing::warn!(%connection, %why, "the metadata of an identity provider waits for an operator");
            }
            Look::Same | Look::Cooling | Look::NoAddress => {}
        }
    }
    Ok(())
}
