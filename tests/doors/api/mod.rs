//! The administration API.

mod callers;
mod document;
mod everyone;
mod invitations;
mod members;
mod organizations;
mod requests;
mod search;
mod transfer;
