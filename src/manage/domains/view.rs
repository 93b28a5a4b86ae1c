//! How a domain is shown.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::Routed;
use crate::foundation::clock::Moment;
use crate::join::auto::Halt;
use crate::manage::desk::etag;
use crate::model::domain::{Domain, DomainState, Found};

/// A domain that an organization claims. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DomainView {
    pub id: String,
    pub organization_id: String,
    /// In its ASCII form.
    pub domain: String,
    /// As people read it.
    pub domain_unicode: String,
    /// `failed`: somebody has asked for the proof, which was not there; it is still looked for. `expired`: the challenge has
    /// run out, and `verify` gives a fresh one.
    #[schemars(extend("enum" = ["pending", "failed", "expired", "verified", "lapsed"]))]
    pub status: &'static str,
    #[schemars(extend("enum" = ["dns_txt", "http_file"]))]
    pub method: &'static str,
    /// Where the TXT record is looked for.
    pub verification_host: String,
    /// What it says, and nothing else.
    pub verification_txt: String,
    /// Where the file is looked for that says the same.
    pub verification_url: String,
    /// Until when what is to be published now proves anything. `null`: it is not limited.
    #[schemars(extend("format" = "date-time"))]
    pub challenge_expires_at: Option<String>,
    /// Until when a fresh proof is needed, if the domain is to stay verified.
    #[schemars(extend("format" = "date-time"))]
    pub renew_by: Option<String>,
    pub use_for_routing: bool,
    pub trust_email: bool,
    pub auto_join: AutoJoinView,
    pub connection_ids: Vec<String>,
    /// `null`: nobody has looked since the challenge was given.
    pub last_check: Option<CheckView>,
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub updated_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub verified_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub lapsed_at: Option<String>,
}

/// Who joins by their address alone.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AutoJoinView {
    pub enabled: bool,
    pub role: Option<String>,
    #[schemars(extend("enum" = ["sso"]))]
    pub requires: &'static str,
    pub exclude: Vec<String>,
    pub cap_per_hour: u32,
    /// Since when nobody joins, because too many came in an hour.
    #[schemars(extend("format" = "date-time"))]
    pub paused_at: Option<String>,
    /// Why nobody joins though it is enabled. `role_not_allowed`: its role is no more, or has come to administer something.
    #[schemars(
        with = "Option<String>",
        extend("enum" = ["not_verified", "not_routed", "not_trusted", "role_not_allowed", "paused", null])
    )]
    pub halted_by: Option<&'static str>,
}

/// What was expected, and what was found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "DomainCheckView")]
pub struct CheckView {
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// `taken`: the proof was there, but another organization holds the domain. `error`: nobody could say.
    #[schemars(extend("enum" = ["proof", "other", "absent", "error", "taken"]))]
    pub kind: &'static str,
    pub expected: String,
    /// At most ten texts of at most 255 characters.
    pub found: Vec<String>,
    /// Why nobody could say.
    pub why: Option<String>,
}

impl DomainView {
    pub fn of(routed: &Routed, halt: Option<Halt>, now: Moment) -> Self {
        let it = routed.domain.clone();
        let has_run_out = it.state == DomainState::Lapsed;
        let expires = match it.state {
            DomainState::Pending => Some(it.challenge_until),
            _ => it.renew_by().filter(|_| it.next_challenge.is_some()),
        };
        let verified_at = it.verified_at.filter(|_| it.state != DomainState::Pending);
        Self {
            id: it.id.to_string(),
            organization_id: it.organization_id.to_string(),
            domain: it.name.to_string(),
            domain_unicode: it.name.unicode(),
            status: it.status(now).word(),
            method: it.method.word(),
            verification_host: it.txt_name(),
            verification_txt: it.txt_value(),
            verification_url: it.file_url(),
            challenge_expires_at: expires.or(it.lapsed_at.filter(|_| has_run_out)).map(Moment::rfc3339),
            renew_by: it.renew_by().map(Moment::rfc3339),
            use_for_routing: it.routing_since.is_some(),
            trust_email: it.trust_since.is_some(),
            auto_join: auto_join(&it, halt),
            connection_ids: routed.routes.iter().map(ToString::to_string).collect(),
            last_check: it.answer.as_ref().map(|answer| check(&it, answer)),
            created_at: it.created_at.rfc3339(),
            updated_at: it.updated_at.rfc3339(),
            verified_at: verified_at.map(Moment::rfc3339),
            lapsed_at: it.lapsed_at.map(Moment::rfc3339),
        }
    }
}

fn auto_join(domain: &Domain, halt: Option<Halt>) -> AutoJoinView {
    let rule = domain.auto_join.clone();
    AutoJoinView {
        enabled: domain.auto_join_since.is_some(),
        cap_per_hour: rule.cap(),
        role: rule.role,
        requires: "sso",
        exclude: rule.exclude,
        paused_at: rule.paused_at.map(Moment::rfc3339),
        halted_by: halt.map(Halt::word),
    }
}

fn check(domain: &Domain, answer: &Found) -> CheckView {
    let Found { at, kind, texts, why, .. } = answer.clone();
    CheckView { at: at.rfc3339(), kind: kind.word(), expected: domain.txt_value(), found: texts, why }
}

/// What the audit trail tells of one.
pub fn facts(routed: &Routed) -> Value {
    let Routed { domain, routes } = routed;
    json!({
        "domain": domain.name,
        "state": domain.state,
        "method": domain.method,
        "use_for_routing": domain.routing_since.is_some(),
        "trust_email": domain.trust_since.is_some(),
        "auto_join": domain.auto_join_since.is_some(),
        "auto_join_role": domain.auto_join.role,
        "auto_join_exclude": domain.auto_join.exclude,
        "auto_join_cap_per_hour": domain.auto_join.cap(),
        "connection_ids": routes,
    })
}

/// Of all that somebody may have decided by; not of the last look, which moves by itself.
pub fn tag(routed: &Routed, halt: Option<Halt>) -> String {
    let domain = &routed.domain;
    let moments = [domain.updated_at.millis(), domain.created_at.millis()];
    let halted_by = halt.map(Halt::word);
    etag(&json!([
        domain.id,
        facts(routed),
        domain.txt_value(),
        domain.auto_join.paused_at,
        halted_by,
        moments
    ]))
}
