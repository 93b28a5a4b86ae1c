//! `/register` (RFC 7591, section 3) and `/register/{client_id}` (RFC 7592, section 2).

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::{Known, Stop, note, own, register};
use crate::protocol::oauth::error::OAuthError;
use crate::store::ephemeral::Kind;
use crate::web::coding;
use crate::web::front::Front;
use crate::web::json;
use crate::web::lost::{self, Told};
use crate::web::reply::{self, Fault};
use crate::web::visitor::Visitor;

const MINUTE: Duration = Duration::from_secs(60);
/// Attempts of one network in a minute, whatever comes of them.
const MOST: u64 = 60;

/// `POST /register`
pub async fn registers(State(front): State<Front>, request: Request) -> Response {
    let (visitor, body) = match arrived(&front, request).await {
        Ok(arrived) => arrived,
        Err(response) => return response,
    };
    let outcome = async {
        let token = bearer(&visitor)?;
        register(&visitor, token, read(&visitor, body)?).await
    };
    answered(&visitor, None, outcome.await.map(|known| (StatusCode::CREATED, known))).await
}

/// `GET /register/{client_id}`
pub async fn reads(Path(client_id): Path<String>, State(front): State<Front>, request: Request) -> Response {
    let (visitor, _) = match arrived(&front, request).await {
        Ok(arrived) => arrived,
        Err(response) => return response,
    };
    let outcome = async { Ok(own(&visitor, &client_id, bearer(&visitor)?).await?.read(&visitor)) };
    answered(&visitor, Some(&client_id), outcome.await.map(|known| (StatusCode::OK, known))).await
}

/// `PUT /register/{client_id}`
pub async fn updates(
    Path(client_id): Path<String>,
    State(front): State<Front>,
    request: Request,
) -> Response {
    let (visitor, body) = match arrived(&front, request).await {
        Ok(arrived) => arrived,
        Err(response) => return response,
    };
    let outcome = async {
        let own = own(&visitor, &client_id, bearer(&visitor)?).await?;
        own.update(&visitor, read(&visitor, body)?).await
    };
    answered(&visitor, Some(&client_id), outcome.await.map(|known| (StatusCode::OK, known))).await
}

/// `DELETE /register/{client_id}`
pub async fn deletes(
    Path(client_id): Path<String>,
    State(front): State<Front>,
    request: Request,
) -> Response {
    let (visitor, _) = match arrived(&front, request).await {
        Ok(arrived) => arrived,
        Err(response) => return response,
    };
    let outcome = async { own(&visitor, &client_id, bearer(&visitor)?).await?.delete(&visitor).await };
    match outcome.await {
        Ok(()) => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            reply::no_store(response.headers_mut());
            response
        }
        Err(stop) => stopped(&visitor, Some(&client_id), stop).await,
    }
}

type Body = Result<bytes::Bytes, json::Unreadable>;

/// Where nobody registers there is no such door; elsewhere it opens so often in a minute.
async fn arrived(front: &Front, request: Request) -> Result<(Visitor, Body), Response> {
    let (mut parts, body) = request.into_parts();
    let visitor = Visitor::from_request_parts(&mut parts, front).await?;
    if !visitor.project.settings.dynamic_registration {
        return Err(lost::answer(front, &parts, Told::NOT_FOUND));
    }
    let what = format!("register {}", visitor.network());
    match visitor.broker().ephemeral.count(Kind::RateCounter, &what, MINUTE).await {
        Ok(many) if many <= MOST => {}
        Ok(_) => {
            let error = OAuthError::temporarily_unavailable("too many attempts: wait a minute");
            let mut response = reply::oauth_error(StatusCode::TOO_MANY_REQUESTS, &error);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            return Err(response);
        }
        Err(error) => return Err(visitor.machine_fault(&error.into()).await),
    }
    let bytes = json::bytes(Request::from_parts(parts, body), front).await;
    Ok((visitor, bytes))
}

/// RFC 6750, section 2.1.
fn bearer(visitor: &Visitor) -> Result<&str, Stop> {
    let mut all = visitor.headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return Err(Stop::Token) };
    let (scheme, token) = only.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Stop::Token)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Stop::Token) }
}

fn read(visitor: &Visitor, body: Body) -> Result<Map<String, Value>, Stop> {
    let members = body.and_then(|bytes| json::members(&visitor.headers, &["application/json"], &bytes));
    members.map_err(|why| {
        let why = match why {
            json::Unreadable::Encoded => return Stop::Encoded,
            json::Unreadable::TooLarge => "the body is too large",
            json::Unreadable::OtherType => "the body must be application/json",
            json::Unreadable::Twice => "an object of the body has a member twice",
            _ => "the body is not one JSON object",
        };
        Stop::Refused(OAuthError::invalid_client_metadata(why))
    })
}

async fn answered(
    visitor: &Visitor,
    client_id: Option<&str>,
    outcome: Result<(StatusCode, Known), Stop>,
) -> Response {
    match outcome {
        Ok((status, known)) => {
            let mut response = (status, Json(Value::Object(known.members))).into_response();
            reply::no_store(response.headers_mut());
            response
        }
        Err(stop) => stopped(visitor, client_id, stop).await,
    }
}

/// RFC 7591, section 3.2.2; RFC 6750, section 3. Whatever is wrong with a token reads the same.
async fn stopped(visitor: &Visitor, client_id: Option<&str>, stop: Stop) -> Response {
    let (status, error) = match stop {
        Stop::Refused(error) => (StatusCode::BAD_REQUEST, error),
        Stop::Encoded => (coding::STATUS, OAuthError::invalid_client_metadata(coding::WHY)),
        Stop::Token => {
            (StatusCode::UNAUTHORIZED, OAuthError::invalid_token("a token that works here is missing"))
        }
        Stop::Failed(fault) => return visitor.machine_fault(&fault).await,
    };
    if let Err(fault) = noted(visitor, &error, client_id).await {
        return visitor.machine_fault(&fault).await;
    }
    let mut response = reply::oauth_error(status, &error);
    if status == coding::STATUS {
        coding::advise(&mut response);
    }
    if status == StatusCode::UNAUTHORIZED {
        let shows_one = visitor.headers.contains_key(header::AUTHORIZATION);
        let challenge = if shows_one { "Bearer error=\"invalid_token\"" } else { "Bearer" };
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

async fn noted(visitor: &Visitor, error: &OAuthError, client_id: Option<&str>) -> Result<(), Fault> {
    note(visitor, error.code, client_id).await
}
