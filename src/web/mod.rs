//! How a room meets a visitor.

pub mod templates;
