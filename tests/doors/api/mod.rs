//! The administration API.

mod applications;
mod audit;
mod callers;
mod delegations;
mod document;
mod everyone;
mod explain;
mod keys;
mod organizations;
mod requests;
