//! The body of a form, read with the protocol's strictness: the right content type, no parameter twice.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::RequestExt;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::coding;
use super::front::Front;
use super::lost::reads_pages;
use super::reply::{self, Fault};
use super::templates::{ErrorPage, Page, Problem};
use super::visitor::Visitor;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::{Params, ParamsError};
use crate::telemetry::names;

/// A form of one of our own pages: `application/x-www-form-urlencoded` in the body, nothing in the query (threats M11), and
/// no field twice. What is malformed is told on a page.
#[derive(Debug)]
pub struct Form(pub Params);

impl FromRequest<Front> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Response> {
        taken(request, front, Poster::OurPage).await.map(Self)
    }
}

/// The same of an application's request that a browser posts: what stands in it twice is for the room to tell, which knows
/// whom.
#[derive(Debug)]
pub struct RequestForm(pub Params);

impl FromRequest<Front> for RequestForm {
    type Rejection = Response;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Response> {
        taken(request, front, Poster::Application).await.map(Self)
    }
}

/// The same of a machine, which is always told in the protocol's words.
#[derive(Debug)]
pub struct MachineForm(pub Params);

impl FromRequest<Front> for MachineForm {
    type Rejection = Response;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Response> {
        taken(request, front, Poster::Machine).await.map(Self)
    }
}

/// The same of a message that an identity provider makes a browser post. What is wrong with it is for the room to tell: a
/// person waits, and the connection's administrator wants to know.
#[derive(Debug)]
pub struct MessageForm(pub Result<Params, Unreadable>);

/// Why what was posted is no form.
#[derive(Debug)]
pub struct Unreadable {
    pub status: StatusCode,
    /// What the trail calls it.
    pub reason: &'static str,
    pub why: Cow<'static, str>,
}

impl FromRequest<Front> for MessageForm {
    type Rejection = Infallible;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Infallible> {
        let (parts, body) = request.with_limited_body().into_parts();
        Ok(Self(read(&parts, body, front).await))
    }
}

/// Who has posted it: that says what may stand in it, and in which words they are refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Poster {
    OurPage,
    Application,
    Machine,
}

async fn taken(request: Request, front: &Front, by: Poster) -> Result<Params, Response> {
    let (seen, body) = request.with_limited_body().into_parts();
    let read = read(&seen, body, front).await;
    let read = read.and_then(|params| match params.twice().filter(|_| by == Poster::OurPage) {
        Some(error) => Err(twice(&error)),
        None => Ok(params),
    });
    match read {
        Ok(params) => Ok(params),
        Err(unreadable) => Err(told(seen, front, &unreadable, by != Poster::Machine).await),
    }
}

fn twice(error: &ParamsError) -> Unreadable {
    let (status, why) = (StatusCode::BAD_REQUEST, error.to_string().into());
    Unreadable { status, reason: "parameter_twice", why }
}

/// Whether what is posted says that it is a form.
pub fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// `body`: with its limit, which stands in the parts.
async fn read(parts: &Parts, body: Body, front: &Front) -> Result<Params, Unreadable> {
    let bad = |reason, why: &'static str| Unreadable {
        status: StatusCode::BAD_REQUEST,
        reason,
        why: Cow::Borrowed(why),
    };
    // What stands in the address would be logged by others (RFC 6749, sections 2.3.1 and 3.2).
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(bad("parameters_in_address", "the parameters must stand in the body"));
    }
    if !is_form(&parts.headers) {
        return Err(bad("content_type", "the body must be application/x-www-form-urlencoded"));
    }
    if coding::is_any(&parts.headers) {
        return Err(Unreadable { status: coding::STATUS, ..bad("content_encoding", coding::WHY) });
    }
    let mut rest = Request::new(body);
    DefaultBodyLimit::disable().apply(&mut rest);
    let body = Bytes::from_request(rest, front).await.map_err(|rejection| {
        let status = rejection.status();
        let is_too_large = status == StatusCode::PAYLOAD_TOO_LARGE;
        let reason = if is_too_large { "body_too_large" } else { "body_unreadable" };
        Unreadable { status, reason, why: "the body cannot be read or is too large".into() }
    })?;
    Params::parse(&body)
        .map_err(|error| Unreadable { why: error.to_string().into(), ..bad("parameters_malformed", "") })
}

/// Written down, the same at every door; people are shown a page, machines told in the protocol's words.
async fn told(mut seen: Parts, front: &Front, unreadable: &Unreadable, by_people: bool) -> Response {
    let is_shown = by_people && reads_pages(&seen.headers);
    let door = seen.extensions.get::<MatchedPath>().map_or_else(String::new, |path| path.as_str().to_owned());
    let visitor = match Visitor::from_request_parts(&mut seen, front).await {
        Ok(visitor) => visitor,
        Err(response) => return response,
    };
    tracing::info!(request = %visitor.request, door, why = %unreadable.why, "a form cannot be read");
    let mut response = match (note(&visitor, door, unreadable).await, is_shown) {
        (Err(fault), true) => visitor.fault(&fault, None).await,
        (Err(fault), false) => visitor.machine_fault(&fault).await,
        (Ok(()), true) => {
            let page =
                ErrorPage { id: Some(visitor.request.to_string()), ..ErrorPage::new(Problem::BadRequest) };
            visitor.page(unreadable.status, &Page::Error(page), None, &[])
        }
        (Ok(()), false) => {
            let error = OAuthError::invalid_request(unreadable.why.clone());
            reply::oauth_error(unreadable.status, &error)
        }
    };
    if unreadable.status == coding::STATUS {
        coding::advise(&mut response);
    }
    response
}

/// `door`: the path as it is mounted, which holds nothing that a stranger chose.
async fn note(visitor: &Visitor, door: String, unreadable: &Unreadable) -> Result<(), Fault> {
    if !visitor.may_be_noted().await? {
        return Ok(());
    }
    let event = AuditEvent::new(visitor.project.id, "form.refused", Outcome::Refused)
        .reason(unreadable.reason)
        .request(Some(visitor.request))
        .with("address", visitor.address.to_string())
        .with("door", door);
    visitor.broker().record(event).await.inspect_err(|_| names::audit_failed())?;
    Ok(())
}
