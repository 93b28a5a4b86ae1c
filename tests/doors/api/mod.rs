//! The administration API.

mod audit;
mod callers;
mod document;
mod everyone;
mod organizations;
mod requests;
