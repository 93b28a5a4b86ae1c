//! The administration API.

mod callers;
mod document;
mod everyone;
mod members;
mod organizations;
mod requests;
