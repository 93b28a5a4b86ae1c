//! SQLite or PostgreSQL through one set of SQL statements.

pub mod engine;
