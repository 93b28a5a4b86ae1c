//! One contract, every engine: a story takes an empty store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod engine;
mod nouns;
mod tables;
mod vouched;
