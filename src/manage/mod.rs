//! Organizations and everything that belongs to them, as an operator or their own people keep them.

pub mod api;
pub mod authority;
pub mod caller;
pub mod desk;
pub mod house_file;
pub mod organizations;
pub mod refused;
