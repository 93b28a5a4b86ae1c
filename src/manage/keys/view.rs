//! How a key is shown: never its secret, but in the answer that makes it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::foundation::clock::Moment;
use crate::foundation::secret::Secret;
use crate::manage::desk::etag;
use crate::model::api_key::{ApiKey, Holder};

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ApiKeyView {
    pub id: String,
    /// `null`: an operator token.
    pub organization_id: Option<String>,
    pub name: String,
    /// Of an organization's key: what it may do there.
    pub permissions: Option<Vec<String>>,
    /// Of an operator token: what it may do in the project.
    #[schemars(with = "Option<String>", extend("enum" = ["system", "auditor", "support", null]))]
    pub role: Option<&'static str>,
    /// From where it may be used; empty: from anywhere.
    pub networks: Vec<String>,
    /// The id of the person or token that made it, or `operator`.
    pub created_by: String,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub revoked_at: Option<String>,
    /// What ended it; `organization`: that it was deactivated, or deleted, after the key was made.
    #[schemars(with = "Option<String>", extend("enum" = ["revocation", "expiry", "organization", null]))]
    pub ended_by: Option<&'static str>,
    /// To the hour.
    #[schemars(extend("format" = "date-time"))]
    pub last_used_at: Option<String>,
}

/// A key with its secret, which is shown this once.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ApiKeyMade {
    /// What callers send as `Authorization: Bearer …`.
    pub key: String,
    pub api_key: ApiKeyView,
    /// Until when the secret before works; earlier ones work as long as was said of them.
    #[schemars(extend("format" = "date-time"))]
    pub old_until: Option<String>,
}

impl ApiKeyMade {
    pub fn of((key, now): (&ApiKey, Moment), text: &Secret, old_until: Option<Moment>) -> Self {
        let old_until = old_until.map(Moment::rfc3339);
        Self { key: text.expose().to_owned(), api_key: ApiKeyView::of(key, now), old_until }
    }
}

impl ApiKeyView {
    pub fn of(key: &ApiKey, now: Moment) -> Self {
        let (organization, permissions, role) = match &key.holder {
            Holder::Operator(role) => (None, None, Some(role.word())),
            Holder::Organization(id, permissions) => (Some(id.to_string()), Some(permissions.clone()), None),
        };
        Self {
            id: key.id.to_string(),
            organization_id: organization,
            name: key.name.clone(),
            permissions,
            role,
            networks: key.networks.iter().map(ToString::to_string).collect(),
            created_by: key.created_by.clone(),
            created_at: key.created_at.rfc3339(),
            expires_at: key.expires_at.map(Moment::rfc3339),
            revoked_at: key.revoked_at.map(Moment::rfc3339),
            ended_by: ended_by(key, now),
            last_used_at: key.last_used_at.map(Moment::rfc3339),
        }
    }
}

fn ended_by(key: &ApiKey, now: Moment) -> Option<&'static str> {
    match key {
        ApiKey { revoked_at: Some(_), .. } => Some("revocation"),
        ApiKey { is_outlived: true, .. } => Some("organization"),
        key if !key.is_alive(now) => Some("expiry"),
        _ => None,
    }
}

/// What the audit trail tells of one.
pub fn facts(key: &ApiKey) -> Value {
    let view = ApiKeyView::of(key, key.created_at);
    json!({
        "name": view.name,
        "permissions": view.permissions,
        "role": view.role,
        "networks": view.networks,
        "expires_at": view.expires_at,
    })
}

/// Not of when it was used or ends, which move by themselves; of the secret, which somebody has rotated.
pub fn tag(key: &ApiKey) -> String {
    let view = ApiKeyView { last_used_at: None, ended_by: None, ..ApiKeyView::of(key, key.created_at) };
    etag(&(view, key.newest.map(|digest| digest.text())))
}
