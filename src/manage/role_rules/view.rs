//! How a role rule is shown.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::manage::desk::etag;
use crate::model::role_rule::{RoleRule, Standing};

/// By what an identity provider says, people get a role. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RoleRuleView {
    pub id: String,
    pub organization_id: String,
    pub connection_id: String,
    pub claim: String,
    #[schemars(extend("enum" = ["equals", "contains", "prefix"]))]
    pub operator: &'static str,
    pub value: String,
    pub role: String,
    /// Whether it gives the role now. `role_unknown`: there is none of this name any more. `unapproved`: the role may change
    /// something of the organization, and nobody who owns it by now has said yes: an owner has still to write the rule
    /// once more.
    #[schemars(extend("enum" = ["active", "role_unknown", "unapproved"]))]
    pub status: &'static str,
    /// Who let it give a role that may change something of the organization. It counts while they own that, and the operator's
    /// word always.
    pub approved_by: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
}

impl RoleRuleView {
    /// `custom`: what the organization's further roles are now.
    pub fn of(rule: &RoleRule, custom: &BTreeMap<String, Vec<String>>) -> Self {
        Self {
            id: rule.id.to_string(),
            organization_id: rule.organization.to_string(),
            connection_id: rule.connection.to_string(),
            claim: rule.claim.clone(),
            operator: rule.matching.word(),
            value: rule.value.clone(),
            role: rule.role.clone(),
            status: rule.standing(custom).word(),
            approved_by: rule.approval.as_ref().map(|approval| approval.by.clone()),
            created_at: rule.created_at.rfc3339(),
            updated_at: rule.updated_at.rfc3339(),
        }
    }
}

/// What rules would give.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TriedView {
    /// Those that fit, in their order.
    pub matched: Vec<MatchedView>,
    /// What they give all in all, beside what somebody holds as a member.
    pub roles: Vec<String>,
    /// Claims that a sign-in would not keep, so that they give nobody a role: of the protocol, of the profile, not mapped, or
    /// longer than there is room for.
    pub left_out: Vec<String>,
}

/// A rule that fits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MatchedView {
    /// Of one that is kept.
    pub rule_id: Option<String>,
    pub claim: String,
    #[schemars(extend("enum" = ["equals", "contains", "prefix"]))]
    pub operator: &'static str,
    pub value: String,
    pub role: String,
    /// The value by which it fits.
    pub because: String,
    /// As of a rule.
    #[schemars(extend("enum" = ["active", "role_unknown", "unapproved"]))]
    pub status: &'static str,
}

impl MatchedView {
    pub fn of(rule: &RoleRule, standing: Standing, because: &str, is_kept: bool) -> Self {
        Self {
            rule_id: is_kept.then(|| rule.id.to_string()),
            claim: rule.claim.clone(),
            operator: rule.matching.word(),
            value: rule.value.clone(),
            role: rule.role.clone(),
            because: because.to_owned(),
            status: standing.word(),
        }
    }
}

/// What the audit trail tells of one.
pub fn facts(rule: &RoleRule) -> Value {
    json!({
        "connection_id": rule.connection,
        "claim": rule.claim,
        "operator": rule.matching,
        "value": rule.value,
        "role": rule.role,
        "approved_by": rule.approval.as_ref().map(|approval| &approval.by),
    })
}

/// Not of what its role has become, which moves by itself.
pub fn tag(rule: &RoleRule) -> String {
    etag(&(rule.id, facts(rule), rule.updated_at.millis()))
}
