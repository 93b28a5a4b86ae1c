//! The body of a form, read with the protocol's strictness: the right content type, no parameter twice.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::reply;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;

/// `application/x-www-form-urlencoded` in the body, and nothing in the query (threats M11).
#[derive(Debug)]
pub struct Form(pub Params);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        // What stands in the address would be logged by others (RFC 6749, sections 2.3.1 and 3.2).
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(refused(StatusCode::BAD_REQUEST, "the parameters must stand in the body"));
        }
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
            return Err(refused(
                StatusCode::BAD_REQUEST,
                "the body must be application/x-www-form-urlencoded",
            ));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| refused(rejection.status(), "the body cannot be read or is too large"))?;
        let params =
            Params::parse(&body).map_err(|error| refused(StatusCode::BAD_REQUEST, error.to_string()))?;
        Ok(Self(params))
    }
}

/// Whoever posts something else than a form is a machine, and is told in the protocol's words.
fn refused(status: StatusCode, why: impl Into<Cow<'static, str>>) -> Response {
    reply::oauth_error(status, &OAuthError::invalid_request(why))
}
