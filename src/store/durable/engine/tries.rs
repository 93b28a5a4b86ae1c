//! Work that is done in one transaction where others may be faster. Whoever loses against another transaction looks again:
//! by then it is seen what that has changed.

use std::sync::Arc;

use super::{Database, Engine, Mode, StoreError, Tx};

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

impl Database {
    /// As [`Self::write`], as often as others are faster; in the end, a [`StoreError::Conflict`].
    pub async fn write_again<T, E, W>(&self, work: W) -> Result<T, E>
    where
        W: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: Undone,
    {
        self.tried(Mode::Write, work).await
    }

    /// As [`Self::write_again`], and every statement sees the database of one moment (PostgreSQL: `REPEATABLE READ`): of a
    /// row that has changed since, others were faster.
    pub async fn write_again_on_snapshot<T, E, W>(&self, work: W) -> Result<T, E>
    where
        W: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: Undone,
    {
        self.tried(Mode::WriteOnSnapshot, work).await
    }

    async fn tried<T, E, W>(&self, mode: Mode, work: W) -> Result<T, E>
    where
        W: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: Undone,
    {
        let work = Arc::new(work);
        for _ in 0..TRIES {
            let work = Arc::clone(&work);
            let tried = match &self.0 {
                Engine::Sqlite(sqlite) => sqlite.writer.write_again(work).await,
                Engine::Postgres(postgres) => postgres.transact(mode, async move |tx| work(tx).await).await,
            };
            match tried {
                Err(error) if error.is_a_lost_race() => {}
                outcome => return outcome,
            }
        }
        Err(StoreError::Conflict.into())
    }
}
