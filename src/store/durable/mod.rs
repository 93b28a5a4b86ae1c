//! SQLite or PostgreSQL through one set of SQL statements, one file per noun. [`engine`] alone knows which.

pub mod api_keys;
pub mod applications;
pub mod audit_chains;
pub mod audit_events;
pub mod break_glass;
pub mod browsers;
pub mod choices;
pub mod connection_notices;
pub mod connection_runs;
pub mod connection_tests;
pub mod connection_upstreams;
pub mod connection_versions;
pub mod connections;
pub mod consents;
pub mod delegations;
pub mod device_codes;
pub mod domains;
pub mod engine;
pub mod grants;
pub mod house;
pub mod idempotency;
pub mod identities;
pub mod invitations;
mod known;
pub mod logout_notices;
pub mod machine_grants;
pub mod mails;
pub mod memberships;
pub mod metadata_reads;
pub mod organizations;
pub mod pairwise_salts;
pub mod people;
pub mod projects;
pub mod purge;
pub mod pushed_requests;
pub mod readiness;
pub mod registrations;
pub mod role_rules;
pub mod roles;
pub mod routing;
pub mod saml_keys;
pub mod sessions;
pub mod sign_outs;
pub mod signed_in;
pub mod signing_keys;
pub mod standing;

pub mod transfers;
pub mod used;
pub mod user_roles;
pub mod user_terms;
pub mod users;
pub mod vouched;
pub mod ways_in;

use serde::Serialize;
use serde::de::DeserializeOwned;

use engine::{Row, StoreError};

/// A text column that holds JSON.
fn json<T: DeserializeOwned>(row: &Row, index: usize) -> Result<T, StoreError> {
    serde_json::from_str(row.text(index)?).map_err(|_| row.corrupt(index))
}

/// A text column that holds JSON, or nothing.
fn optional_json<T: DeserializeOwned>(row: &Row, index: usize) -> Result<Option<T>, StoreError> {
    if row.is_null(index) { Ok(None) } else { json(row, index).map(Some) }
}

/// A text column that holds one of a closed set of words, or anything else that is parsed.
fn parsed<T>(row: &Row, index: usize, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    parse(row.text(index)?).ok_or_else(|| row.corrupt(index))
}

fn to_json(value: &impl Serialize) -> String {
    // Our own types: their maps have text keys, so they always serialise.
    serde_json::to_string(value).unwrap_or_default()
}
