//! What went wrong, for machines (RFC 9457).

use serde::Serialize;

/// Where the administration API begins, below an issuer.
pub const API: &str = "/api/v1";

/// The address that names the kind of a problem: there it is explained.
pub fn kind(issuer: &str, code: &str) -> String {
    format!("{issuer}{API}/problems#{code}")
}

/// A body of `application/problem+json`.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// [`kind`]
    #[serde(rename = "type")]
    pub kind: String,
    pub title: &'static str,
    pub status: u16,
    /// Stable: what a program looks at.
    pub code: &'static str,
    /// For people; it may change.
    pub detail: String,
    pub request_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Complaint>,
    /// Members of this kind of problem (section 3.2).
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Complaint {
    #[serde(flatten)]
    pub place: Place,
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Into the body (RFC 6901).
    Pointer(String),
    /// Of the query.
    Parameter(String),
}
