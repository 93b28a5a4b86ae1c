//! Work that is done in one transaction, on the database of one moment, where others may be faster.

use std::sync::Arc;

use crate::store::durable::engine::{Database, StoreError, Tx};
use crate::web::reply::Fault;

/// How often it is tried.
const TRIES: usize = 5;

/// Why it was not done.
pub trait Undone: From<StoreError> + Send + 'static {
    /// Whether another transaction was faster, and nothing else is wrong.
    fn is_a_lost_race(&self) -> bool;
}

impl Undone for StoreError {
    fn is_a_lost_race(&self) -> bool {
        matches!(self, Self::Conflict)
    }
}

impl Undone for Fault {
    fn is_a_lost_race(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict))
    }
}

/// Does the work. Whoever loses against another transaction looks again: by then it is seen what that has changed.
pub async fn done<W, T, E, F>(db: &Database, work: &Arc<W>, run: F) -> Result<T, E>
where
    W: Send + Sync + 'static,
    T: Send + 'static,
    E: Undone,
    F: AsyncFn(&W, &mut Tx<'_>) -> Result<T, E> + Copy + Send + 'static,
{
    for _ in 0..TRIES {
        let work = Arc::clone(work);
        match db.write_on_snapshot(async move |tx| run(&work, tx).await).await {
            Err(error) if error.is_a_lost_race() => {}
            outcome => return outcome,
        }
    }
    Err(StoreError::Conflict.into())
}
