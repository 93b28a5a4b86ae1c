//! The administration API.

mod callers;
mod document;
mod domains;
mod everyone;
mod lifecycle;
mod organizations;
mod requests;
