//! How what was recorded is shown.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::model::audit_event::Recorded;
use crate::store::durable::audit_chains::Signed;

/// Who did what to whom, and whether it was granted, refused or changed. Nothing here is ever secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AuditEventView {
    pub id: String,
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// The one organization in which it was done; `null`: it is the project's own.
    pub organization_id: Option<String>,
    #[schemars(extend("enum" = ["user", "operator", "api_key", "registration_token", "application", "house", "anonymous"]))]
    pub actor_kind: String,
    /// The id of a person, a token or a key; of others, the kind.
    pub actor: String,
    /// Dotted, as in `organization.updated`.
    pub action: String,
    pub subject: Option<String>,
    #[schemars(extend("enum" = ["granted", "refused", "changed"]))]
    pub outcome: String,
    /// What refused.
    pub reason: Option<String>,
    pub request_id: Option<String>,
    /// Of what was changed: only what differs.
    pub before: Option<Value>,
    /// The same, as it is now.
    pub after: Option<Value>,
    /// Further facts.
    pub detail: Value,
}

impl AuditEventView {
    pub fn of(event: Recorded) -> Self {
        Self {
            id: event.id.to_string(),
            at: event.at.rfc3339(),
            organization_id: event.organization_id.map(|id| id.to_string()),
            actor_kind: event.actor_kind,
            actor: event.actor,
            action: event.action,
            subject: event.subject,
            outcome: event.outcome,
            reason: event.reason,
            request_id: event.request_id,
            before: event.before,
            after: event.after,
            detail: event.detail,
        }
    }
}

/// What a chain was, signed by the project.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AuditCheckpointView {
    /// How many events the chain had.
    pub place: i64,
    /// A compact JWS of `{iss, project_id, chain, place, hash, iat}`, of the type `audit-checkpoint+jwt`.
    pub jws: String,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
}

impl AuditCheckpointView {
    pub fn of(signed: Signed) -> Self {
        Self { place: signed.place, jws: signed.jws, created_at: signed.created_at.rfc3339() }
    }
}

/// A JWK Set (RFC 7517, section 5): every key that ever signed checkpoints.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AuditKeysView {
    pub keys: Vec<Value>,
}
