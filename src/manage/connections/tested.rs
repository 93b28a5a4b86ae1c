//! Whether somebody has tried a version of a connection.

use crate::foundation::id::ConnectionId;
use crate::store::durable::engine::{StoreError, Tx};

/// Whether a test sign-in by this very version has succeeded (S1-P6). Nothing is kept of any yet, so none has.
pub async fn tested(_tx: &mut Tx<'_>, _connection: ConnectionId, _version: i64) -> Result<bool, StoreError> {
    Ok(false)
}
