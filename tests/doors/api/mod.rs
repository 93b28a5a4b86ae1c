//! The administration API.

mod callers;
mod document;
mod everyone;
mod lifecycle;
mod organizations;
mod policy;
mod requests;
mod roles;
mod session;
