//! The administration API.

mod callers;
mod document;
mod domains;
mod everyone;
mod lifecycle;
mod invitations;
mod members;
mod organizations;
mod requests;
mod search;
mod transfer;
