//! About what of connections owners have been written to, in the durable store: of many nodes one does it.

use super::engine::{Read, StoreError, Tx, params};
use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::model::connection::Notice;

/// Whether they have been, of this moment and as far as this stage.
pub async fn is_told(
    db: &mut impl Read,
    connection: ConnectionId,
    what: Notice,
    (moment, stage): (Moment, i64),
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM connection_notices
               WHERE connection_id = $1 AND what = $2 AND moment = $3 AND stage >= $4";
    Ok(db.one(sql, params![connection, what.word(), moment, stage]).await?.is_some())
}

/// That they are; true: they had not been.
pub async fn tell(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    what: Notice,
    (moment, stage): (Moment, i64),
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO connection_notices (connection_id, what, moment, stage) VALUES ($1, $2, $3, $4)
               ON CONFLICT (connection_id, what) DO UPDATE SET moment = excluded.moment, stage = excluded.stage
               WHERE connection_notices.moment <> excluded.moment OR connection_notices.stage < excluded.stage";
    Ok(tx.execute(sql, params![connection, what.word(), moment, stage]).await? > 0)
}
