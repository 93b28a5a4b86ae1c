//! The one writer of a SQLite file: a thread that commits waiting transactions together, so that durability is
//! full (`synchronous = FULL`) and throughput does not hang on one `fsync` per transaction.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::sqlite::command;
use super::{StoreError, Tx, now_or_never};

/// Most transactions that share one commit.
const BATCH: usize = 64;
/// Most transactions that wait in line; further callers wait outside.
const LINE: usize = 1_024;
/// How long a commit waits for company when the last one had some: one `fsync` costs as much CPU as several transactions.
/// Somebody alone never waits.
const PATIENCE: Duration = Duration::from_micros(500);

/// So many commits: whoever makes work that is undone again and again has others run theirs twice no oftener.
const WHILE: u32 = 64;

/// Bytes. Whole transactions run on it; what is not used takes no memory.
const STACK: usize = 8 * 1024 * 1024;

/// The way to the thread. It ends when every `Writer` of its file is gone.
pub(super) struct Writer {
    line: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (line, jobs) = mpsc::channel(LINE);
        let thread = thread::Builder::new().name("sqlite-writer".into()).stack_size(STACK);
        let started = thread.spawn(move || serve(&mut { connection }, jobs));
        started.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { line })
    }

    /// Runs `work` as one transaction and answers after it is on the disk. A panic in `work` is passed on.
    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let mut work = Some(work);
        self.send(Times::Once, move |tx: &mut Tx<'_>| now_or_never(work.take().ok_or_else(gone)?(tx))).await
    }

    /// As [`Self::write`]. If another transaction of the same commit comes to nothing, `work` may be run once more, of which
    /// only the last counts.
    pub(super) async fn write_again<T, E, W>(&self, work: Arc<W>) -> Result<T, E>
    where
        W: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.send(Times::Any, move |tx: &mut Tx<'_>| now_or_never(work(tx))).await
    }

    async fn send<T, E, F>(&self, times: Times, work: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Errand { work, times, outcome: None, reply };
        self.line.send(Box::new(job)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// How often a job may be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Once,
    Any,
}

fn gone() -> StoreError {
    StoreError::Unavailable("the writer of the SQLite file has ended".into())
}

fn serve(connection: &mut Connection, mut line: mpsc::Receiver<Box<dyn Job>>) {
    let (mut busy, mut keeping_apart) = (false, 0);
    while let Some(first) = line.blocking_recv() {
        if busy {
            wait_for_company();
        }
        let mut batch = vec![first];
        while batch.len() < BATCH {
            let Ok(next) = line.try_recv() else { break };
            batch.push(next);
        }
        busy = batch.len() > 1;
        let committed = commit(connection, &mut batch, &mut keeping_apart);
        for job in batch {
            job.answer(&committed);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread that serves nothing else")]
fn wait_for_company() {
    thread::sleep(PATIENCE);
}

/// All of the batch in one commit, each job apart from the others; or, with an error, none of it.
fn commit(
    connection: &mut Connection,
    batch: &mut [Box<dyn Job>],
    keeping_apart: &mut u32,
) -> Result<(), StoreError> {
    command(connection, "BEGIN IMMEDIATE")?;
    let done = match batch {
        // With nobody beside it the transaction itself keeps it apart; a savepoint would copy every page it changes.
        [only] => run(connection, only.as_mut()),
        many => beside(connection, many, keeping_apart).map(|()| true),
    };
    let committed = done.and_then(|keep| command(connection, if keep { "COMMIT" } else { "ROLLBACK" }));
    if !connection.is_autocommit() && command(connection, "ROLLBACK").is_err() {
        // The next BEGIN fails, and with it every job: nothing is acknowledged that is not stored.
        tracing::error!("a SQLite transaction could not be rolled back");
    }
    committed
}

/// Those that may be run again are not kept apart, but begun anew if one of them is to be undone. It hardly ever is; where it
/// is, all are kept apart for a while.
fn beside(
    connection: &mut Connection,
    batch: &mut [Box<dyn Job>],
    keeping_apart: &mut u32,
) -> Result<(), StoreError> {
    batch.sort_by_key(|job| job.times() == Times::Once);
    let many = batch.partition_point(|job| job.times() == Times::Any);
    let left = match keeping_apart.checked_sub(1) {
        Some(commits) => {
            *keeping_apart = commits;
            batch
        }
        None if together(connection, &mut batch[..many])? => &mut batch[many..],
        None => {
            *keeping_apart = WHILE;
            command(connection, "ROLLBACK")?;
            command(connection, "BEGIN IMMEDIATE")?;
            batch
        }
    };
    left.iter_mut().try_for_each(|job| apart(connection, job.as_mut()))
}

/// Whether nothing of what they did is to be undone.
fn together(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> Result<bool, StoreError> {
    for job in jobs {
        let before = connection.total_changes();
        if !run(connection, job.as_mut())? && connection.total_changes() != before {
            return Ok(false);
        }
    }
    Ok(true)
}

fn apart(connection: &mut Connection, job: &mut dyn Job) -> Result<(), StoreError> {
    command(connection, "SAVEPOINT job")?;
    if !run(connection, job)? {
        command(connection, "ROLLBACK TO job")?;
    }
    command(connection, "RELEASE job")
}

/// Whether the work is to be kept.
fn run(connection: &mut Connection, job: &mut dyn Job) -> Result<bool, StoreError> {
    let keep = job.run(connection);
    // A full disk, say, makes SQLite roll back everything by itself.
    if connection.is_autocommit() {
        return Err(StoreError::Unavailable("SQLite gave the transaction up".into()));
    }
    Ok(keep)
}

trait Job: Send {
    fn times(&self) -> Times;
    /// Does the work; whether it is to be kept.
    fn run(&mut self, connection: &mut Connection) -> bool;
    /// Tells the caller how it ended.
    fn answer(self: Box<Self>, committed: &Result<(), StoreError>);
}

type Outcome<T, E> = thread::Result<Result<T, E>>;

struct Errand<F, T, E> {
    work: F,
    times: Times,
    outcome: Option<Outcome<T, E>>,
    reply: oneshot::Sender<Outcome<T, E>>,
}

impl<F, T, E> Job for Errand<F, T, E>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn times(&self) -> Times {
        self.times
    }

    fn run(&mut self, connection: &mut Connection) -> bool {
        // Whoever has left before the start wants nothing done.
        if self.reply.is_closed() {
            self.outcome = None;
            return false;
        }
        let work = &mut self.work;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut tx = Tx::sqlite(connection);
            let outcome = work(&mut tx);
            tx.settle(outcome)
        }));
        let keep = matches!(outcome, Ok(Ok(_)));
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, committed: &Result<(), StoreError>) {
        let outcome = match committed {
            Err(error) => Ok(Err(error.clone().into())),
            Ok(()) => self.outcome.unwrap_or_else(|| Ok(Err(gone().into()))),
        };
        // The caller may have left meanwhile; the work stands.
        let _ = self.reply.send(outcome);
    }
}
