//! How a delegation is shown: the same to both, once both know of each other.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::foundation::clock::Moment;
use crate::foundation::id::OrganizationId;
use crate::manage::desk::etag;
use crate::model::delegation::{Delegation, DelegationStatus, Side};
use crate::store::durable::delegations::Named;

/// People of `home` act on behalf of `target`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DelegationView {
    pub id: String,
    pub home: DelegationSideView,
    pub target: DelegationSideView,
    /// What people may be there at most.
    pub roles: Vec<String>,
    pub require_mfa: bool,
    /// The people, by their proved address; `null`: every active member of the home.
    pub only: Option<Vec<String>>,
    #[schemars(extend("format" = "date-time"))]
    pub starts_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub ends_at: Option<String>,
    #[schemars(extend("enum" = ["proposed", "scheduled", "active", "paused", "expired", "revoked"]))]
    pub status: &'static str,
    /// Of one that is active: the sides by which nobody acts by it all the same. Such an organization is not active,
    /// may have no delegations by its functional roles, or, as target, does not accept this one by its policy; which of
    /// these it is, its own people see.
    #[schemars(extend("items" = { "type": "string", "enum": ["home", "target"] }))]
    pub barred_by: Vec<&'static str>,
    /// Who may change it; `null`: the operator.
    #[schemars(with = "Option<String>", extend("enum" = ["home", "target", null]))]
    pub proposed_by: Option<&'static str>,
    #[schemars(extend("format" = "date-time"))]
    pub revoked_at: Option<String>,
}

/// All that the two are told of each other.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DelegationSideView {
    /// `null`: who proposed it is told nothing of the other side before that approves it, and not whether it is there.
    pub id: Option<String>,
    /// Until then, as they named it.
    pub name: String,
    /// Of the delegation as it is now.
    #[schemars(extend("format" = "date-time"))]
    pub approved_at: Option<String>,
    pub has_paused: bool,
}

impl DelegationView {
    /// As `reader` sees it; absent: the operator.
    pub fn of(named: &Named, reader: Option<OrganizationId>, now: Moment) -> Self {
        let it = &named.delegation;
        let asked = |side: Side| it.settings.asked.as_ref().filter(|asked| asked.side != side);
        let hides = |side: Side| asked(side).filter(|asked| reader == Some(asked.by));
        let side = |side: Side, id: OrganizationId, name: Option<&String>| DelegationSideView {
            id: name.filter(|_| hides(side).is_none()).map(|_| id.to_string()),
            name: named.name_of(side, reader),
            approved_at: it.approved_at(side).map(Moment::rfc3339),
            has_paused: it.settings.paused_by.contains(&side),
        };
        let status = it.status(now);
        // Before both have agreed, neither learns by it whether the other is there.
        let barred_by = named.barred_by.iter().filter(|_| status == DelegationStatus::Active);
        Self {
            id: it.id.to_string(),
            home: side(Side::Home, it.home, named.home_name.as_ref()),
            target: side(Side::Target, it.target, named.target_name.as_ref()),
            roles: it.settings.roles.clone(),
            require_mfa: it.settings.require_mfa,
            only: it.settings.only.as_ref().map(|only| only.iter().map(ToString::to_string).collect()),
            starts_at: it.starts_at.map(Moment::rfc3339),
            ends_at: it.ends_at.map(Moment::rfc3339),
            status: status.word(),
            barred_by: barred_by.map(|side| side.word()).collect(),
            proposed_by: it.settings.proposed_by.map(Side::word),
            revoked_at: it.revoked_at.map(Moment::rfc3339),
        }
    }
}

/// What the audit trail tells of one.
pub fn facts(delegation: &Delegation) -> Value {
    let time = |moment: Option<Moment>| moment.map(Moment::rfc3339);
    json!({
        "roles": delegation.settings.roles,
        "require_mfa": delegation.settings.require_mfa,
        "only": delegation.settings.only,
        "starts_at": time(delegation.starts_at),
        "ends_at": time(delegation.ends_at),
        "approved_by_home": delegation.home_approved_at.is_some(),
        "approved_by_target": delegation.target_approved_at.is_some(),
        "paused_by": delegation.settings.paused_by,
        "paused": delegation.paused_at.is_some(),
        "revoked": delegation.revoked_at.is_some(),
    })
}

/// Not of what time alone makes of it.
pub fn tag(delegation: &Delegation) -> String {
    let approved = [delegation.home_approved_at, delegation.target_approved_at];
    etag(&json!([delegation.id, facts(delegation), approved.map(|at| at.map(Moment::millis))]))
}
