//! What the house does at each of its doors.

mod configuration;
mod keys;
mod operation;
mod provisioning;
mod telemetry;
