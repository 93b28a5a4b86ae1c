//! The administration API.

mod callers;
mod document;
mod everyone;
mod organizations;
mod requests;
