//! Whether somebody has tried a version of a connection.

use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::model::readiness::TRIED_WITHIN;
use crate::store::durable::connection_tests;
use crate::store::durable::engine::{StoreError, Tx};

/// Whether a sign-in on trial by this very version has succeeded lately (S1-P6), whoever tried it.
pub async fn tested(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    version: i64,
    now: Moment,
) -> Result<bool, StoreError> {
    connection_tests::has_succeeded(tx, (connection, version), now.minus(TRIED_WITHIN)).await
}
