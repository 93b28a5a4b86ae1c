//! The authorization endpoint.

use axum::extract::RawQuery;
use axum::response::Response;
use tower_sessions::Session;

use super::came::{Came, back, beside, by, checked};
use crate::foundation::secret::Digest;
use crate::login::back::Back;
use crate::login::flow::Journey;
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, answer_to, next, note};
use crate::model::application::Application;
use crate::model::login::Asked;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::store::durable::applications;
use crate::telemetry::names;
use crate::web::form::RequestForm;
use crate::web::reply;
use crate::web::visitor::Visitor;

/// `GET /authorize`
pub async fn authorize(visitor: Visitor, browser: Session, RawQuery(query): RawQuery) -> Response {
    let params = match Params::parse(query.unwrap_or_default().as_bytes()) {
        Ok(params) => params,
        Err(error) => return answer(&visitor, Err(Refusal::BadRequest(error.to_string()).into())).await,
    };
    match arrive(&visitor, &params).await {
        Ok(Arrival::Welcome(welcome)) => {
            let Welcome { asked, application, pushed } = *welcome;
            let journey = Journey::begin(&visitor, asked).of_pushed(pushed);
            match pushed {
                Some(_) => next::proceed_with_pushed(&visitor, &browser, journey, application).await,
                None => next::proceed_for(&visitor, &browser, journey, application).await,
            }
        }
        Ok(Arrival::TurnedAway(response)) => response,
        Err(stop) => answer_to(&visitor, Err(stop), claimed(&params)).await,
    }
}

/// `POST /authorize`: another site's form brings no cookie of ours, so the journey goes on by a GET of our own.
pub async fn authorize_by_post(mut visitor: Visitor, RequestForm(params): RequestForm) -> Response {
    visitor.ui_locales = params.get("ui_locales").ok().flatten().map(str::to_owned);
    let outcome = match arrive(&visitor, &params).await {
        Ok(Arrival::Welcome(welcome)) => {
            let mut journey = Journey::begin(&visitor, welcome.asked).of_pushed(welcome.pushed);
            let (silent, back) = (journey.login.asked.prompt.none, Back::of(&journey.login.asked));
            let response = reply::see_other(&journey.path(&visitor, ""));
            match journey.keep(&visitor, response).await {
                Err(stop) if silent || next::is_crowd(&stop) => Ok(back.tell(&visitor, stop).await),
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
    Welcome(Box<Welcome>),
    TurnedAway(Response),
}

/// Somebody whose application may ask for what it asks.
struct Welcome {
    asked: Asked,
    application: Application,
    /// Of the name under which the request was pushed, which is used up.
    pushed: Option<Digest>,
}

/// Until application and redirect URI are known to belong together, a fault is a page; afterwards it is an
/// error at the redirect URI.
async fn arrive(visitor: &Visitor, given: &Params) -> Result<Arrival, Stop> {
    names::login_started();
    let client_id = given.get("client_id").map_err(|error| Refusal::BadRequest(error.to_string()))?;
    let application = enabled(visitor, client_id.unwrap_or_default()).await?;
    let (params, way) = match by(visitor, &application, given).await {
        Ok(Came::Params(params, way)) => (params, way),
        Ok(Came::Checked(asked, digest)) => {
            if let Err(error) = beside(given, &asked) {
                return turned_away(visitor, &application, &Back::of(&asked), error).await;
            }
            let pushed = Some(digest);
            return Ok(Arrival::Welcome(Box::new(Welcome { asked: *asked, application, pushed })));
        }
        Ok(Came::Again(journey)) => {
            return Ok(Arrival::TurnedAway(reply::see_other(&journey.path(visitor, ""))));
        }
        Err(Stop::Refused(Refusal::Protocol(error))) => {
            return unread(visitor, &application, given, error).await;
        }
        Err(stop) => return Err(stop),
    };
    let back = back(&application, &params)?;
    let checked = checked(visitor, &application, &params, way).await;
    let agreed = |asked: Asked| if way.signed { beside(given, &asked).map(|()| asked) } else { Ok(asked) };
    let arrival = match checked.map(|checked| checked.and_then(agreed)) {
        Ok(Ok(asked)) => Ok(Arrival::Welcome(Box::new(Welcome { asked, application, pushed: None }))),
        Ok(Err(error)) => turned_away(visitor, &application, &back, error).await,
        Err(stop) => Err(stop),
    };
    match arrival {
        Err(stop) if is_silent(&params) => Ok(Arrival::TurnedAway(back.tell(visitor, stop).await)),
        arrival => arrival,
    }
}

fn is_silent(params: &Params) -> bool {
    let prompt = params.get("prompt").ok().flatten().unwrap_or_default();
    prompt.split(' ').any(|word| word == "none")
}

/// Of a request of which nothing can be believed, the application is told where the address itself names a place of its
/// own: no more than anybody could send there. Otherwise it is a page.
async fn unread(
    visitor: &Visitor,
    application: &Application,
    given: &Params,
    error: OAuthError,
) -> Result<Arrival, Stop> {
    match back(application, given) {
        Ok(back) => turned_away(visitor, application, &back, error).await,
        Err(_) => Err(Refusal::Protocol(error).into()),
    }
}

async fn turned_away(
    visitor: &Visitor,
    application: &Application,
    back: &Back,
    error: OAuthError,
) -> Result<Arrival, Stop> {
    let refusal = Refusal::Protocol(error.clone());
    let noted = note(visitor, "login.refused", &refusal, Some(application.id), None).await;
    match noted {
        Ok(()) => Ok(Arrival::TurnedAway(back.with_error(visitor, &error).await)),
        Err(fault) => Err(fault.into()),
    }
}

async fn enabled(visitor: &Visitor, client_id: &str) -> Result<Application, Stop> {
    let found = applications::by_client_id(&mut &visitor.broker().db, visitor.project.id, client_id).await?;
    found.filter(|application| application.is_enabled()).ok_or(Refusal::UnknownApplication.into())
}
