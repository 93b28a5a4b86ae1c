//! Organizations and everything that belongs to them, as an operator or their own people keep them.
//!
//! A request comes by [`api`], whose one table says what each route is and needs. [`caller`] tells who asks, [`authority`]
//! whether they may, [`desk`] is what the operation is given to read and write by, and [`refused`] is every way to say no.
//! Each noun has a room (`organizations`): `mod.rs` decides, `body.rs` and `view.rs` are what is said on the wire, `api.rs`
//! holds the operations.

pub mod account;
pub mod api;
pub mod applications;
pub mod audit;
pub mod authority;
pub mod caller;
pub mod connections;
pub mod delegations;
pub mod desk;
pub mod domains;
pub mod health;
pub mod house_file;
pub mod invitations;
pub mod keys;
pub mod last_way;
pub mod opening;
pub mod organizations;
pub mod people;
pub mod policy;
pub mod publishers;
pub mod refused;
pub mod registration;
pub mod role_rules;
pub mod roles;
pub mod routing;
pub mod session;
pub mod trials;
