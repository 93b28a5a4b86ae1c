//! The PostgreSQL arm: a pool of connections, each with its prepared statements.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    GenericClient, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Transaction,
};
use futures_util::{TryFutureExt, TryStreamExt};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres::{Config, IsolationLevel, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::value::Value;
use super::{Param, Row, Step, StoreError, Tx};
use crate::foundation::clock::{Clock, Moment};

/// How long a statement waits for a lock that another transaction holds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// Held while the schema is brought up to date, so that two nodes can start at once. Any number of ours.
const MIGRATION_LOCK: i64 = 0x6265_6861_6c66;

/// What a statement may take on our side beyond what the server allows it: then the server is one that says nothing.
const SILENCE: Duration = Duration::from_secs(2);

pub(super) struct Postgres {
    pool: Pool,
    /// How long the server lets a statement run.
    statement_timeout: Duration,
}

/// How long is waited for the answers on one connection. A server that is there and does not answer (a machine that
/// stands still, a network that drops what it is given) holds nobody up for longer than one that is slow.
pub(super) struct Patience {
    limit: Duration,
    lost: AtomicBool,
}

impl Patience {
    async fn with<T>(&self, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match tokio::time::timeout(self.limit, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.lost.store(true, Ordering::Relaxed);
                Err(StoreError::Unavailable("PostgreSQL does not answer".into()))
            }
        }
    }

    /// Whether an answer is still owed, so that the connection serves nobody else.
    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

/// What a transaction may do and see.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    Write,
    WriteOnSnapshot,
    Read,
}

impl Postgres {
    /// Connects, and brings the schema up to date.
    pub(super) async fn open(settings: &crate::config::Database) -> Result<Self, StoreError> {
        let postgres = Self::new(settings)?;
        postgres.migrate().await?;
        Ok(postgres)
    }

    fn new(settings: &crate::config::Database) -> Result<Self, StoreError> {
        Ok(Self { pool: pool(settings)?, statement_timeout: statement_timeout(settings) })
    }

    fn patience(&self) -> Patience {
        Patience { limit: self.statement_timeout + SILENCE, lost: AtomicBool::new(false) }
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        // Taken out of the pool: its session ends here, and with it the lock and the settings.
        let mut client = Object::take(self.client().await?);
        let patient =
            "SET default_transaction_read_only = off; SET statement_timeout = 0; SET lock_timeout = 0";
        client.batch_execute(patient).await.map_err(refused)?;
        client.batch_execute(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await.map_err(refused)?;
        let runner = super::migrations::runner().set_grouped(true);
        let report = runner.run_async(&mut *client).await;
        report.map_err(|error| super::not_migrated(&error))?;
        client.batch_execute(&guard()).await.map_err(refused)
    }

    async fn client(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            deadpool_postgres::PoolError::Backend(error) => refused(error),
            other => StoreError::Unavailable(other.to_string()),
        })
    }

    pub(super) async fn all(&self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let (client, patience) = (self.client().await?, self.patience());
        let found = all(&client, &patience, sql, params).await;
        throw_away_if_lost(client, &patience);
        found
    }

    /// Dropped half-way, the transaction is rolled back before its connection serves anybody else.
    pub(super) async fn transact<T, E, F>(&self, mode: Mode, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        let (mut client, patience) = (self.client().await?, self.patience());
        let outcome = Self::transact_on(&mut client, &patience, mode, work).await;
        throw_away_if_lost(client, &patience);
        outcome
    }

    async fn transact_on<T, E, F>(
        client: &mut Object,
        patience: &Patience,
        mode: Mode,
        work: F,
    ) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        let (isolation, read_only) = match mode {
            Mode::Write => (IsolationLevel::ReadCommitted, false),
            Mode::WriteOnSnapshot => (IsolationLevel::RepeatableRead, false),
            Mode::Read => (IsolationLevel::RepeatableRead, true),
        };
        let begin = client.build_transaction().isolation_level(isolation).read_only(read_only);
        let transaction = patience.with(begin.start().map_err(refused)).await?;
        let mut tx = Tx::postgres(&transaction, patience, !read_only);
        // Apart, because it would lie on the stack once for each of the functions that lead here.
        let outcome = Box::pin(work(&mut tx)).await;
        match tx.settle(outcome) {
            Ok(value) => {
                patience.with(transaction.commit().map_err(refused)).await.map(|()| value).map_err(E::from)
            }
            // Its connection ends, and the transaction with it.
            Err(error) if patience.is_lost() => Err(error),
            Err(error) => {
                // If even this fails the connection is broken, and the pool throws it away.
                let _ = patience.with(transaction.rollback().map_err(refused)).await;
                Err(error)
            }
        }
    }
}

/// See [`super::Database::age`].
pub(super) async fn steps(settings: &crate::config::Database) -> Result<Option<Vec<Step>>, StoreError> {
    let postgres = Postgres::new(settings)?;
    let (client, patience) = (postgres.client().await?, postgres.patience());
    let asked = async {
        match client.query(super::STEPS, &[]).await {
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(Vec::new()),
            answer => answer.map_err(refused),
        }
    };
    let rows = patience.with(asked).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let step = |row: &tokio_postgres::Row| {
        Ok(Step { version: row.try_get(0)?, name: row.try_get(1)?, checksum: row.try_get(2)? })
    };
    rows.iter().map(step).collect::<Result<_, _>>().map(Some).map_err(refused)
}

/// See [`super::Database::apart`].
pub(super) async fn apart(settings: &crate::config::Database, clock: &Clock) -> Result<Duration, StoreError> {
    let postgres = Postgres::new(settings)?;
    let (client, patience) = (postgres.client().await?, postgres.patience());
    let asked = clock.now();
    let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
    let row = patience.with(client.query_one(sql, &[]).map_err(refused)).await?;
    let theirs = Moment::from_millis(row.try_get(0).map_err(refused)?);
    Ok(asked.since(theirs).max(theirs.since(clock.now())))
}

fn throw_away_if_lost(client: Object, patience: &Patience) {
    if patience.is_lost() {
        drop(Object::take(client));
    }
}

pub(super) async fn all(
    client: &impl GenericClient,
    patience: &Patience,
    sql: &'static str,
    params: &[Param<'_>],
) -> Result<Vec<Row>, StoreError> {
    let asked = async {
        let statement = prepare(client, sql, params).await?;
        let stream = client.query_raw(&statement, params).await.map_err(refused)?;
        stream.try_collect::<Vec<_>>().await.map_err(refused)
    };
    let rows = patience.with(asked).await?;
    rows.iter().map(|row| owned(row, sql)).collect()
}

pub(super) async fn execute(
    transaction: &Transaction<'_>,
    patience: &Patience,
    sql: &'static str,
    params: &[Param<'_>],
) -> Result<u64, StoreError> {
    let asked = async {
        let statement = prepare(transaction, sql, params).await?;
        transaction.execute_raw(&statement, params).await.map_err(refused)
    };
    patience.with(asked).await
}

/// Locks a row until the transaction ends.
pub(super) async fn lock(
    transaction: &Transaction<'_>,
    patience: &Patience,
    sql: &str,
    id: &str,
) -> Result<(), StoreError> {
    let asked = async {
        let statement = transaction.prepare_cached(sql).await.map_err(refused)?;
        transaction.execute(&statement, &[&id]).await.map(drop).map_err(refused)
    };
    patience.with(asked).await
}

async fn prepare(
    client: &impl GenericClient,
    sql: &'static str,
    params: &[Param<'_>],
) -> Result<tokio_postgres::Statement, StoreError> {
    Param::check_all(params)?;
    let statement = client.prepare_cached(sql).await.map_err(refused)?;
    let places = statement.params().len();
    if places == params.len() {
        return Ok(statement);
    }
    Err(StoreError::Statement(format!("{places} parameters wanted, {} given: {sql}", params.len())))
}

/// The error of the driver is not shown: it may quote a password that was not percent-encoded.
fn pool(settings: &crate::config::Database) -> Result<Pool, StoreError> {
    let mut config: Config =
        settings.url.parse().map_err(|_| StoreError::Url("not a PostgreSQL URL that can be read"))?;
    let patience = statement_timeout(settings);
    // To compile a statement takes longer than any of ours runs.
    let limits = format!(
        "-c jit=off {} -c default_transaction_read_only=on -c statement_timeout={} -c lock_timeout={}",
        config.get_options().unwrap_or_default(),
        patience.as_millis(),
        LOCK_TIMEOUT.as_millis()
    );
    config.options(limits.trim()).application_name("behalf").connect_timeout(patience);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = if config.get_ssl_mode() == SslMode::Disable {
        Manager::from_config(config, NoTls, recycling)
    } else {
        Manager::from_config(config, MakeRustlsConnect::new(tls()?), recycling)
    };
    let pool = Pool::builder(manager).runtime(Runtime::Tokio1).max_size(settings.connections.max(1));
    let pool = pool.wait_timeout(Some(patience)).create_timeout(Some(patience));
    pool.build().map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn statement_timeout(settings: &crate::config::Database) -> Duration {
    Duration::from_secs(settings.statement_timeout.max(1))
}

/// The certificate is always checked, against the authorities that this machine trusts.
fn tls() -> Result<ClientConfig, StoreError> {
    let broken = |error: rustls::Error| StoreError::Unavailable(format!("TLS: {error}"));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(broken)?.with_platform_verifier().map_err(broken)?;
    Ok(config.with_no_client_auth())
}

impl ToSql for Param<'_> {
    fn to_sql(
        &self,
        wanted: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self, wanted) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(number), &Type::INT8) => number.to_sql(wanted, out),
            (Self::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(wanted, out),
            (Self::Text(text), &Type::TEXT | &Type::VARCHAR) => text.as_ref().to_sql(wanted, out),
            (Self::Bytes(bytes), &Type::BYTEA) => bytes.as_ref().to_sql(wanted, out),
            (param, wanted) => {
                let problem = format!("{} where PostgreSQL wants {wanted}", param.kind());
                Err(Box::new(StoreError::Statement(problem)))
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn owned(row: &tokio_postgres::Row, statement: &'static str) -> Result<Row, StoreError> {
    let mut kept = Row::new(statement, row.len());
    for column in 0..row.len() {
        kept.push(value(row, column).ok_or(StoreError::Corrupt { statement, column })?);
    }
    Ok(kept)
}

/// `None` for a type that SQLite has not got either.
fn value(row: &tokio_postgres::Row, column: usize) -> Option<Value<'_>> {
    let number = |number: Option<i64>| number.map_or(Value::Null, Value::Int);
    match *row.columns()[column].type_() {
        Type::TEXT | Type::VARCHAR => {
            row.try_get::<_, Option<&str>>(column).ok().map(|text| text.map_or(Value::Null, Value::Text))
        }
        Type::BYTEA => {
            row.try_get::<_, Option<&[u8]>>(column).ok().map(|bytes| bytes.map_or(Value::Null, Value::Bytes))
        }
        Type::INT8 => row.try_get(column).ok().map(number),
        Type::INT4 => row.try_get(column).ok().map(|n: Option<i32>| number(n.map(i64::from))),
        Type::BOOL => row.try_get(column).ok().map(|n: Option<bool>| number(n.map(i64::from))),
        _ => None,
    }
}

fn refused(error: tokio_postgres::Error) -> StoreError {
    if let Some(failure) = error.as_db_error() {
        return answered(failure);
    }
    match error.source() {
        None => StoreError::Unavailable(error.to_string()),
        Some(cause) => match cause.downcast_ref::<StoreError>() {
            Some(ours) => ours.clone(),
            None => StoreError::Unavailable(format!("{error}: {cause}")),
        },
    }
}

/// See [`super::APPEND_ONLY`]. Once for each statement; what is there as it was made, and switched on, is left alone, for to
/// make it anew would hold up whoever writes meanwhile. The type of a trigger: before (2), delete (8), update (16), truncate
/// (32); see PostgreSQL's `pg_trigger.h`.
fn guard() -> String {
    let refuse = "$refuse$ BEGIN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END $refuse$";
    let one = |(table, _)| {
        format!(
            "IF NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
                            WHERE t.tgrelid = '{table}'::regclass AND t.tgname = '{table}_append_only'
                              AND t.tgenabled IN ('O', 'A') AND t.tgtype = 58 AND t.tgqual IS NULL
                              AND t.tgattr::text = '' AND f.oid = to_regprocedure('append_only()')
                              AND f.prosrc = {refuse}) THEN
                 CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS {refuse};
                 DROP TRIGGER IF EXISTS {table}_append_only ON {table};
                 CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
                 FOR EACH STATEMENT EXECUTE FUNCTION append_only();
             END IF;"
        )
    };
    format!("DO $guard$ BEGIN {} END $guard$", super::APPEND_ONLY.map(one).concat())
}

/// Never the detail of the error, which quotes values.
fn answered(failure: &DbError) -> StoreError {
    let constraint = || failure.constraint().unwrap_or_default().to_owned();
    match *failure.code() {
        SqlState::UNIQUE_VIOLATION => StoreError::Unique { what: constraint() },
        SqlState::FOREIGN_KEY_VIOLATION => StoreError::ForeignKey,
        SqlState::NOT_NULL_VIOLATION | SqlState::CHECK_VIOLATION => {
            StoreError::Constraint(failure.message().into())
        }
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE => StoreError::Conflict,
        ref code => {
            let text = format!("{}: {}", code.code(), failure.message());
            // Class 22: a value, 25: the transaction, 42: the statement; see PostgreSQL's table of error codes.
            let ours = ["22", "25", "42"].iter().any(|class| code.code().starts_with(class));
            if ours { StoreError::Statement(text) } else { StoreError::Unavailable(text) }
        }
    }
}
