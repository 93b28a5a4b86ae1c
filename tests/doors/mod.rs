//! What the house does at each of its doors.

mod api;
mod by_hand;
mod claim_names;
mod configuration;
mod conformance;
mod connection_return;
mod discovery;
mod keys;
mod logouts;
mod machines;
mod mails;
mod one_rule;
mod operation;
mod organizations;
mod pairwise;
mod provisioned_members;
mod provisioning;
mod renewal;
mod requests;
mod saml_connections;
mod saml_diagnosis;
mod saml_metadata_over_time;
mod telemetry;
mod tokens;
mod userinfo;
