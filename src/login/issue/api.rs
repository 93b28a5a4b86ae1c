//! The endpoints of tokens: issue, revocation, introspection, UserInfo.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::claims::{self, Occasion};
use super::introspection::{self, introspect};
use super::mint;
use super::possession::only_wants_nonce;
use super::presented::{Opened, opened};
use super::revocation;
use super::token::{self, NoTokens};
use super::{client, device};
use super::{minting, names};
use crate::foundation::clock::Moment;
use crate::login::refusal::Refusal;
use crate::login::{Stop, note};
use crate::model::application::Application;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::protocol::oauth::scope;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{applications, choices, grants, machine_grants};
use crate::web::accept::Accepted;
use crate::web::cors;
use crate::web::dpop::{self, Scheme};
use crate::web::form::{self, MachineForm};
use crate::web::front::Front;
use crate::web::reply;
use crate::web::visitor::Visitor;

/// `POST /token`
pub async fn token(visitor: Visitor, MachineForm(params): MachineForm) -> Response {
    let mut response = match token::granted(&visitor, &params).await {
        Ok(answer) => {
            let mut response = Json(answer).into_response();
            reply::no_store(response.headers_mut());
            response
        }
        Err(NoTokens::Refused { error, login_url }) => refused(&error, login_url),
        Err(NoTokens::Waits(error)) => reply::oauth_error(StatusCode::BAD_REQUEST, &error),
        Err(NoTokens::Failed(fault)) => visitor.machine_fault(&fault).await,
    };
    dpop::hand_out(&visitor, response.headers_mut());
    readable(&visitor, || client::claimed(&visitor, &params), response).await
}

/// Lets pages of the application read the answer that was asked for in its name.
pub async fn readable(
    visitor: &Visitor,
    client_id: impl FnOnce() -> Option<String>,
    response: Response,
) -> Response {
    let headers = &visitor.headers;
    let Some(id) = cors::origin(headers).and_then(|_| client_id()) else {
        return cors::answered(headers, None, response);
    };
    match applications::by_client_id(&mut &visitor.broker().db, visitor.project.id, &id).await {
        Ok(found) => cors::answered(headers, found.as_ref(), response),
        Err(error) => {
            visitor.report(&error.into()).await;
            cors::answered(headers, None, response)
        }
    }
}

/// `POST /device_authorization` (RFC 8628, section 3.1)
pub async fn device_authorization(visitor: Visitor, MachineForm(params): MachineForm) -> Response {
    match device::begin(&visitor, &params).await {
        Ok(answer) => {
            let mut response = Json(answer).into_response();
            reply::no_store(response.headers_mut());
            response
        }
        Err(stop) => stopped(&visitor, stop).await,
    }
}

/// `POST /revoke` (RFC 7009)
pub async fn revoke(visitor: Visitor, MachineForm(params): MachineForm) -> Response {
    let response = match revocation::revoke(&visitor, &params).await {
        Ok(()) => {
            let mut response = StatusCode::OK.into_response();
            reply::no_store(response.headers_mut());
            response
        }
        Err(stop) => stopped(&visitor, stop).await,
    };
    readable(&visitor, || client::claimed(&visitor, &params), response).await
}

/// `POST /introspect` (RFC 7662), signed for who wants it so (RFC 9701).
pub async fn introspection(visitor: Visitor, MachineForm(params): MachineForm) -> Response {
    let answered = async {
        let found = introspect(&visitor, &params).await?;
        Ok(match wants_signed(&visitor.headers) {
            true => {
                let kind = HeaderValue::from_static("application/token-introspection+jwt");
                ([(header::CONTENT_TYPE, kind)], found.signed(&visitor).await?).into_response()
            }
            false => Json(Value::Object(found.answer)).into_response(),
        })
    };
    match answered.await {
        Ok(mut response) => {
            reply::no_store(response.headers_mut());
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
            response
        }
        Err(stop) => stopped(&visitor, stop).await,
    }
}

/// Whether it is asked for by name, and not less than what is answered otherwise.
fn wants_signed(headers: &HeaderMap) -> bool {
    let (accepted, signed) = (Accepted::of(headers), format!("application/{}", introspection::SIGNED));
    let wanted = accepted.named(|kind| kind == signed);
    wanted > 0 && wanted >= accepted.weight("application/json")
}

async fn stopped(visitor: &Visitor, stop: Stop) -> Response {
    match NoTokens::from(stop) {
        NoTokens::Refused { error, .. } | NoTokens::Waits(error) => refused(&error, None),
        NoTokens::Failed(fault) => visitor.machine_fault(&fault).await,
    }
}

/// RFC 6749, section 5.2; who only has to do something else is told what.
fn refused(error: &OAuthError, login_url: Option<String>) -> Response {
    let status = match error.code {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        "access_denied" | "sso_required" | "mfa_required" | "organization_selection_required" => {
            StatusCode::FORBIDDEN
        }
        "temporarily_unavailable" => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut response = match login_url {
        None => reply::oauth_error(status, error),
        Some(url) => {
            let more = json!({ "login_url": url });
            reply::oauth_error_with(status, error, more)
        }
    };
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    }
    // However it tried: who is not let in is told how one is (RFC 9110, section 15.5.2).
    if error.code == "invalid_client" {
        let value = HeaderValue::from_static("Basic realm=\"token\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// `GET /userinfo` (OpenID Connect Core, section 5.3): what is true now, not when the token was signed.
pub async fn userinfo(visitor: Visitor) -> Response {
    userinfo_for(visitor, Ok(())).await
}

/// `POST /userinfo`: the same, by a token in the header or in a form (RFC 6750, section 2.2).
pub async fn userinfo_posted(State(front): State<Front>, mut visitor: Visitor, request: Request) -> Response {
    let shown = if form::is_form(&visitor.headers) {
        match MachineForm::from_request(request, &front).await {
            Ok(MachineForm(params)) => shows(&mut visitor, &params),
            Err(response) => return response,
        }
    } else {
        Ok(())
    };
    userinfo_for(visitor, shown).await
}

/// What stands in a form counts as if it stood in the header, which must not be there as well then.
fn shows(visitor: &mut Visitor, params: &Params) -> Result<(), Refusal> {
    let invalid = |why: String| Refusal::Protocol(OAuthError::invalid_request(why));
    let Some(token) = params.get("access_token").map_err(|error| invalid(error.to_string()))? else {
        return Ok(());
    };
    if visitor.headers.contains_key(header::AUTHORIZATION) {
        return Err(invalid("the access token is shown twice: in the header, and in the form".to_owned()));
    }
    let shown = HeaderValue::try_from(format!("Bearer {token}"));
    let shown = shown.map_err(|_| Refusal::Protocol(OAuthError::invalid_token("it is no access token")))?;
    visitor.headers.insert(header::AUTHORIZATION, shown);
    Ok(())
}

async fn userinfo_for(visitor: Visitor, shown: Result<(), Refusal>) -> Response {
    let told = match shown {
        Ok(()) => told(&visitor).await,
        Err(refusal) => Err(refusal.into()),
    };
    let mut response = match told {
        Ok(mut response) => {
            reply::no_store(response.headers_mut());
            response
        }
        // Nothing is wrong: whoever comes first learns a nonce so.
        Err(Stop::Refused(refusal)) if only_wants_nonce(&refusal) => unauthorized(&visitor, &refusal),
        Err(Stop::Refused(refusal)) => match note(&visitor, "userinfo.refused", &refusal, None, None).await {
            Ok(()) => unauthorized(&visitor, &refusal),
            Err(fault) => visitor.machine_fault(&fault).await,
        },
        Err(Stop::Failed(fault)) => visitor.machine_fault(&fault).await,
    };
    dpop::hand_out(&visitor, response.headers_mut());
    readable(&visitor, || client::unverified_holder(&visitor), response).await
}

/// RFC 6750, section 3; RFC 9449, section 7.1. Who shows a token as bound is told what that needs; everybody else, that it
/// can be shown so as well.
fn unauthorized(visitor: &Visitor, refusal: &Refusal) -> Response {
    let (status, error) = match refusal {
        Refusal::Protocol(error) if error.code == "insufficient_scope" => {
            (StatusCode::FORBIDDEN, error.clone())
        }
        Refusal::Protocol(error) if error.code == "invalid_request" => {
            (StatusCode::BAD_REQUEST, error.clone())
        }
        Refusal::Protocol(error) => (StatusCode::UNAUTHORIZED, error.clone()),
        Refusal::LoginRequired => {
            (StatusCode::UNAUTHORIZED, OAuthError::invalid_token("an access token is missing"))
        }
        _ => (StatusCode::UNAUTHORIZED, OAuthError::invalid_token("the token is not valid any more")),
    };
    let mut response = reply::oauth_error(status, &error);
    let headers = response.headers_mut();
    if dpop::shown(&visitor.headers).is_some_and(|(scheme, _)| scheme == Scheme::Dpop) {
        dpop::challenge_too(headers, &dpop::challenge(Some(&error)));
        return response;
    }
    // Who brought no token made no error (RFC 6750, section 3.1).
    let challenge = match refusal {
        Refusal::LoginRequired => "Bearer".to_owned(),
        _ => format!("Bearer error=\"{}\", error_description=\"{}\"", error.code, error.description),
    };
    dpop::challenge_too(headers, &challenge);
    dpop::challenge_too(headers, &dpop::challenge(None));
    response
}

async fn told(visitor: &Visitor) -> Result<Response, Stop> {
    let broker = visitor.broker();
    let now = broker.now();
    let opened = presented(visitor, now).await?;
    let grant_id = opened.grant;
    let outcome = broker
        .db
        .read(async move |tx| {
            let Some(grant) = grants::by_id(tx, grant_id).await? else { return Ok(None) };
            if grant.revoked_at.is_some() {
                return Ok(None);
            }
            // A token may be for less than its family was granted.
            let granted = grant.request.scopes.iter().filter(|one| opened.scopes.contains(one));
            let scopes = granted.cloned().collect();
            let request = mint::Request { scopes, listed: choices::ALL, ..minting(&grant, now) };
            let minted = mint::run(tx, &request).await?;
            Ok::<_, StoreError>(Some((grant, minted)))
        })
        .await?;
    let invalid = || Refusal::Protocol(OAuthError::invalid_token("the token is not valid any more"));
    let Some((grant, minted)) = outcome else {
        let machine = machine_grants::by_id(&mut &broker.db, grant_id).await?;
        let own = machine.is_some_and(|grant| grant.project_id == visitor.project.id);
        let nobody =
            "the token is of an application itself: there is no person of whom anything could be told";
        let refusal = if own { Refusal::Protocol(OAuthError::invalid_token(nobody)) } else { invalid() };
        return Err(refusal.into());
    };
    let minted = minted?;
    let scopes = &minted.scopes;
    if grant.project_id != visitor.project.id {
        return Err(invalid().into());
    }
    if !scopes.iter().any(|scope| scope == scope::OPENID) {
        return Err(Refusal::Protocol(OAuthError::insufficient_scope("the scope openid is missing")).into());
    }
    let (issuer, id) = (visitor.issuer(), grant.id.to_string());
    let names = names(visitor, &minted).await?;
    let occasion = Occasion {
        issuer: &issuer,
        names: &names,
        scopes,
        resources: &[],
        named: &grant.request.claims.userinfo,
        grant: &id,
        nonce: None,
        signed_in: None,
        exchanged: None,
        now,
    };
    let claims = claims::userinfo(&minted, &occasion);
    match minted.application.settings.client.userinfo_algorithm {
        None => Ok(Json(Value::Object(claims)).into_response()),
        Some(algorithm) => signed(visitor, &minted.application, claims, algorithm).await,
    }
}

/// As a JWT of ours, for this application alone (OpenID Connect Core, section 5.3.2).
async fn signed(
    visitor: &Visitor,
    application: &Application,
    mut claims: serde_json::Map<String, Value>,
    algorithm: Algorithm,
) -> Result<Response, Stop> {
    let now = visitor.broker().now();
    claims.insert("iss".into(), json!(visitor.issuer()));
    claims.insert("aud".into(), json!(application.client_id));
    claims.insert("iat".into(), json!(now.seconds()));
    let keys = visitor.broker().keyring.of(visitor.project.id).await?;
    let token = keys.signing(algorithm, now)?.sign_jwt("JWT", &claims)?;
    crate::telemetry::names::signed(algorithm.name());
    let kind = HeaderValue::from_static("application/jwt");
    Ok(([(header::CONTENT_TYPE, kind)], token).into_response())
}

/// An access token that is ours, for us, and not run out. Nothing else opens this door (threats M05).
async fn presented(visitor: &Visitor, now: Moment) -> Result<Opened, Stop> {
    let invalid = |why: &'static str| Refusal::Protocol(OAuthError::invalid_token(why));
    if !visitor.headers.contains_key(header::AUTHORIZATION) {
        return Err(Refusal::LoginRequired.into());
    }
    let shown = dpop::shown(&visitor.headers).ok_or(invalid("an access token is missing"))?;
    let audience = visitor.issuer();
    opened(visitor, shown, &audience, now).await
}
