//! Looks domains up again: only the network makes one verified, and only its authoritative silence, or an old proof that
//! nobody renews, makes one lapse (threats C15, C16).

use futures_util::StreamExt;
use futures_util::stream::iter;

use crate::broker::Broker;
use crate::broker::domain_look::take_turn;
use crate::store::durable::domains;
use crate::store::durable::engine::StoreError;

/// How many claims are looked at in one go.
const MOST: i64 = 500;
/// Looks at the same time: one server that does not answer holds up a few others, not all of them.
const AT_ONCE: usize = 16;

/// Looks at every claim that is due.
pub async fn look(broker: &Broker) -> Result<(), StoreError> {
    let due = domains::due(&mut &broker.db, broker.now(), MOST).await?;
    let looks =
        iter(due).map(async |domain| take_turn(broker, domain).await.map(drop)).buffer_unordered(AT_ONCE);
    let all: Vec<_> = looks.collect().await;
    all.into_iter().collect()
}
