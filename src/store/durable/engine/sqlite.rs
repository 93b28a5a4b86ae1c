//! The SQLite arm: readers that are used where the caller stands, and one writer (see `writer`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::rc::Rc;
use std::sync::{self, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, TransactionBehavior, ffi};

use super::value::Value;
use super::writer::Writer;
use super::{Param, Row, Step, StoreError};

/// More statements than the house has, so that each is prepared once per connection.
const STATEMENTS: usize = 1_024;

pub(super) struct Sqlite {
    readers: Box<[Mutex<Connection>]>,
    pub(super) writer: Writer,
}

impl Sqlite {
    /// Opens the file, makes it if need be, and brings its schema up to date. `wait`: how long a write waits
    /// for another process.
    pub(super) fn open(path: &Path, readers: usize, wait: Duration) -> Result<Self, StoreError> {
        // One process at a time: SQLite does not wait for its turn to change the journal's mode.
        let turn = turn(path)?;
        create_private(path)?;
        let made = connect(path, wait).and_then(|mut writer| {
            set_up(&writer)?;
            migrate(&mut writer)?;
            guard(&writer)?;
            Ok(writer)
        });
        let writer = made.map_err(|error| of_file(path, error))?;
        drop(turn);
        let readers = (0..readers.max(1)).map(|_| reader(path, wait).map(Mutex::new));
        Ok(Self { readers: readers.collect::<Result<_, _>>()?, writer: Writer::start(writer)? })
    }

    /// A connection that cannot write, the first one free: its statements are the warmest. Never held across
    /// an `await`.
    pub(super) fn reader(&self) -> MutexGuard<'_, Connection> {
        let free = self.readers.iter().find_map(|reader| match reader.try_lock() {
            Ok(reader) => Some(reader),
            Err(sync::TryLockError::Poisoned(reader)) => Some(reader.into_inner()),
            Err(sync::TryLockError::WouldBlock) => None,
        });
        // A read is shorter than a thread hop, so the wait for one is short.
        free.unwrap_or_else(|| self.readers[0].lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let reader = self.reader();
        command(&reader, "BEGIN DEFERRED")?;
        Ok(Snapshot(reader))
    }
}

/// See [`super::Database::age`].
pub(super) fn steps(path: &Path) -> Result<Option<Vec<Step>>, StoreError> {
    if !path.is_file() {
        return Ok(None);
    }
    match steps_taken(path) {
        Ok(steps) => Ok(Some(steps).filter(|steps| !steps.is_empty())),
        Err(error) if error.to_string().contains("no such table") => Ok(None),
        Err(error) => Err(of_file(path, refused(error))),
    }
}

fn steps_taken(path: &Path) -> rusqlite::Result<Vec<Step>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let mut statement = connection.prepare(super::STEPS)?;
    let step =
        |row: &rusqlite::Row<'_>| Ok(Step { version: row.get(0)?, name: row.get(1)?, checksum: row.get(2)? });
    statement.query_map([], step)?.collect()
}

/// What keeps a file from being opened, with its name.
fn of_file(path: &Path, error: StoreError) -> StoreError {
    let why = match error {
        StoreError::Unavailable(why) | StoreError::Statement(why) | StoreError::Migration(why) => why,
        other => return other,
    };
    StoreError::Unavailable(format!("{}: {why}", path.display()))
}

/// A reader that sees the database of one moment until it goes.
pub(super) struct Snapshot<'p>(MutexGuard<'p, Connection>);

impl Snapshot<'_> {
    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.0
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // After a panic too; there is nothing to commit.
        if let Err(error) = command(&self.0, "ROLLBACK") {
            tracing::error!(%error, "a SQLite snapshot could not be left");
        }
    }
}

/// Held while a process sets the file up. The lock is on the folder: a second handle of the file itself would take
/// SQLite's own locks along when it closes.
fn turn(path: &Path) -> Result<File, StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unavailable = |error| StoreError::Unavailable(format!("{}: {error}", folder.display()));
    let folder = File::open(folder).map_err(unavailable)?;
    folder.lock().map_err(unavailable)?;
    Ok(folder)
}

/// See [`super::Database::only_server`]. The lock is on a file beside the database, and goes with the process; the file
/// stays, for whoever removed it could remove one that another server has just locked.
pub(super) fn only_server(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-serving");
    let beside = Path::new(&name);
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let unavailable = |error| StoreError::Unavailable(format!("{}: {error}", beside.display()));
    let file = options.open(beside).map_err(unavailable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Served { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(unavailable(error)),
    }
}

/// Only the operator may read the file; SQLite gives its companions (`-wal`, `-shm`) the same mode.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(path);
    opened.map(drop).map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))
}

fn connect(path: &Path, wait: Duration) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(refused)?;
    connection.busy_timeout(wait).map_err(refused)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // One plan for whatever is bound; otherwise some statements are prepared anew each time that they run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(refused)?;
    Ok(connection)
}

fn set_up(writer: &Connection) -> Result<(), StoreError> {
    let set = |name, value: &str| {
        writer.pragma_update_and_check(None, name, value, |row| row.get::<_, String>(0)).map_err(refused)
    };
    if set("journal_mode", "WAL")? != "wal" {
        return Err(StoreError::Unavailable("the file system has no shared memory for SQLite's WAL".into()));
    }
    writer.pragma_update(None, "synchronous", "FULL").map_err(refused)?;
    // As many pages as one table of the WAL's index holds: whatever is written again meanwhile is copied back once.
    writer.pragma_update_and_check(None, "wal_autocheckpoint", 4_000, |_| Ok(())).map_err(refused)?;
    // Where transactions share a commit, what each may have to undo is kept in memory and not in a file.
    writer.pragma_update(None, "temp_store", "MEMORY").map_err(refused)?;
    // Otherwise what `REPLACE` deletes asks no trigger.
    writer.pragma_update(None, "recursive_triggers", "ON").map_err(refused)?;
    writer.pragma_update(None, "foreign_keys", "ON").map_err(refused)
}

/// See [`super::APPEND_ONLY`]. A trigger that is not as it was made is made anew.
fn guard(writer: &Connection) -> Result<(), StoreError> {
    for (table, keys) in super::APPEND_ONLY {
        let is_there = is_there(table, keys);
        for (name, when) in [("update", "UPDATE"), ("delete", "DELETE"), ("replace", "INSERT")] {
            let condition = if when == "INSERT" { format!("WHEN {is_there} ") } else { String::new() };
            let name = format!("{table}_no_{name}");
            let wanted = format!(
                "CREATE TRIGGER {name} BEFORE {when} ON {table} \
                 {condition}BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            );
            let sql = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = $1 AND sql = $2";
            let known = writer.prepare(sql).and_then(|mut known| known.exists([&name, &wanted]));
            if !known.map_err(refused)? {
                let anew = format!("BEGIN IMMEDIATE; DROP TRIGGER IF EXISTS {name}; {wanted}; COMMIT");
                writer.execute_batch(&anew).map_err(refused)?;
            }
        }
    }
    Ok(())
}

/// Whether a row that comes would take the place of another one. What `REPLACE` deletes asks a trigger for deletes only
/// where `recursive_triggers` is on, which is for each program to say. Where nobody gives a `rowid`, it is -1 here.
fn is_there(table: &str, keys: &[&[&str]]) -> String {
    let taken = |key: &&[&str]| {
        let same: Vec<_> = key.iter().map(|column| format!("{column} = NEW.{column}")).collect();
        format!("EXISTS (SELECT 1 FROM {table} WHERE {})", same.join(" AND "))
    };
    let rowid: &[&str] = &["rowid"];
    let taken: Vec<_> = [rowid].iter().chain(keys).map(taken).collect();
    taken.join(" OR ")
}

fn reader(path: &Path, wait: Duration) -> Result<Connection, StoreError> {
    let connection = connect(path, wait)?;
    connection.pragma_update(None, "query_only", "ON").map_err(refused)?;
    Ok(connection)
}

/// Two processes may start at once. All steps are one transaction, so the second one fails on what the first
/// has made, loses nothing, and finds nothing left to do when it looks again.
fn migrate(writer: &mut Connection) -> Result<(), StoreError> {
    writer.set_transaction_behavior(TransactionBehavior::Immediate);
    let runner = super::migrations::runner().set_grouped(true);
    let report = runner.run(writer).or_else(|_| runner.run(writer));
    report.map(drop).map_err(|error| super::not_migrated(&error))
}

/// Runs a statement that answers with rows.
pub(super) fn all(
    connection: &Connection,
    sql: &'static str,
    params: &[Param<'_>],
) -> Result<Vec<Row>, StoreError> {
    let mut statement = prepare(connection, sql, params)?;
    let width = statement.column_count();
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    // To the end, for only then are the constraints of an INSERT … RETURNING checked.
    while let Some(row) = rows.next().map_err(refused)? {
        let mut kept = Row::new(sql, width);
        for column in 0..width {
            let value = row.get_ref(column).map_err(refused)?;
            kept.push(read(value).ok_or(StoreError::Corrupt { statement: sql, column })?);
        }
        found.push(kept);
    }
    Ok(found)
}

/// Runs a statement without an answer and tells how many rows it touched.
pub(super) fn execute(
    connection: &Connection,
    sql: &'static str,
    params: &[Param<'_>],
) -> Result<u64, StoreError> {
    let touched = prepare(connection, sql, params)?.raw_execute().map_err(refused)?;
    Ok(touched as u64)
}

/// `BEGIN`, `COMMIT` and the like.
pub(super) fn command(connection: &Connection, sql: &'static str) -> Result<(), StoreError> {
    execute(connection, sql, &[]).map(drop)
}

fn prepare<'c>(
    connection: &'c Connection,
    sql: &'static str,
    params: &[Param<'_>],
) -> Result<CachedStatement<'c>, StoreError> {
    Param::check_all(params)?;
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let places = statement.parameter_count();
    if places != params.len() {
        return Err(StoreError::Statement(format!(
            "{places} parameters wanted, {} given: {sql}",
            params.len()
        )));
    }
    let misnamed = || StoreError::Statement(format!("parameters are $1..$n: {sql}"));
    for (place, index) in indices(&statement, sql).ok_or_else(misnamed)?.iter().enumerate() {
        let param = params.get(*index).ok_or_else(misnamed)?;
        statement.raw_bind_parameter(place + 1, param).map_err(refused)?;
    }
    Ok(statement)
}

/// By where the text of a statement is, which stays there.
type Indices = HashMap<(*const u8, usize), Rc<[usize]>>;

thread_local! {
    static INDICES: RefCell<Indices> = RefCell::default();
}

/// Which parameter stands in each place: to SQLite `$2` is a name, numbered by where it first appears; to us the number is
/// its own.
fn indices(statement: &CachedStatement<'_>, sql: &'static str) -> Option<Rc<[usize]>> {
    let text = (sql.as_ptr(), sql.len());
    if let Some(known) = INDICES.with_borrow(|known| known.get(&text).cloned()) {
        return Some(known);
    }
    let index = |place| number(statement.parameter_name(place)?)?.checked_sub(1);
    let found: Rc<[usize]> = (1..=statement.parameter_count()).map(index).collect::<Option<_>>()?;
    INDICES.with_borrow_mut(|known| known.insert(text, Rc::clone(&found)));
    Some(found)
}

fn number(name: &str) -> Option<usize> {
    name.strip_prefix('$')?.parse().ok()
}

impl rusqlite::ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// `None` for what the schema knows no column of.
fn read(value: ValueRef<'_>) -> Option<Value<'_>> {
    match value {
        ValueRef::Null => Some(Value::Null),
        ValueRef::Integer(number) => Some(Value::Int(number)),
        ValueRef::Text(text) => std::str::from_utf8(text).ok().map(Value::Text),
        ValueRef::Blob(bytes) => Some(Value::Bytes(bytes)),
        ValueRef::Real(_) => None,
    }
}

pub(super) fn refused(error: rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(failure, message) = &error else {
        return StoreError::Statement(error.to_string());
    };
    let message = message.clone().unwrap_or_else(|| failure.to_string());
    match failure.code {
        ErrorCode::ConstraintViolation => violated(failure.extended_code, message),
        ErrorCode::Unknown | ErrorCode::ApiMisuse | ErrorCode::ParameterOutOfRange => {
            StoreError::Statement(message)
        }
        _ => StoreError::Unavailable(message),
    }
}

fn violated(code: i32, message: String) -> StoreError {
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE => StoreError::Unique { what: unique_name(&message, "key") },
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY => StoreError::Unique { what: unique_name(&message, "pkey") },
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::ForeignKey,
        _ => StoreError::Constraint(message),
    }
}

/// `UNIQUE constraint failed: t.a, t.b` -> `t_a_b_key`, as PostgreSQL names it; an index over an expression
/// has a name already: `UNIQUE constraint failed: index 'name'`.
fn unique_name(message: &str, end: &str) -> String {
    let what = message.rsplit_once(": ").map_or(message, |(_, what)| what);
    if let Some(name) = what.strip_prefix("index ") {
        return name.trim_matches('\'').into();
    }
    let table = what.split_once('.').map_or(what, |(table, _)| table);
    let columns = what.split(", ").map(|column| column.rsplit_once('.').map_or(column, |(_, name)| name));
    let columns = if end == "pkey" { Vec::new() } else { columns.collect() };
    [&[table], columns.as_slice(), &[end]].concat().join("_")
}
