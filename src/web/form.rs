//! The body of a form, read with the protocol's strictness: the right content type, no parameter twice.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::front::Front;
use super::lost::reads_pages;
use super::reply;
use super::templates::{ErrorPage, Page, Problem};
use super::visitor::Visitor;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;

/// `application/x-www-form-urlencoded` in the body, and nothing in the query (threats M11), posted by a browser: what
/// is malformed is told on a page.
#[derive(Debug)]
pub struct Form(pub Params);

impl FromRequest<Front> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let mut seen = parts.clone();
        match read(Request::from_parts(parts, body), front).await {
            Ok(params) => Ok(Self(params)),
            Err((status, why)) if reads_pages(&seen.headers) => {
                Err(shown(Visitor::from_request_parts(&mut seen, front).await?, status, &why))
            }
            Err((status, why)) => Err(refused(status, why)),
        }
    }
}

fn shown(visitor: Visitor, status: StatusCode, why: &str) -> Response {
    tracing::info!(request = %visitor.request, why, "a form cannot be read");
    let page = ErrorPage { id: Some(visitor.request.to_string()), ..ErrorPage::new(Problem::BadRequest) };
    visitor.page(status, &Page::Error(page), None, &[])
}

/// The same of a machine, which is always told in the protocol's words.
#[derive(Debug)]
pub struct MachineForm(pub Params);

impl FromRequest<Front> for MachineForm {
    type Rejection = Response;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Response> {
        read(request, front).await.map(Self).map_err(|(status, why)| refused(status, why))
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
    pub why: Cow<'static, str>,
}

impl FromRequest<Front> for MessageForm {
    type Rejection = Infallible;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Infallible> {
        Ok(Self(read(request, front).await.map_err(|(status, why)| Unreadable { status, why })))
    }
}

type Why = (StatusCode, Cow<'static, str>);

async fn read(request: Request, front: &Front) -> Result<Params, Why> {
    let bad = |why: &'static str| (StatusCode::BAD_REQUEST, Cow::Borrowed(why));
    // What stands in the address would be logged by others (RFC 6749, sections 2.3.1 and 3.2).
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(bad("the parameters must stand in the body"));
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
        return Err(bad("the body must be application/x-www-form-urlencoded"));
    }
    let body = Bytes::from_request(request, front).await;
    let body =
        body.map_err(|rejection| (rejection.status(), "the body cannot be read or is too large".into()))?;
    Params::parse(&body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string().into()))
}

fn refused(status: StatusCode, why: impl Into<Cow<'static, str>>) -> Response {
    reply::oauth_error(status, &OAuthError::invalid_request(why))
}
