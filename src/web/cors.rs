//! What pages of applications may read by script (the Fetch standard, section 3.2; threats M16). Never with cookies: what
//! is read was asked for with a token or a code. Where a page is from says the browser, whose application it is the request;
//! both must fit together.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::front::Front;
use super::lost;
use super::visitor::Visitor;
use crate::model::application::Application;
use crate::store::durable::applications;

const ORIGIN: HeaderValue = HeaderValue::from_static("origin");
/// How long a browser believes a preflight, in seconds: an origin that is taken off the list is out after that.
const BELIEVED: HeaderValue = HeaderValue::from_static("600");
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, dpop");
/// What a page has to read besides to do it better the next time.
const EXPOSED: HeaderValue = HeaderValue::from_static("www-authenticate, dpop-nonce, retry-after");

/// The methods of a door that pages come to.
pub const POST: &str = "POST";
pub const GET_AND_POST: &str = "GET,HEAD,POST";
pub const GET: &str = "GET,HEAD";

/// The origin that a page comes from, if the request says one.
pub fn origin(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::ORIGIN).iter();
    let (only, None) = (all.next()?, all.next()) else { return None };
    only.to_str().ok()
}

/// Lets the page read an answer that is for its application. Whoever it was for, caches keep them apart by the origin.
pub fn answered(headers: &HeaderMap, application: Option<&Application>, mut response: Response) -> Response {
    response.headers_mut().append(header::VARY, ORIGIN);
    let lists = |application: &&Application| {
        let origins = &application.settings.client.cors_origins;
        application.is_enabled() && origins.iter().any(|one| Some(one.as_str()) == origin(headers))
    };
    if application.filter(lists).is_some()
        && let Some(origin) = headers.get(header::ORIGIN)
    {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

/// Doors to which pages come; an answer there that knows of no application, because nobody has looked, is read by every page,
/// for it is the same for everybody.
pub fn told_anybody(parts: &Parts, mut response: Response) -> Response {
    let is_for_pages = matches!(
        parts.uri.path(),
        "/par"
            | "/token"
            | "/revoke"
            | "/userinfo"
            | "/jwks.json"
            | "/.well-known/openid-configuration"
            | "/.well-known/oauth-authorization-server"
    );
    if is_for_pages && origin(&parts.headers).is_some() {
        let headers = response.headers_mut();
        headers.append(header::VARY, ORIGIN);
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

/// A browser asks before it asks: nothing is known yet but the origin, which must be of some application of the project.
pub async fn preflight(front: Front, mut parts: Parts, allow: &'static str) -> Response {
    if !is_preflight(&parts) {
        return lost::other_method(&front, &parts, Some(allow));
    }
    let visitor = match Visitor::from_request_parts(&mut parts, &front).await {
        Ok(visitor) => visitor,
        Err(response) => return response,
    };
    let known = match origin(&visitor.headers) {
        Some(origin) => applications::is_origin(&mut &visitor.broker().db, visitor.project.id, origin).await,
        None => Ok(false),
    };
    let origin = visitor.headers.get(header::ORIGIN).cloned();
    match known {
        Ok(known) => allowed(origin.filter(|_| known), ORIGIN, allow, HEADERS),
        Err(error) => visitor.machine_fault(&error.into()).await,
    }
}

/// The same at a door that is open to every page: it tells everybody the same.
pub async fn open(State(front): State<Front>, parts: Parts) -> Response {
    if !is_preflight(&parts) {
        return lost::other_method(&front, &parts, Some(GET));
    }
    let everybody = HeaderValue::from_static("*");
    allowed(Some(everybody.clone()), ORIGIN, GET, everybody)
}

/// A plain `OPTIONS` asks only by which methods the door opens.
fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ORIGIN)
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn allowed(
    origin: Option<HeaderValue>,
    vary: HeaderValue,
    methods: &'static str,
    headers: HeaderValue,
) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let said = response.headers_mut();
    said.insert(header::VARY, vary);
    let Some(origin) = origin else { return response };
    let all: [(HeaderName, HeaderValue); 4] = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods)),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, headers),
        (header::ACCESS_CONTROL_MAX_AGE, BELIEVED),
    ];
    said.extend(all);
    response
}
