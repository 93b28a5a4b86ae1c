//! How an organization is shown.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::foundation::clock::Moment;
use crate::manage::desk::etag;
use crate::manage::invitations::InvitationMade;
use crate::model::organization::Organization;

/// A customer company. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OrganizationView {
    /// Never changes.
    pub id: String,
    /// The same id as a UUID.
    pub uuid: String,
    /// Unique in the project; a former one is never given to another organization.
    pub slug: String,
    /// The same as `display_name`.
    pub name: String,
    pub display_name: String,
    pub kind: Option<String>,
    pub description: Option<String>,
    pub logo_uri: Option<String>,
    /// What the organization may do at all; `null`: no boundary, but that it owns no applications. Not shown to who may only
    /// read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    pub functional_roles: Option<Option<Vec<String>>>,
    #[schemars(extend("enum" = ["active", "deactivated", "deleted"]))]
    pub status: &'static str,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub deactivated_at: Option<String>,
    /// Of a deleted one: until when it can be restored.
    #[schemars(extend("format" = "date-time"))]
    pub purge_at: Option<String>,
    /// Whether it has an active owner.
    pub has_owner: bool,
    /// Of a new one whose owner is still to come: to be handed over to them. Told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_invitation: Option<InvitationMade>,
}

/// What a list shows of one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OrganizationListed {
    /// To who may read it.
    Whole(Box<OrganizationView>),
    /// To others that it is theirs.
    Named(OrganizationNames),
}

/// By what one is known to who may not read it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OrganizationNames {
    pub id: String,
    pub slug: String,
    pub name: String,
}

impl OrganizationNames {
    pub fn of(organization: &Organization) -> Self {
        let it = organization.clone();
        Self { id: it.id.to_string(), slug: it.slug, name: it.display_name }
    }
}

impl OrganizationView {
    /// `sees_functions`: whether the caller may see the boundary of what the organization may do.
    pub fn of(organization: &Organization, has_owner: bool, sees_functions: bool) -> Self {
        let it = organization.clone();
        Self {
            id: it.id.to_string(),
            uuid: it.id.uuid(),
            status: it.status().word(),
            slug: it.slug,
            name: it.display_name.clone(),
            display_name: it.display_name,
            kind: it.kind,
            description: it.description,
            logo_uri: it.logo_uri,
            functional_roles: sees_functions.then_some(it.functional_roles),
            created_at: it.created_at.rfc3339(),
            updated_at: it.updated_at.rfc3339(),
            deactivated_at: it.deactivated_at.map(Moment::rfc3339),
            purge_at: it.purge_at.map(Moment::rfc3339),
            has_owner,
            owner_invitation: None,
        }
    }
}

/// What the audit trail tells of one.
pub fn facts(organization: &Organization) -> Value {
    json!({
        "slug": organization.slug,
        "display_name": organization.display_name,
        "kind": organization.kind,
        "description": organization.description,
        "logo_uri": organization.logo_uri,
        "functional_roles": organization.functional_roles,
    })
}

/// Of all that somebody may have decided by; not of whether it has an owner, which moves by itself.
pub fn tag(organization: &Organization) -> String {
    let moments = [organization.updated_at.millis(), organization.created_at.millis()];
    etag(&json!([organization.id, facts(organization), organization.status(), moments]))
}
