//! What is said of a connection: how it is written, what the rules of it are, and what its provider says to that.

pub mod body;
pub mod checked;
pub mod presets;
pub mod wanted;
