//! What the fuzz targets share: the rooms that they try, and the provider whose messages they begin with.
//!
//! The rooms are compiled into this crate by their paths instead of depending on the house: they are pure and need
//! neither its server nor its databases, which would take minutes to build with the flags of fuzzing.

#[path = "../../../src/protocol/saml/actors.rs"]
pub mod actors;
#[path = "../../../src/foundation/mod.rs"]
pub mod foundation;
pub mod protocol;

pub mod judge;
