//! The administration API.

mod applications;
mod audit;
mod callers;
mod connections;
mod delegations;
mod document;
mod domains;
mod everyone;
mod explain;
mod health;
mod invitations;
mod keys;
mod lifecycle;
mod members;
mod organizations;
mod policy;
mod requests;
mod roles;
mod search;
mod session;
mod strangers;
mod transfer;
mod trials;
