//! How a token is shown: without its secret, but in the answer that makes it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::foundation::clock::Moment;
use crate::foundation::secret::Secret;
use crate::manage::applications::GRANT_TYPES;
use crate::model::registration::RegistrationToken;

/// By which clients register themselves (RFC 7591).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RegistrationTokenView {
    pub id: String,
    pub name: String,
    /// Whether it registers anything any more.
    pub usable: bool,
    pub uses: i64,
    pub most_uses: i64,
    #[schemars(extend("items" = { "type": "string", "enum": ["web", "spa", "native", "device", "machine"] }))]
    pub types: Vec<&'static str>,
    #[schemars(extend("items" = { "type": "string", "enum": GRANT_TYPES }))]
    pub grant_types: Vec<&'static str>,
    pub scopes: Vec<String>,
    /// By their ids; `null`: all.
    pub organizations: Option<Vec<String>>,
    /// By their ids; `null`: as people's addresses lead them.
    pub connections: Option<Vec<String>>,
    pub created_by: String,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub revoked_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub last_used_at: Option<String>,
}

/// With its text, which is shown this once.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RegistrationTokenMade {
    /// What clients send to the registration endpoint as `Authorization: Bearer …`.
    pub token: String,
    pub registration_token: RegistrationTokenView,
}

impl RegistrationTokenMade {
    pub fn of(token: &RegistrationToken, text: &Secret, now: Moment) -> Self {
        Self { token: text.expose().to_owned(), registration_token: RegistrationTokenView::of(token, now) }
    }
}

impl RegistrationTokenView {
    pub fn of(token: &RegistrationToken, now: Moment) -> Self {
        let limits = &token.limits;
        Self {
            id: token.id.to_string(),
            name: token.name.clone(),
            usable: token.is_alive(now),
            uses: token.uses,
            most_uses: token.most_uses,
            types: limits.types.iter().map(|one| one.word()).collect(),
            grant_types: limits.grant_types.iter().map(|one| one.word()).collect(),
            scopes: limits.scopes.clone(),
            organizations: limits.organizations.as_deref().map(texts),
            connections: limits.connections.as_deref().map(texts),
            created_by: token.created_by.clone(),
            created_at: token.created_at.rfc3339(),
            expires_at: token.expires_at.rfc3339(),
            revoked_at: token.revoked_at.map(Moment::rfc3339),
            last_used_at: token.last_used_at.map(Moment::rfc3339),
        }
    }
}

fn texts(ids: &[impl ToString]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// What the audit trail tells of one.
pub fn facts(token: &RegistrationToken) -> Value {
    let view = RegistrationTokenView::of(token, token.created_at);
    json!({
        "name": view.name,
        "most_uses": view.most_uses,
        "types": view.types,
        "grant_types": view.grant_types,
        "scopes": view.scopes,
        "organizations": view.organizations,
        "connections": view.connections,
        "expires_at": view.expires_at,
    })
}
