//! What an operation answers, well or badly, and with which headers.

use std::collections::{BTreeMap, BTreeSet};

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::in_path;
use crate::manage::api::route::{At, Route};
use crate::manage::authority::Need;
use crate::manage::refused::Code;

/// What any route may refuse.
const EVERYWHERE: [Code; 13] = [
    Code::UnknownParameter,
    Code::DuplicateParameter,
    Code::InvalidParameter,
    Code::BodyUnexpected,
    Code::TwoHosts,
    Code::TooLarge,
    Code::UriTooLong,
    Code::UnsupportedContentEncoding,
    Code::HeadersTooLarge,
    Code::MisdirectedRequest,
    Code::RateLimited,
    Code::ServerError,
    Code::Timeout,
];

/// What any route may refuse that is not for everybody.
const OF_CALLERS: [Code; 7] = [
    Code::Unauthenticated,
    Code::DpopNonceWanted,
    Code::DpopProofInvalid,
    Code::TokenWithoutMfa,
    Code::TokenWithoutSso,
    Code::ApiKeysDisabled,
    Code::OrganizationInactive,
];

pub(super) fn responses(route: &Route, writes_: &mut SchemaGenerator) -> Map<String, Value> {
    let mut responses = Map::new();
    let schema = (route.answer)(writes_);
    for status in route.status {
        let mut answer =
            json!({ "description": "As asked for.", "headers": { "X-Request-Id": header("RequestId") } });
        if *status != 204 {
            answer["content"] = json!({ route.kind: { "schema": schema } });
        }
        if route.etag {
            answer["headers"]["ETag"] = json!({ "schema": { "type": "string" } });
        }
        if route.kind != "application/json" {
            answer["headers"]["Content-Disposition"] = json!({ "schema": { "type": "string" } });
        }
        if *status == 201 {
            answer["headers"]["Location"] = json!({ "schema": { "type": "string" } });
        }
        if route.writes() {
            answer["headers"]["Idempotency-Replayed"] = header("Replayed");
        }
        responses.insert(status.to_string(), answer);
    }
    if route.etag && !route.writes() {
        let headers =
            json!({ "X-Request-Id": header("RequestId"), "ETag": { "schema": { "type": "string" } } });
        let description = "It is as `If-None-Match` says.";
        responses.insert("304".into(), json!({ "description": description, "headers": headers }));
    }
    for (status, codes) in refusals(route) {
        let shape = json!({ "allOf": [
            { "$ref": "#/components/schemas/Problem" },
            { "properties": { "code": { "enum": codes } } },
        ]});
        let content = json!({ "application/problem+json": { "schema": shape } });
        let description = codes.iter().cloned().collect::<Vec<_>>().join(", ");
        let mut headers = json!({ "X-Request-Id": header("RequestId") });
        match status {
            401 => {
                headers["WWW-Authenticate"] = header("Challenge");
                headers["DPoP-Nonce"] = header("Nonce");
            }
            403 if codes.contains(Code::ReauthenticationRequired.word()) => {
                headers["WWW-Authenticate"] = header("StepUp");
            }
            415 => headers["Accept-Encoding"] = header("AcceptEncoding"),
            429 | 503 => headers["Retry-After"] = header("RetryAfter"),
            _ => {}
        }
        let answer = json!({ "description": description, "headers": headers, "content": content });
        responses.insert(status.to_string(), answer);
    }
    responses
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// What [`header`] refers to.
pub(super) fn headers() -> Value {
    let text = |required: bool, description: &str| json!({ "required": required, "description": description, "schema": { "type": "string" } });
    json!({
        "RequestId": text(true, "How the log and the audit trail call this request."),
        "Replayed": text(false, "`true`: it was done before under the same `Idempotency-Key`, and this is what was answered then."),
        "Challenge": text(true, "What would be taken: `Bearer` (RFC 6750) and `DPoP` (RFC 9449)."),
        "Nonce": text(false, "What the next DPoP proof names (RFC 9449, section 8)."),
        "StepUp": text(false, "With `reauthentication_required`: how recent a sign-in must be, as `max_age` (RFC 9470)."),
        "AcceptEncoding": text(false, "With `unsupported_content_encoding`: what is read (RFC 9110, section 15.5.16)."),
        "RetryAfter": {
            "required": true,
            "description": "In how many seconds it is worth another try.",
            "schema": { "type": "integer", "minimum": 0 },
        },
        "Allow": text(true, "The methods that the path knows."),
    })
}

/// What a path answers to any other method than those that it has here.
pub(super) fn other_method() -> Value {
    let code = Code::MethodNotAllowed;
    let shape = json!({ "allOf": [
        { "$ref": "#/components/schemas/Problem" },
        { "properties": { "code": { "enum": [code.word()] } } },
    ]});
    json!({
        "description": format!("{}: to whatever a path has no operation for.", code.word()),
        "headers": { "X-Request-Id": header("RequestId"), "Allow": header("Allow") },
        "content": { "application/problem+json": { "schema": shape } },
    })
}

/// By status, the codes that a route may answer with.
fn refusals(route: &Route) -> BTreeMap<u16, BTreeSet<&'static str>> {
    let mut codes: Vec<Code> = EVERYWHERE.into_iter().chain(route.codes.iter().copied()).collect();
    if route.need != Need::Public {
        codes.extend(OF_CALLERS);
    }
    match route.need {
        Need::Public | Need::Any => {}
        Need::Person => codes.push(Code::PersonRequired),
        Need::Account => codes.extend([Code::PersonRequired, Code::BeyondConsent]),
        // Without a function, but not refused for that.
        Need::Still(_) => codes.push(Code::PermissionMissing),
        Need::Permitted(_) | Need::OwnRight(_) | Need::Owners(_) => {
            codes.extend([Code::PermissionMissing, Code::OrganizationFunctionMissing])
        }
        Need::Operator(_) | Need::OperatorOrPerson(_) => {
            codes.extend([
                Code::PermissionMissing,
                Code::OrganizationFunctionMissing,
                Code::OperatorRequired,
            ]);
            if matches!(route.need, Need::OperatorOrPerson(_)) {
                codes.push(Code::BeyondConsent);
            }
        }
    }
    if route.fresh.is_some() {
        codes.push(Code::ReauthenticationRequired);
    }
    if route.at == At::Asked {
        codes.push(Code::OrganizationRequired);
    }
    if route.at != At::Project || in_path(route.path).next().is_some() {
        codes.push(Code::NotFound);
    }
    if !route.kinds.is_empty() {
        codes.retain(|code| *code != Code::BodyUnexpected);
        codes.extend([Code::InvalidJson, Code::InvalidBody, Code::UnknownField, Code::UnsupportedMediaType]);
    }
    if route.writes() {
        codes.extend([Code::IdempotencyKeyReused, Code::Busy]);
        if !route.minds_if_match() {
            codes.push(Code::IfMatchUnexpected);
        }
    }
    // A refusal that cannot be written down is none.
    codes.push(Code::AuditUnavailable);
    let mut by_status: BTreeMap<u16, BTreeSet<&'static str>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status()).or_default().insert(code.word());
    }
    by_status
}

/// [`crate::protocol::problem::Problem`], and what is told before a route is found ([`crate::web::lost`]).
pub(super) fn problem() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string", "description": "Stable: what a program looks at." },
            "detail": { "type": "string", "description": "For people; it may change." },
            "request_id": { "type": "string", "description": "As `X-Request-Id` has it." },
            "expected": { "type": "string", "description": "What was looked for." },
            "login_url": { "type": "string", "format": "uri", "description": "Where the person could do what is missing." },
            "missing": { "type": "array", "items": { "type": "string" }, "description": "What would have to be there." },
            "left": {
                "type": "array", "items": { "type": "string" },
                "description": "The slugs of the connections by which others would still come in.",
            },
            "organization": { "type": "string", "description": "The slug of the organization that it is about." },
            "found": { "type": "array", "items": { "type": "string" }, "description": "What was there instead." },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["detail"],
                    "properties": {
                        "pointer": { "type": "string", "description": "Into the body (RFC 6901)." },
                        "parameter": { "type": "string", "description": "Of the query, or a header." },
                        "detail": { "type": "string" },
                    },
                },
            },
        },
    })
}
