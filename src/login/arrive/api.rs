//! Pushed authorization requests (RFC 9126): an application says beforehand, and proved, what it will ask for.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::came::{beside, checked};
use super::{Way, signed};
use crate::foundation::secret::Secret;
use crate::login::issue::api::readable;
use crate::login::issue::client;
use crate::login::issue::possession::{self, Shown};
use crate::login::refusal::Refusal;
use crate::login::{Stop, note_claimed};
use crate::model::application::Application;
use crate::model::login::Asked;
use crate::protocol::oauth::authorization::PUSHED;
use crate::protocol::oauth::dpop::is_same_key;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::store::durable::{pushed_requests, used};
use crate::store::ephemeral::Kind;
use crate::web::dpop;
use crate::web::form::MachineForm;
use crate::web::reply;
use crate::web::visitor::Visitor;

/// Seconds for which what was pushed can be used.
const LIFETIME: u64 = 60;
/// Requests that one application has pushed in a minute at most. A network of which anybody may claim to be a public one
/// has as many as it may begin logins.
const PUSHED_A_MINUTE: u64 = 6_000;
const MINUTE: Duration = Duration::from_secs(60);

/// `POST /par`
pub async fn push(visitor: Visitor, MachineForm(params): MachineForm) -> Response {
    let mut response = match kept(&visitor, &params).await {
        Ok(name) => {
            let body = json!({ "request_uri": format!("{PUSHED}{}", name.expose()), "expires_in": LIFETIME });
            let mut response = (StatusCode::CREATED, Json(body)).into_response();
            reply::no_store(response.headers_mut());
            response
        }
        // Nothing is wrong: whoever comes first learns a nonce so.
        Err(Stop::Refused(refusal)) if possession::only_wants_nonce(&refusal) => refused(&refusal),
        Err(Stop::Refused(refusal)) => {
            let claimed = client::claimed(&visitor, &params);
            match note_claimed(&visitor, "par.refused", &refusal, claimed.as_deref()).await {
                Ok(()) => refused(&refusal),
                Err(fault) => visitor.machine_fault(&fault).await,
            }
        }
        Err(Stop::Failed(fault)) => visitor.machine_fault(&fault).await,
    };
    dpop::hand_out(&visitor, response.headers_mut());
    readable(&visitor, || client::claimed(&visitor, &params), response).await
}

/// RFC 9126, section 2.3.
fn refused(refusal: &Refusal) -> Response {
    let (status, error) = match refusal {
        Refusal::TooManyRequests => {
            let error = OAuthError::temporarily_unavailable("too many requests are pushed");
            (StatusCode::TOO_MANY_REQUESTS, error)
        }
        Refusal::Protocol(error) if error.code == "invalid_client" => {
            (StatusCode::UNAUTHORIZED, error.clone())
        }
        Refusal::Protocol(error) => (StatusCode::BAD_REQUEST, error.clone()),
        Refusal::BadRedirectUri => {
            let why = "redirect_uri is missing, or none that this application has registered";
            (StatusCode::BAD_REQUEST, OAuthError::invalid_request(why))
        }
        other => (StatusCode::BAD_REQUEST, OAuthError::invalid_request(other.name())),
    };
    let mut response = reply::oauth_error(status, &error);
    let headers = response.headers_mut();
    if status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    }
    if status == StatusCode::UNAUTHORIZED {
        let value = HeaderValue::from_static("Basic realm=\"par\", charset=\"UTF-8\"");
        headers.insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// The name of a request that is kept. Only its digest is.
async fn kept(visitor: &Visitor, params: &Params) -> Result<Secret, Stop> {
    if let Some(error) = params.twice() {
        return Err(Refusal::Protocol(OAuthError::invalid_request(error.to_string())).into());
    }
    let proof = possession::shown(visitor, None)?;
    let application = client::authenticate(visitor, params).await?;
    may_push(visitor, &application).await?;
    let mut asked = asked(visitor, &application, params).await?;
    if let Some(proof) = &proof {
        proof.fits(&application.settings)?;
        asked.dpop_jkt = Some(key(asked.dpop_jkt, proof)?);
        possession::once(visitor, proof).await?;
    }
    let broker = visitor.broker();
    let (name, now) = (broker.random.token(), broker.now());
    let (digest, until) = (name.digest(), now.plus(Duration::from_secs(LIFETIME)));
    let project = application.project_id;
    broker
        .db
        .write(async move |tx| pushed_requests::insert(tx, digest, project, &asked, until).await)
        .await?;
    Ok(name)
}

/// The key that whoever redeems the code must hold: the one that is proved here, and no other one may be named beside it
/// (RFC 9449, section 10.1).
fn key(named: Option<String>, proof: &Shown) -> Result<String, Refusal> {
    match named {
        Some(named) if !is_same_key(&named, proof.jkt()) => {
            let why = "dpop_jkt is not the key of the DPoP proof";
            Err(Refusal::Protocol(OAuthError::invalid_dpop_proof(why)))
        }
        _ => Ok(proof.jkt().to_owned()),
    }
}

/// All that will be asked, checked now (section 2.1).
async fn asked(visitor: &Visitor, application: &Application, params: &Params) -> Result<Asked, Stop> {
    let get = |name| {
        let invalid = |error: crate::protocol::oauth::params::ParamsError| {
            Refusal::Protocol(OAuthError::invalid_request(error.to_string()))
        };
        params.get(name).map_err(invalid)
    };
    if get("request_uri")?.is_some() {
        let why = "request_uri cannot be pushed: it is what pushing gives";
        return Err(Refusal::Protocol(OAuthError::invalid_request(why)).into());
    }
    let checked = match get("request")? {
        None => checked(visitor, application, params, Way { pushed: true, signed: false }).await?,
        Some(object) => {
            let object =
                signed::read(visitor, application, params, (object, signed::Source::Request)).await?;
            let checked =
                checked(visitor, application, &object.params, Way { pushed: true, signed: true }).await?;
            let checked = checked.and_then(|asked| beside(params, &asked).map(|()| asked));
            if let Some((jti, until)) = object.jti.filter(|_| checked.is_ok()) {
                is_first(visitor, application, jti, until).await?;
            }
            checked
        }
    };
    Ok(checked.map_err(Refusal::Protocol)?)
}

/// An object that has a name of its own is pushed once.
async fn is_first(
    visitor: &Visitor,
    application: &Application,
    jti: String,
    until: crate::foundation::clock::Moment,
) -> Result<(), Stop> {
    let scope = application.id.to_string();
    let first = visitor
        .broker()
        .db
        .write(async move |tx| used::first(tx, "request_object", &scope, &jti, until).await)
        .await?;
    let error = OAuthError::invalid_request_object("the request object was used before");
    if first { Ok(()) } else { Err(Refusal::Protocol(error).into()) }
}

/// What is pushed is kept, so nobody pushes without end (threats M10).
async fn may_push(visitor: &Visitor, application: &Application) -> Result<(), Stop> {
    let broker = visitor.broker();
    let of_one = (format!("par {}", application.id), PUSHED_A_MINUTE);
    let of_network = (format!("par {}", visitor.network()), broker.config.login.flows_per_minute);
    // Whoever proves who it is comes from one network, with all its people's requests.
    let limits = if application.settings.is_public() { vec![of_network, of_one] } else { vec![of_one] };
    for (key, most) in limits {
        if broker.ephemeral.count(Kind::RateCounter, &key, MINUTE).await? > most {
            return Err(Refusal::TooManyRequests.into());
        }
    }
    Ok(())
}
