//! Who came to no door of ours, or to the right one in a wrong way: people are shown a page, machines are told a
//! problem.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::accept::Accepted;
use super::cors;
use super::front::Front;
use super::language;
use super::reply;
use super::templates::{Brand, ErrorPage, Page, Problem};
use super::visitor::{ProjectSlug, RequestTag, Visitor, request_id};
use crate::foundation::id::RequestId;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::problem;

/// Whether HTML is asked for by name, and rather than JSON: browsers do that when they go to an address (RFC 9110, section
/// 12.5.1), and clients of interfaces do not.
pub fn reads_pages(headers: &HeaderMap) -> bool {
    let accepted = Accepted::of(headers);
    accepted.named(|kind| kind == "text/html") > accepted.named(|kind| kind.ends_with("json"))
}

/// Below this no page is shown, whatever is asked for.
fn is_for_machines(parts: &Parts) -> bool {
    parts.uri.path().starts_with("/api/")
}

/// What is told, to people and to machines.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub status: StatusCode,
    pub problem: Problem,
    pub code: &'a str,
    /// Of the code, as the administration API has it.
    pub title: &'a str,
    pub detail: &'a str,
}

impl Told<'static> {
    pub const NOT_FOUND: Self = Self {
        status: StatusCode::NOT_FOUND,
        problem: Problem::NotFound,
        code: "not_found",
        title: "There is nothing here",
        detail: "there is nothing here",
    };
    pub const WRONG_METHOD: Self = Self {
        status: StatusCode::METHOD_NOT_ALLOWED,
        problem: Problem::BadRequest,
        code: "method_not_allowed",
        title: "This door opens with another method",
        detail: "this door opens with another method",
    };
    pub const TOO_SLOW: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        problem: Problem::Fault,
        code: "timeout",
        title: "The request took too long",
        detail: "the request took too long",
    };
}

/// Answers without looking anything up: in the name of the house, not of a project.
pub fn answer(front: &Front, parts: &Parts, told: Told<'_>) -> Response {
    if !reads_pages(&parts.headers) || is_for_machines(parts) {
        return told_machines(front, parts, told);
    }
    let id = parts.extensions.get::<RequestTag>().map(|tag| tag.0.to_string());
    let again = matches!(told.problem, Problem::WrongAddress)
        .then(|| super::templates::Href::parse(&format!("{}/", front.broker.origin)))
        .flatten();
    let page = Page::Error(ErrorPage { id, again, ..ErrorPage::new(told.problem) });
    let spoken = parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let wish = language::wish(parts);
    let language = front.templates.negotiate(wish.as_deref(), spoken);
    let host = front.broker.config.public_url();
    let mut brand = Brand::of_house(host.host_str().unwrap_or("Behalf"), &front.broker.origin);
    if wish.is_some() {
        brand = brand.in_language(&language);
    }
    match front.templates.render(&page, &language, &brand) {
        Ok(text) => reply::html(told.status, text, &[], false),
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            told_machines(front, parts, told)
        }
    }
}

/// A problem: below the administration API, one like any other there, where its code is explained.
fn told_machines(front: &Front, parts: &Parts, told: Told<'_>) -> Response {
    let Told { status, code, title, detail, .. } = told;
    if !is_for_machines(parts) {
        return reply::problem(status, code, detail);
    }
    let kind = Some(problem::kind(&issuer(front, parts), code));
    let request_id = Some(request_id(parts, front).to_string());
    reply::problem_of(status, reply::Wrong { kind, title, code, detail, request_id })
}

/// Of the project that is asked for, whether there is one or not.
fn issuer(front: &Front, parts: &Parts) -> String {
    let origin = &front.broker.origin;
    let slug = parts.extensions.get::<ProjectSlug>().map(|slug| slug.0.as_str());
    let plain = |slug: &&str| {
        slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    slug.filter(plain).map_or_else(|| origin.clone(), |slug| format!("{origin}/p/{slug}"))
}

/// What took too long is told in the protocol's words where a client waits for those (RFC 6749, section 5.2).
pub fn too_slow(front: &Front, parts: &Parts) -> Response {
    if speaks_oauth(parts.uri.path()) {
        let error = OAuthError::temporarily_unavailable(Told::TOO_SLOW.detail);
        return cors::told_anybody(parts, reply::oauth_error(Told::TOO_SLOW.status, &error));
    }
    cors::told_anybody(parts, answer(front, parts, Told::TOO_SLOW))
}

/// Our own failure, in which nothing more can be looked up: the log knows it by the id that is told.
pub fn failed(front: &Front, parts: &Parts, request: RequestId) -> Response {
    let detail = format!("our own failure; quote {request}");
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    if speaks_oauth(parts.uri.path()) {
        return cors::told_anybody(parts, reply::oauth_error(status, &OAuthError::server_error(detail)));
    }
    let told = Told {
        status,
        problem: Problem::Fault,
        code: "server_error",
        title: "Our own failure",
        detail: &detail,
    };
    cors::told_anybody(parts, answer(front, parts, told))
}

/// The same where a handler panicked.
pub fn panicked(front: &Front, parts: &Parts) -> Response {
    let request = request_id(parts, front);
    tracing::error!(%request, "a request panicked");
    failed(front, parts, request)
}

/// Whether whoever comes here waits for the `error` of RFC 6749, section 5.2, whatever they say that they read.
pub fn speaks_oauth(path: &str) -> bool {
    matches!(
        path,
        "/par" | "/token" | "/userinfo" | "/revoke" | "/introspect" | "/device_authorization" | "/register"
    ) || path.starts_with("/register/")
        || (path.starts_with("/oidc/") && path.ends_with("/backchannel-logout"))
}

/// `fallback`: there is no such door. People see it in the colours of the project that they came to.
pub async fn nothing(mut parts: Parts, front: &Front) -> Response {
    if !reads_pages(&parts.headers) || is_for_machines(&parts) {
        return answer(front, &parts, Told::NOT_FOUND);
    }
    match Visitor::from_request_parts(&mut parts, front).await {
        Ok(visitor) => {
            let page =
                ErrorPage { id: Some(visitor.request.to_string()), ..ErrorPage::new(Problem::NotFound) };
            visitor.page(StatusCode::NOT_FOUND, &Page::Error(page), None, &[])
        }
        Err(response) => response,
    }
}

/// There is such a door, but it does not open by this method. `OPTIONS` is told the methods, and so is everybody else
/// (RFC 9110, sections 9.3.7 and 15.5.6). The router adds them where `allow` leaves that to it.
pub fn other_method(front: &Front, parts: &Parts, allow: Option<&'static str>) -> Response {
    let mut response = match parts.method {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => answer(front, parts, Told::WRONG_METHOD),
    };
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pages_are_for_those_who_ask_for_html_and_not_for_json() {
        let reads = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            reads_pages(&headers)
        };
        assert!(reads("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(reads("TEXT/HTML"));
        assert!(reads("application/json;q=0.5, text/html;q=0.7"));
        assert!(reads("application/json;q=0, text/html;q=0.1"));
        for machine in [
            "*/*",
            "application/json",
            "application/json, text/html",
            "application/problem+json, text/html;q=0.9",
            "image/png",
            "text/html;q=0",
        ] {
            assert!(!reads(machine), "{machine}");
        }
        assert!(!reads_pages(&HeaderMap::new()));
    }
}
