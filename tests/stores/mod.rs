//! One contract, every engine: a story takes an empty store.

pub mod engine;
