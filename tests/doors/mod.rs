//! What the house does at each of its doors.

mod configuration;
mod provisioning;
mod telemetry;
