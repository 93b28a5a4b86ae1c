//! The authorization endpoint.

use axum::extract::RawQuery;
use axum::response::Response;
use tower_sessions::Session;

use super::{Silent, asked, error_redirect, hinted_subject, no_hint, redirect_uri};
use crate::foundation::id::{PairwiseId, UserId};
use crate::login::flow::{Journey, is_small};
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, answer_to, next, note};
use crate::model::application::Application;
use crate::model::login::Asked;
use crate::protocol::jose::{JwkSet, Jws};
use crate::protocol::oauth::authorization;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::store::durable::applications;
use crate::telemetry::names;
use crate::web::form::Form;
use crate::web::reply;
use crate::web::visitor::Visitor;

const LONGEST_STATE: usize = 2_048;

/// `GET /authorize`
pub async fn authorize(visitor: Visitor, browser: Session, RawQuery(query): RawQuery) -> Response {
    let params = match Params::parse(query.unwrap_or_default().as_bytes()) {
        Ok(params) => params,
        Err(error) => return answer(&visitor, Err(Refusal::BadRequest(error.to_string()).into())).await,
    };
    match arrive(&visitor, &params).await {
        Ok(Arrival::Welcome(welcome)) => {
            let (asked, application) = *welcome;
            next::proceed_for(&visitor, &browser, Journey::begin(&visitor, asked), application).await
        }
        Ok(Arrival::TurnedAway(response)) => response,
        Err(stop) => answer_to(&visitor, Err(stop), claimed(&params)).await,
    }
}

/// `POST /authorize`: another site's form brings no cookie of ours, so the journey goes on by a GET of our own.
pub async fn authorize_by_post(mut visitor: Visitor, Form(params): Form) -> Response {
    visitor.ui_locales = params.get("ui_locales").ok().flatten().map(str::to_owned);
    let outcome = match arrive(&visitor, &params).await {
        Ok(Arrival::Welcome(welcome)) => {
            let mut journey = Journey::begin(&visitor, welcome.0);
            let (silent, application) =
                (journey.login.asked.prompt.none, Silent::asked_by(&journey.login.asked));
            let response = reply::see_other(&journey.path(&visitor, ""));
            match journey.keep(&visitor, response).await {
                Err(stop) if silent || next::is_crowd(&stop) => Ok(application.tell(&visitor, stop).await),
                kept => kept,
            }
        }
        Ok(Arrival::TurnedAway(response)) => Ok(response),
        Err(stop) => Err(stop),
    };
    answer_to(&visitor, outcome, claimed(&params)).await
}

fn claimed(params: &Params) -> Option<&str> {
    params.get("client_id").ok().flatten()
}

enum Arrival {
    Welcome(Box<(Asked, Application)>),
    TurnedAway(Response),
}

/// Until application and redirect URI are known to belong together, a fault is a page; afterwards it is an
/// error at the redirect URI.
async fn arrive(visitor: &Visitor, params: &Params) -> Result<Arrival, Stop> {
    names::login_started();
    let addressed =
        authorization::addressed(params).map_err(|error| Refusal::BadRequest(error.to_string()))?;
    let application = enabled(visitor, addressed.client_id).await?;
    let uri = redirect_uri(&application, addressed.redirect_uri)?;
    let state = state(params);
    let silent = is_silent(params).then(|| Silent::new(&uri, state.as_ref().ok().copied().flatten()));
    match (welcomed(visitor, params, application, &uri, state).await, silent) {
        (Err(stop), Some(silent)) => Ok(Arrival::TurnedAway(silent.tell(visitor, stop).await)),
        (arrival, _) => arrival,
    }
}

fn is_silent(params: &Params) -> bool {
    let prompt = params.get("prompt").ok().flatten().unwrap_or_default();
    prompt.split(' ').any(|word| word == "none")
}

async fn welcomed(
    visitor: &Visitor,
    params: &Params,
    application: Application,
    uri: &str,
    state: Result<Option<&str>, OAuthError>,
) -> Result<Arrival, Stop> {
    let checked = match &state {
        Ok(state) => authorization::request(params)
            .and_then(|request| asked(&application, request, uri.to_owned(), state.map(str::to_owned))),
        Err(error) => Err(error.clone()),
    };
    let checked = match checked {
        Ok(asked) if !is_small(&asked) => {
            Err(OAuthError::invalid_request("the parameters are too long in all"))
        }
        Ok(asked) => hinted(visitor, params, &application, asked).await?,
        Err(error) => Err(error),
    };
    match checked {
        Ok(asked) => Ok(Arrival::Welcome(Box::new((asked, application)))),
        Err(error) => {
            note(visitor, "login.refused", &Refusal::Protocol(error.clone()), Some(application.id), None)
                .await?;
            Ok(Arrival::TurnedAway(error_redirect(visitor, uri, state.ok().flatten(), &error)))
        }
    }
}

/// An ID token that came as a hint names who is meant.
async fn hinted(
    visitor: &Visitor,
    params: &Params,
    application: &Application,
    mut asked: Asked,
) -> Result<Result<Asked, OAuthError>, Stop> {
    let pairwise = &visitor.broker().pairwise;
    // Who knows people by names of its own is told nothing about others' names for them.
    if application.settings.sector().is_some()
        && let Some(name) = asked.login_hint.take_if(|hint| is_a_name(hint))
    {
        asked.hinted_user = pairwise.user(application, &name).await?;
    }
    let Ok(Some(hint)) = params.get("id_token_hint") else { return Ok(Ok(asked)) };
    let keys = match Jws::parse(hint).ok().and_then(|jws| jws.kid()?.parse().ok()) {
        Some(key) => visitor.broker().keyring.ever_published(visitor.project.id, key).await?,
        None => JwkSet::new(Vec::new()),
    };
    let subject = match hinted_subject(&visitor.issuer(), &keys, hint) {
        Ok(subject) => subject,
        Err(error) => return Ok(Err(error)),
    };
    asked.hinted_user = pairwise.user(application, &subject).await?;
    Ok(asked.hinted_user.is_some().then_some(asked).ok_or_else(no_hint))
}

/// Whether it is what some application calls somebody, and no address.
fn is_a_name(hint: &str) -> bool {
    hint.parse::<UserId>().is_ok() || hint.parse::<PairwiseId>().is_ok()
}

/// Kept while the person is away, so it may not be of any length.
fn state(params: &Params) -> Result<Option<&str>, OAuthError> {
    match params.get("state") {
        Ok(Some(state)) if state.len() > LONGEST_STATE => {
            Err(OAuthError::invalid_request("state is too long"))
        }
        Ok(state) => Ok(state),
        Err(error) => Err(OAuthError::invalid_request(error.to_string())),
    }
}

async fn enabled(visitor: &Visitor, client_id: &str) -> Result<Application, Stop> {
    let found = applications::by_client_id(&mut &visitor.broker().db, visitor.project.id, client_id).await?;
    found.filter(|application| application.disabled_at.is_none()).ok_or(Refusal::UnknownApplication.into())
}
