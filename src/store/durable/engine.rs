//! The two engines of the durable store, SQLite and PostgreSQL, behind one handful of verbs. Nothing outside
//! knows which one it is.
//!
//! A statement is written once, with `$1`…`$n`, and runs on both; see `migrations/README.md` for what a column
//! may be. Where PostgreSQL cannot tell a type, write `CAST($1 AS BIGINT)`; it also makes a sum readable.
//!
//! A statement that fails ends its transaction: [`Database::write`] then answers with an error even if the work
//! went on. An expected conflict is told by `ON CONFLICT DO NOTHING RETURNING`.

mod error;
mod postgres;
mod sqlite;
pub mod tries;
mod value;
mod writer;

use std::fs::File;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::foundation::clock::Clock;

pub use crate::params;
pub use error::StoreError;
pub use value::{FromColumn, Param, Row, ToParam};

use postgres::{Mode, Postgres};
use sqlite::Sqlite;

/// What can be asked for rows: the database (`&mut &db`), or a transaction.
pub trait Read: Send {
    fn one(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<Option<Row>, StoreError>> + Send;
    fn all(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;
}

impl Read for &Database {
    async fn one(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Option<Row>, StoreError> {
        Database::one(self, sql, params).await
    }
    async fn all(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        Database::all(self, sql, params).await
    }
}

impl Read for Tx<'_> {
    async fn one(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Option<Row>, StoreError> {
        Tx::one(self, sql, params).await
    }
    async fn all(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        Tx::all(self, sql, params).await
    }
}

refinery::embed_migrations!("src/store/durable/migrations");

/// Tables of which no row changes or goes: the trail, and what it is sealed with. Each engine refuses it in words of its own,
/// so this is no step of the schema, but looked to at every start. With what no two rows of each have alike.
const APPEND_ONLY: [(&str, &[&[&str]]); 3] = [
    ("audit_events", &[&["id"]]),
    ("audit_links", &[&["project_id", "chain", "place"], &["event_id"]]),
    ("audit_checkpoints", &[&["project_id", "chain", "place"]]),
];

static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// How many statements this process has run; those that begin and end transactions are not among them.
pub fn statements() -> u64 {
    STATEMENTS.load(Ordering::Relaxed)
}

/// The durable store. A clone is another handle of the same one.
#[derive(Clone)]
pub struct Database(Engine);

#[derive(Clone)]
enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Database {
    /// Opens `sqlite:PATH` or `postgres://…` and brings its schema up to date. Several nodes may do so at once.
    pub async fn open(settings: &crate::config::Database) -> Result<Self, StoreError> {
        let url = settings.url.as_str();
        if let Some(path) = url.strip_prefix("sqlite:") {
            let wait = Duration::from_secs(settings.statement_timeout);
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.starts_with(':') {
                return Err(StoreError::Url("sqlite: is followed by the path of a file"));
            }
            let sqlite = Sqlite::open(Path::new(path), settings.connections, wait)?;
            return Ok(Self(Engine::Sqlite(Arc::new(sqlite))));
        }
        if is_postgresql(url) {
            return Ok(Self(Engine::Postgres(Arc::new(Postgres::open(settings).await?))));
        }
        Err(StoreError::Url("neither sqlite:PATH nor postgres://…"))
    }

    /// The place of the only server of a SQLite file, for as long as the answer is held: what is short-lived stands in
    /// the memory of one process, so a second one would not know the logins that the first has begun. Other commands
    /// need no such place.
    ///
    /// # Errors
    /// Another server holds it.
    pub fn only_server(settings: &crate::config::Database) -> Result<Option<File>, StoreError> {
        let Some(path) = settings.url.strip_prefix("sqlite:") else { return Ok(None) };
        sqlite::only_server(Path::new(path.strip_prefix("//").unwrap_or(path))).map(Some)
    }

    /// Whether there is a database already, and how far its schema has come. Nothing is made or changed to find out.
    pub async fn age(settings: &crate::config::Database) -> Result<Age, StoreError> {
        let taken = match settings.url.strip_prefix("sqlite:") {
            Some(path) => sqlite::steps(Path::new(path.strip_prefix("//").unwrap_or(path)))?,
            None => postgres::steps(settings).await?,
        };
        Ok(taken.map_or(Age::None, |taken| Age::of(&taken)))
    }

    /// How far the database's clock is from ours, but for the time that its answer takes; nothing where it is the same. Nothing
    /// is made or changed to find out.
    pub async fn apart(settings: &crate::config::Database, clock: &Clock) -> Result<Duration, StoreError> {
        match is_postgresql(&settings.url) {
            true => postgres::apart(settings, clock).await,
            false => Ok(Duration::ZERO),
        }
    }

    /// The one row of a `SELECT`, if there is one.
    pub async fn one(&self, sql: &'static str, params: &[Param<'_>]) -> Result<Option<Row>, StoreError> {
        at_most_one(self.all(sql, params).await?, sql)
    }

    /// The rows of a `SELECT`. On SQLite it runs where the caller stands: ask for pages, not for everything.
    pub async fn all(&self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        match &self.0 {
            Engine::Sqlite(sqlite) => sqlite::all(&sqlite.reader(), sql, params),
            Engine::Postgres(postgres) => postgres.all(sql, params).await,
        }
    }

    /// One transaction: `db.write(async move |tx| { tx.execute("…", params![…]).await?; Ok(()) })`. `Ok` means
    /// that it is on the disk; an error, that nothing of it happened (unless the connection broke at the commit
    /// itself). A caller who is cancelled leaves all of it or nothing.
    ///
    /// `work` awaits nothing but `tx`: on SQLite it holds up every other writer.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.0 {
            Engine::Sqlite(sqlite) => sqlite.writer.write(work).await,
            Engine::Postgres(postgres) => postgres.transact(Mode::Write, work).await,
        }
    }

    /// Several reads of the database of one moment. Whoever tries to write gets an error. As in [`Self::write`],
    /// `work` awaits nothing but `tx`.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.0 {
            Engine::Sqlite(sqlite) => read_here(sqlite, work),
            Engine::Postgres(postgres) => postgres.transact(Mode::Read, work).await,
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.one("SELECT 1", &[]).await.map(drop)
    }

    /// For the log only.
    pub fn engine(&self) -> &'static str {
        match &self.0 {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgresql",
        }
    }
}

fn is_postgresql(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// What became of a database by the last start on it. `Display` is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Age {
    #[error("nothing is in it yet; the first start makes it")]
    None,
    /// These steps of the schema are still to be taken.
    #[error("its schema lacks {}, which the next start of this version adds", .0.join(", "))]
    Earlier(Vec<String>),
    #[error(
        "a later version has taken the step {0} with its schema, which this one does not know: start that version, or \
         restore a backup from before it"
    )]
    Later(String),
    #[error(
        "another build has made its schema: its step {0} is not the one of this build. Start the build that made it, or \
         name an empty database in database.url"
    )]
    Foreign(String),
    #[error("its schema is up to date")]
    Present,
}

impl Age {
    fn of(taken: &[Step]) -> Self {
        let runner = migrations::runner();
        let ours = runner.get_migrations();
        for step in taken {
            let name = || format!("V{}__{}", step.version, step.name);
            match ours.iter().find(|own| own.version() == step.version) {
                None => return Self::Later(name()),
                Some(own) if own.name() != step.name || own.checksum().to_string() != step.checksum => {
                    return Self::Foreign(name());
                }
                Some(_) => {}
            }
        }
        let is_taken = |version| taken.iter().any(|step| step.version == version);
        let lacks: Vec<_> =
            ours.iter().filter(|own| !is_taken(own.version())).map(ToString::to_string).collect();
        if lacks.is_empty() { Self::Present } else { Self::Earlier(lacks) }
    }
}

/// A step that the schema has taken.
struct Step {
    version: i64,
    name: String,
    checksum: String,
}

/// The steps, if the first start came to its end.
const STEPS: &str = "SELECT CAST(h.version AS BIGINT), h.name, h.checksum FROM refinery_schema_history h
                    WHERE EXISTS (SELECT 1 FROM projects p WHERE p.slug = 'default') ORDER BY h.version";

/// Why the schema was not brought up to date, and what can be done.
fn not_migrated(error: &refinery::Error) -> StoreError {
    use refinery::error::Kind;
    StoreError::Migration(match error.kind() {
        Kind::DivergentVersion(taken, _) => Age::Foreign(taken.to_string()).to_string(),
        Kind::MissingVersion(taken) => Age::Later(taken.to_string()).to_string(),
        _ => error.to_string(),
    })
}

fn read_here<T, E, F>(sqlite: &Sqlite, work: F) -> Result<T, E>
where
    F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
    E: From<StoreError>,
{
    let mut snapshot = sqlite.snapshot()?;
    let mut tx = Tx::sqlite(snapshot.connection());
    let outcome = now_or_never(work(&mut tx));
    tx.settle(outcome)
}

/// On SQLite no statement ever waits, so the work is done when it is first asked.
fn now_or_never<T, E: From<StoreError>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(StoreError::Statement("a transaction awaits nothing but itself".into()).into()),
    }
}

fn at_most_one(mut rows: Vec<Row>, sql: &'static str) -> Result<Option<Row>, StoreError> {
    if rows.len() > 1 {
        return Err(StoreError::Statement(format!("more than one row: {sql}")));
    }
    Ok(rows.pop())
}

/// How a row is locked against other transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Others may read and lock it so too, not change it.
    Shared,
    Exclusive,
}

/// A running transaction.
pub struct Tx<'c> {
    session: Session<'c>,
    doomed: bool,
}

enum Session<'c> {
    Sqlite(&'c mut rusqlite::Connection),
    Postgres {
        transaction: &'c deadpool_postgres::Transaction<'c>,
        patience: &'c postgres::Patience,
        writes: bool,
    },
}

impl<'c> Tx<'c> {
    fn sqlite(connection: &'c mut rusqlite::Connection) -> Self {
        Self { session: Session::Sqlite(connection), doomed: false }
    }

    fn postgres(
        transaction: &'c deadpool_postgres::Transaction<'c>,
        patience: &'c postgres::Patience,
        writes: bool,
    ) -> Self {
        Self { session: Session::Postgres { transaction, patience, writes }, doomed: false }
    }

    /// The one row of a `SELECT`, or of an `INSERT`, `UPDATE` or `DELETE` with `RETURNING`.
    pub async fn one(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Option<Row>, StoreError> {
        let found = at_most_one(self.all(sql, params).await?, sql);
        self.note(found)
    }

    pub async fn all(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        self.may_go_on()?;
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        let found = match &mut self.session {
            Session::Sqlite(connection) => sqlite::all(connection, sql, params),
            Session::Postgres { transaction, patience, .. } => {
                postgres::all(*transaction, patience, sql, params).await
            }
        };
        self.note(found)
    }

    /// How many rows it touched.
    pub async fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        self.may_go_on()?;
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        let touched = match &mut self.session {
            Session::Sqlite(connection) => sqlite::execute(connection, sql, params),
            Session::Postgres { transaction, patience, .. } => {
                postgres::execute(transaction, patience, sql, params).await
            }
        };
        self.note(touched)
    }

    /// Locks the row `id` of `table`, if it exists, until the transaction ends. SQLite has one writer and needs
    /// no lock; neither does a transaction that only reads its snapshot.
    pub async fn lock(&mut self, lock: Lock, table: &'static str, id: &str) -> Result<(), StoreError> {
        self.may_go_on()?;
        let Session::Postgres { transaction, patience, writes: true } = &self.session else { return Ok(()) };
        // Weaker than FOR UPDATE, which would hold up every insert that only refers to the row.
        let strength = if lock == Lock::Shared { "SHARE" } else { "NO KEY UPDATE" };
        let sql = format!("SELECT 1 FROM {table} WHERE id = $1 FOR {strength}");
        let locked = postgres::lock(transaction, patience, &sql, id).await;
        self.note(locked)
    }

    /// The same of all rows of a project, in the order of their ids, so that nobody waits for each other.
    pub async fn lock_all(
        &mut self,
        lock: Lock,
        table: &'static str,
        project: &str,
    ) -> Result<(), StoreError> {
        self.may_go_on()?;
        let Session::Postgres { transaction, patience, writes: true } = &self.session else { return Ok(()) };
        let strength = if lock == Lock::Shared { "SHARE" } else { "NO KEY UPDATE" };
        let sql = format!("SELECT 1 FROM {table} WHERE project_id = $1 ORDER BY id FOR {strength}");
        let locked = postgres::lock(transaction, patience, &sql, project).await;
        self.note(locked)
    }

    fn may_go_on(&self) -> Result<(), StoreError> {
        if self.doomed { Err(StoreError::Doomed) } else { Ok(()) }
    }

    fn note<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.doomed |= result.is_err();
        result
    }

    /// PostgreSQL answers `COMMIT` after a failed statement with a silent rollback, so this must be an error.
    fn settle<T, E: From<StoreError>>(&self, outcome: Result<T, E>) -> Result<T, E> {
        if self.doomed && outcome.is_ok() { Err(StoreError::Doomed.into()) } else { outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_schema_is_told_with_the_steps_that_it_lacks() {
        let Age::Earlier(lacks) = Age::of(&[]) else { panic!("{}", Age::of(&[])) };
        assert_eq!(lacks.first().map(String::as_str), Some("V1__nouns"));
        assert_eq!(Age::Earlier(lacks).to_string().find("its schema lacks V1__nouns"), Some(0));
    }
}
