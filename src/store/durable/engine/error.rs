//! What can go wrong with a statement, in the same words on both engines.

use std::path::PathBuf;

/// A statement or a transaction was not done. No variant carries a stored value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The value is taken. `what` is `<table>_<column>_<column>_key`, or `<table>_pkey`, on both engines. Of several
    /// values that are taken at once, the engine says which.
    #[error("already taken: {what}")]
    Unique { what: String },
    #[error("refers to a row that does not exist, or is still referred to")]
    ForeignKey,
    /// NOT NULL or CHECK; or a table that only grows.
    #[error("a constraint refuses the values: {0}")]
    Constraint(String),
    /// Lost against a transaction at the same time (serialization, deadlock, lock time-out). May be tried again.
    #[error("another transaction was faster")]
    Conflict,
    /// The database cannot be reached, is too slow, or cannot keep anything. Nothing was acknowledged.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Of a SQLite file, by another process.
    #[error(
        "{} is served by another `behalf serve` already: logins under way are kept in its memory, so there is one server \
         for one file; stop that one first",
        path.display()
    )]
    Served { path: PathBuf },
    /// A row does not hold what the schema promises.
    #[error("column {column} of `{statement}` holds something unexpected")]
    Corrupt { statement: &'static str, column: usize },
    #[error("migration: {0}")]
    Migration(String),
    /// A mistake of ours: SQL that one engine refuses, or parameters that do not fit.
    #[error("wrong statement: {0}")]
    Statement(String),
    /// What a change tells of itself in the audit trail; it was not made either.
    #[error("an audit event could not be written: {0}")]
    Unrecorded(String),
    /// A statement failed before in this transaction, so it cannot be committed.
    #[error("an earlier statement of this transaction failed")]
    Doomed,
    /// PostgreSQL cannot store U+0000, so neither engine does.
    #[error("a text holds a NUL")]
    NulInText,
    #[error("database.url: {0}")]
    Url(&'static str),
}
