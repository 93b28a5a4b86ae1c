//! How a visitor is answered.

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
pub use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::keys::keyring::KeyError;
use crate::protocol::jose::SignError;
use crate::protocol::oauth::error::OAuthError;
use crate::store::durable::engine::StoreError;
use crate::store::durable::engine::tries::Undone;
use crate::store::ephemeral::EphemeralError;
use crate::web::templates::TemplateError;

/// Our own failure: logged once, with an id that the visitor may quote, and told without detail.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("short-lived store: {0}")]
    Ephemeral(#[from] EphemeralError),
    #[error("keys: {0}")]
    Keys(#[from] KeyError),
    #[error("signing: {0}")]
    Sign(#[from] SignError),
    #[error("template: {0}")]
    Template(#[from] TemplateError),
    #[error("browser session: {0}")]
    Browser(#[from] tower_sessions::session::Error),
    #[error("what we wrote ourselves cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Other(&'static str),
}

impl Undone for Fault {
    fn is_a_lost_race(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict))
    }
}

/// To another place, by GET, whatever the method was (RFC 9700, section 4.12: never 307).
pub fn see_other(location: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::from_str(location) {
        Ok(value) => {
            response.headers_mut().insert(header::LOCATION, value);
            no_store(response.headers_mut());
            response
        }
        // A location is built of checked parts; one that is no header is a fault of ours.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub fn no_store(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
}

/// A page, with where its forms may lead in the end (browsers apply `form-action` to redirects too).
pub fn html(status: StatusCode, page: String, form_targets: &[String], script: bool) -> Response {
    html_framing(status, page, form_targets, script, &[])
}

/// The same with the origins that it may show in frames, and no others.
pub fn html_framing(
    status: StatusCode,
    page: String,
    form_targets: &[String],
    script: bool,
    framed: &[String],
) -> Response {
    let targets = form_targets.iter().fold(String::from("'self'"), |all, one| format!("{all} {one}"));
    let script = if script { " script-src 'self';" } else { "" };
    let frames = if framed.is_empty() { String::new() } else { format!(" frame-src {};", framed.join(" ")) };
    let policy = format!(
        "default-src 'none';{script}{frames} style-src 'self'; img-src 'self'; form-action {targets}; frame-ancestors 'none'; base-uri 'none'"
    );
    let mut response = (status, page).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Whoever is not let in is told how one is (RFC 9110, section 11.6.1): by a token of an identity provider. Of the registered
    // schemes it is the one for which browsers ask nobody for a password: they show the page.
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"sign-in\""));
    }
    no_store(headers);
    response
}

/// What `form-action` must allow for a redirect to this URI: its origin, or its private-use scheme.
pub fn form_target(uri: &str) -> Option<String> {
    let url = url::Url::parse(uri).ok()?;
    match url.scheme() {
        "http" | "https" => Some(url.origin().ascii_serialization()),
        scheme => Some(format!("{scheme}:")),
    }
}

/// An error of the token or UserInfo endpoint (RFC 6749, section 5.2).
pub fn oauth_error(status: StatusCode, error: &OAuthError) -> Response {
    oauth_error_with(status, error, json!({}))
}

/// The same, with more members.
pub fn oauth_error_with(status: StatusCode, error: &OAuthError, more: Value) -> Response {
    let mut body = json!({ "error": error.code, "error_description": error.description });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    let mut response = (status, Json(body)).into_response();
    no_store(response.headers_mut());
    response
}

/// An answer that can be given once more: all of it but the cookies.
#[derive(Clone, Deserialize, Serialize)]
pub struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Kept {
    /// The longest body that is kept, in bytes.
    const LONGEST: usize = 64 * 1024;

    /// Of this answer, which is handed back. Nothing: it is too long, or none of words.
    pub async fn of(response: Response) -> (Response, Option<Self>) {
        let (parts, body) = response.into_parts();
        let longest = u64::try_from(Self::LONGEST).unwrap_or_default();
        if body.size_hint().upper().is_none_or(|length| length > longest) {
            return (Response::from_parts(parts, body), None);
        }
        let Ok(bytes) = axum::body::to_bytes(body, Self::LONGEST).await else {
            return (StatusCode::INTERNAL_SERVER_ERROR.into_response(), None);
        };
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let told = parts.headers.iter().filter(|(name, _)| *name != header::SET_COOKIE);
        let headers = told.filter_map(text).collect();
        let kept = String::from_utf8(bytes.to_vec()).ok();
        let kept = kept.map(|body| Self { status: parts.status.as_u16(), headers, body });
        (Response::from_parts(parts, Body::from(bytes)), kept)
    }

    pub fn again(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::FORBIDDEN);
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }

    /// Where it leads, if it does.
    pub fn location(&self) -> Option<&str> {
        let found = self.headers.iter().find(|(name, _)| name == header::LOCATION.as_str());
        found.map(|(_, value)| value.as_str())
    }
}

/// A problem for machines (RFC 9457).
pub fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    problem_of(status, Wrong { kind: None, title, code, detail, request_id: None })
}

/// What a problem says that is no operation's of the administration API.
#[derive(Clone, Debug, Serialize)]
pub struct Wrong<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    pub title: &'a str,
    pub code: &'a str,
    pub detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// The same, with what it is called and in which request it was.
pub fn problem_of(status: StatusCode, wrong: Wrong<'_>) -> Response {
    let mut body = json!(wrong);
    body["status"] = status.as_u16().into();
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    no_store(response.headers_mut());
    response
}

/// What is said with every answer.
pub const COMMON_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn h25_an_answer_is_handed_back_whole_whether_it_is_kept_or_not() {
        for (length, is_kept) in [(0, true), (Kept::LONGEST, true), (Kept::LONGEST + 1, false)] {
            let (response, kept) =
                Kept::of((StatusCode::FORBIDDEN, "x".repeat(length)).into_response()).await;
            assert_eq!((response.status(), kept.is_some()), (StatusCode::FORBIDDEN, is_kept), "{length}");
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            assert_eq!(body.len(), length);
        }
    }
}
