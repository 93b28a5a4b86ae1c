//! What the house does at each of its doors.

mod api;
mod by_hand;
mod configuration;
mod connection_return;
mod keys;
mod logouts;
mod mails;
mod operation;
mod provisioning;
mod saml_connections;
mod saml_diagnosis;
mod telemetry;
