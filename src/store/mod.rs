//! Two stores: what must not be lost, and what may be.

pub mod durable;
pub mod ephemeral;
