//! How a room meets a visitor.

pub mod language;
pub mod templates;
