//! What logs and traces say about a request: never its path, query, headers or body, which hold secrets.

use tracing::Span;
use tracing::field::Empty;

use super::names::known_method;

/// The span that everything done for one request happens in. `route` is the router's pattern, `None` where
/// none matched. The status is recorded by [`answered`].
pub fn request_span(method: &str, route: Option<&str>, request_id: &str) -> Span {
    tracing::info_span!(
        target: "behalf",
        "request",
        method = known_method(method),
        route = route.unwrap_or("unmatched"),
        request_id,
        status = Empty,
    )
}

pub fn answered(span: &Span, status: u16) {
    span.record("status", i64::from(status));
}
