//! The administration API.

mod callers;
mod document;
mod organizations;
mod requests;
