//! How a role is shown.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::manage::desk::etag;
use crate::model::permission::Permission;
use crate::model::role::{Role, built_in};

/// A named set of permissions. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RoleView {
    /// `null`: it is built in.
    pub id: Option<String>,
    /// What memberships and tokens name.
    pub name: String,
    /// What people see.
    pub display_name: String,
    #[schemars(extend("enum" = ["organization", "project"]))]
    pub scope: &'static str,
    pub permissions: Vec<String>,
    /// `null`: every organization has it.
    pub organization_id: Option<String>,
    pub built_in: bool,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: Option<String>,
}

impl RoleView {
    pub fn of(role: &Role) -> Self {
        Self {
            id: Some(role.id.to_string()),
            name: role.name.clone(),
            display_name: role.display_name.clone(),
            scope: role.scope.word(),
            permissions: role.permissions.clone(),
            organization_id: role.organization.map(|id| id.to_string()),
            built_in: false,
            created_at: Some(role.created_at.rfc3339()),
            updated_at: Some(role.updated_at.rfc3339()),
        }
    }

    /// One that every organization has.
    pub fn built_in(name: &str, display_name: &str) -> Self {
        let permissions = built_in(name).unwrap_or_default();
        Self {
            id: None,
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            scope: "organization",
            permissions: permissions.iter().map(Permission::to_string).collect(),
            organization_id: None,
            built_in: true,
            created_at: None,
            updated_at: None,
        }
    }
}

/// What the audit trail tells of one.
pub fn facts(role: &Role) -> Value {
    json!({"display_name": role.display_name, "permissions": role.permissions})
}

pub fn tag(role: &Role) -> String {
    etag(&(role.id, facts(role), role.updated_at.millis()))
}
