//! Connections.

mod body;
pub mod presets;
pub mod wanted;
