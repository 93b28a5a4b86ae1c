//! The administration API.

mod applications;
mod audit;
mod built_in;
mod callers;
mod delegations;
mod document;
mod domains;
mod everyone;
mod explain;
mod first_steps;
mod invitations;
mod keys;
mod lifecycle;
mod members;
mod organizations;
mod ownership;
mod policy;
mod requests;
mod role_rules;
mod roles;
mod search;
mod session;
mod transfer;
