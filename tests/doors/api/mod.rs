//! The administration API.

mod callers;
mod document;
mod domains;
mod everyone;
mod organizations;
mod requests;
