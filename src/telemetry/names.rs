//! The one list of metrics, and one function to record each.
//!
//! A label takes few values, and none that a visitor chose: reasons and kinds are `&'static str`, which
//! only our own source can write.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::metrics::observed;
use crate::foundation::clock::Moment;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub description: &'static str,
    /// Upper bounds in seconds; for histograms only.
    pub buckets: &'static [f64],
}

/// A login makes pages (milliseconds), signatures and commits (tens) and asks providers (up to ten seconds).
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

pub const HTTP_REQUESTS: Metric = count(
    "behalf_http_requests_total",
    &["method", "route", "status"],
    "Requests answered, by method, route and class of status",
);
pub const HTTP_REQUEST_DURATION: Metric = span(
    "behalf_http_request_duration_seconds",
    &["method", "route"],
    "Time from the head of a request to the head of its answer",
);
pub const LOGINS_STARTED: Metric =
    count("behalf_logins_started_total", &[], "Logins that an application began");
pub const LOGINS_SUCCEEDED: Metric =
    count("behalf_logins_succeeded_total", &[], "Logins that ended with an answer to the application");
pub const LOGINS_REFUSED: Metric =
    count("behalf_logins_refused_total", &["reason"], "Logins that were refused, by reason");
pub const API_REFUSED: Metric =
    count("behalf_api_refused_total", &["code"], "Requests that the administration API refused, by code");
pub const TOKENS_ISSUED: Metric =
    count("behalf_tokens_issued_total", &["kind"], "Access, ID, refresh and logout tokens issued, by kind");
pub const FAMILIES_ENDED: Metric = count(
    "behalf_token_families_ended_total",
    &["reason"],
    "Token families that ended before their time, by reason",
);
pub const SIGN_OUTS: Metric = count(
    "behalf_sign_outs_total",
    &["cause"],
    "Sessions that ended before their time, by whose wish it was",
);
pub const LOGOUT_NOTICES: Metric = count(
    "behalf_logout_notices_total",
    &["outcome"],
    "Back-channel logout requests to applications, by what came of them",
);
pub const UPSTREAM_REQUESTS: Metric = count(
    "behalf_upstream_requests_total",
    &["outcome"],
    "Requests to identity providers, by how they ended",
);
pub const UPSTREAM_REQUEST_DURATION: Metric = span(
    "behalf_upstream_request_duration_seconds",
    &["outcome"],
    "Time that identity providers took, by how the request ended",
);
pub const AUDIT_FAILURES: Metric = count(
    "behalf_audit_failures_total",
    &[],
    "Changes that were refused because the audit could not record them",
);
pub const DATABASE_STATEMENTS: Metric =
    count("behalf_database_statements_total", &[], "Statements that the database was asked to run");
pub const SIGNATURES: Metric =
    count("behalf_signatures_total", &["algorithm"], "Signatures made, by algorithm");
pub const EGRESS_REFUSED: Metric = count(
    "behalf_egress_refused_total",
    &["reason"],
    "Requests to the outside that the guard refused, by reason",
);
pub const PROCESS_START_TIME: Metric =
    level("process_start_time_seconds", &[], "When the process started, in seconds since 1970");
pub const BUILD_INFO: Metric = level("behalf_build_info", &["version"], "Always 1; the label says what runs");

/// Every metric there is.
pub const ALL: [Metric; 18] = [
    HTTP_REQUESTS,
    HTTP_REQUEST_DURATION,
    LOGINS_STARTED,
    LOGINS_SUCCEEDED,
    LOGINS_REFUSED,
    API_REFUSED,
    TOKENS_ISSUED,
    FAMILIES_ENDED,
    SIGN_OUTS,
    LOGOUT_NOTICES,
    UPSTREAM_REQUESTS,
    UPSTREAM_REQUEST_DURATION,
    AUDIT_FAILURES,
    SIGNATURES,
    EGRESS_REFUSED,
    DATABASE_STATEMENTS,
    PROCESS_START_TIME,
    BUILD_INFO,
];

type Names = &'static [&'static str];

const fn count(name: &'static str, labels: Names, description: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, description, buckets: &[] }
}

const fn level(name: &'static str, labels: Names, description: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, description, buckets: &[] }
}

const fn span(name: &'static str, labels: Names, description: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, labels, description, buckets: SECONDS }
}

pub(super) fn describe() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.description),
            Kind::Gauge => describe_gauge!(metric.name, metric.description),
            Kind::Histogram => describe_histogram!(metric.name, metric.description),
        }
    }
}

/// A request was answered. `route` is the router's pattern (`/o/{organization}`), never the path that was
/// asked for; `None` where no route matched.
pub fn http_request(method: &str, route: Option<&str>, status: u16, took: Duration) {
    let method = known_method(method);
    let route = route.unwrap_or("unmatched").to_owned();
    counter!(HTTP_REQUESTS.name, "method" => method, "route" => route.clone(), "status" => class(status))
        .increment(1);
    histogram!(HTTP_REQUEST_DURATION.name, "method" => method, "route" => route).record(took);
    observed();
}

/// A method may be any token that a visitor makes up (RFC 9110, section 9.1).
pub(super) fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

pub fn login_started() {
    counter!(LOGINS_STARTED.name).increment(1);
}

pub fn login_succeeded() {
    counter!(LOGINS_SUCCEEDED.name).increment(1);
}

pub fn login_refused(reason: &'static str) {
    counter!(LOGINS_REFUSED.name, "reason" => reason).increment(1);
}

pub fn api_refused(code: &'static str) {
    counter!(API_REFUSED.name, "code" => code).increment(1);
}

/// `cause` is `person`, `application` or `provider`.
pub fn signed_out(cause: &'static str, sessions: u64) {
    counter!(SIGN_OUTS.name, "cause" => cause).increment(sessions);
}

/// `outcome` is `told`, `failed` (and tried again) or `given_up`.
pub fn logout_notice(outcome: &'static str) {
    counter!(LOGOUT_NOTICES.name, "outcome" => outcome).increment(1);
}

/// `kind` is `access_token`, `id_token`, `refresh_token` or `logout_token`.
pub fn token_issued(kind: &'static str) {
    counter!(TOKENS_ISSUED.name, "kind" => kind).increment(1);
}

/// `reason` is `reused`, `replaced` or `revoked`.
pub fn family_ended(reason: &'static str) {
    counter!(FAMILIES_ENDED.name, "reason" => reason).increment(1);
}

/// How a request to an identity provider ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    /// No connection, or it broke.
    Unreachable,
    TimedOut,
    /// Too large, or not what was asked for.
    Unusable,
}

impl Outcome {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Unusable => "unusable",
        }
    }
}

pub fn upstream_request(outcome: Outcome, took: Duration) {
    counter!(UPSTREAM_REQUESTS.name, "outcome" => outcome.name()).increment(1);
    histogram!(UPSTREAM_REQUEST_DURATION.name, "outcome" => outcome.name()).record(took);
    observed();
}

pub fn audit_failed() {
    counter!(AUDIT_FAILURES.name).increment(1);
}

/// `algorithm` as in RFC 7518, section 3.1: `RS256`, `ES256` …
pub fn signed(algorithm: &'static str) {
    counter!(SIGNATURES.name, "algorithm" => algorithm).increment(1);
}

pub fn egress_refused(reason: &'static str) {
    counter!(EGRESS_REFUSED.name, "reason" => reason).increment(1);
}

/// So many since the process started.
pub fn database_statements(many: u64) {
    counter!(DATABASE_STATEMENTS.name).absolute(many);
}

pub(super) fn process_started(now: Moment) {
    gauge!(PROCESS_START_TIME.name).set(now.millis() as f64 / 1000.0);
    gauge!(BUILD_INFO.name, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}
