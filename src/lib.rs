//! Behalf, a federation broker.
// The sample identity provider and application in `examples/` name this library as strangers do.
extern crate self as behalf;

pub mod audit;
pub mod broker;
pub mod chores;
pub mod cli;
pub mod config;
pub mod egress;
pub mod foundation;
pub mod keys;
pub mod login;
pub mod manage;
pub mod model;
pub mod protocol;
pub mod publish;
pub mod router;
pub mod store;
pub mod telemetry;
pub mod web;
