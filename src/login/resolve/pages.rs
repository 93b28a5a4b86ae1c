//! The page that asks for the work email, and the chooser where several identity providers serve a domain.

pub mod organization;

use std::time::Duration;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session;

use super::{Decision, by_email, decide, offered};
use crate::foundation::email::Email;
use crate::foundation::id::{ConnectionId, FlowId};
use crate::login::flow::{self, Journey};
use crate::login::pages::{InFlow, Posted, about};
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, next, note};
use crate::model::application::Application;
use crate::model::connection::Connection;
use crate::model::login::{Arrived, Away, Resolved, Stage};
use crate::protocol::oauth::params::Params;
use crate::store::durable::connections;
use crate::store::ephemeral::Kind;
use crate::web::reply;
use crate::web::templates::{ChooserPage, EmailPage, MethodButton, Page, Problem};
use crate::web::visitor::Visitor;

/// Addresses that one visitor's network may try in a minute (threats M02).
pub const TRIES_A_MINUTE: u64 = 300;

/// `GET /login/{flow}`: the page at which the flow stands.
pub async fn stand(browser: Session, InFlow { visitor, journey }: InFlow) -> Response {
    next::proceed(&visitor, &browser, journey).await
}

/// `GET` of a step that is taken by a form: a tab that was opened again is led back to where the flow stands.
pub async fn back(visitor: Visitor, Path(flow): Path<String>) -> Response {
    match flow.parse::<FlowId>() {
        Ok(flow) => reply::see_other(&visitor.path(&format!("/login/{flow}"))),
        Err(_) => answer(&visitor, Err(Refusal::FlowExpired.into())).await,
    }
}

/// `POST /login/{flow}/identify`: an email address was typed, or a connection picked.
pub async fn identify(browser: Session, Posted { visitor, mut journey, params }: Posted) -> Response {
    match identified(&visitor, &journey, &params).await {
        Ok(Identified::Resolved(resolved)) => {
            journey.login.stage = Stage::Resolved(resolved);
            next::proceed(&visitor, &browser, journey).await
        }
        Ok(Identified::Again(typed, problem)) => {
            let refusal = match problem {
                Problem::EmailInvalid => Refusal::EmailInvalid,
                _ => Refusal::NoIdentityProvider,
            };
            let application = Some(journey.login.asked.application);
            if let Err(fault) = note(&visitor, "login.refused", &refusal, application, None).await {
                return next::failed(&visitor, journey, fault).await;
            }
            let page = ask_again(&visitor, journey, &typed, problem).await;
            answer(&visitor, page).await
        }
        Err(stop) => next::stopped(&visitor, journey, stop).await,
    }
}

/// `POST /login/{flow}/restart`: use another account.
pub async fn restart(browser: Session, Posted { visitor, mut journey, params }: Posted) -> Response {
    if let Err(stop) = journey.check_form(&visitor, &params) {
        return next::stopped(&visitor, journey, stop).await;
    }
    journey.login.asked.hinted_user = None;
    journey.login.restart();
    next::proceed(&visitor, &browser, journey).await
}

/// `POST /login/{flow}/cancel`: back to the application, without having signed in; a device is not let in.
pub async fn cancel(browser: Session, posted: Posted) -> Response {
    let asking = posted.visitor.clone();
    flow::to_its_end(&asking, cancelled(browser, posted)).await
}

async fn cancelled(browser: Session, Posted { visitor, journey, params }: Posted) -> Response {
    match journey.check_form(&visitor, &params) {
        Ok(()) if journey.login.asked.device.is_some() => {
            next::device_declined(&visitor, &browser, journey).await
        }
        Ok(()) => next::refused(&visitor, journey, Refusal::Cancelled).await,
        Err(stop) => next::stopped(&visitor, journey, stop).await,
    }
}

enum Identified {
    Resolved(Resolved),
    Again(String, Problem),
}

async fn identified(visitor: &Visitor, journey: &Journey, params: &Params) -> Result<Identified, Stop> {
    journey.check_form(visitor, params)?;
    let get = |name| params.get(name).map_err(|error| Refusal::BadRequest(error.to_string()));
    let application = application(visitor, journey).await?;
    if let Some(id) = get("connection")? {
        return Ok(Identified::Resolved(picked(visitor, journey, &application, id).await?));
    }
    let typed = get("email")?.unwrap_or_default();
    budget(visitor).await?;
    let Ok(email) = Email::parse(typed) else {
        return Ok(Identified::Again(typed.to_owned(), Problem::EmailInvalid));
    };
    let resolved = by_email(visitor, &application, email).await?;
    Ok(if resolved.connections.is_empty() {
        Identified::Again(typed.to_owned(), Problem::NoIdentityProvider)
    } else {
        Identified::Resolved(resolved)
    })
}

/// A connection counts only if it was offered on the page: one of the chooser's, or of the application's own.
async fn picked(
    visitor: &Visitor,
    journey: &Journey,
    application: &Application,
    id: &str,
) -> Result<Resolved, Stop> {
    let id: ConnectionId = id.parse().map_err(|_| Refusal::ConnectionNotOffered)?;
    let (email, of_chooser) = match &journey.login.stage {
        Stage::Resolved(resolved) => (resolved.email.clone(), resolved.connections.contains(&id)),
        // Whoever presses twice, or goes back to the page and chooses another one, has been offered it as well.
        Stage::Away(away) => {
            let of_same = away.connection == id || is_led_to(visitor, application, journey, away, id).await?;
            (away.email.clone(), of_same)
        }
        _ => (None, false),
    };
    let offered = of_chooser
        || offered(visitor, application, &journey.login).await?.iter().any(|connection| connection.id == id);
    let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
    if !offered || !found.is_some_and(|connection| connection.is_active()) {
        return Err(Refusal::ConnectionNotOffered.into());
    }
    Ok(Resolved { email, connections: vec![id] })
}

/// Whether the address of somebody who was sent away, or what the application said, leads to this connection, too.
async fn is_led_to(
    visitor: &Visitor,
    application: &Application,
    journey: &Journey,
    away: &Away,
    id: ConnectionId,
) -> Result<bool, Stop> {
    if let Some(email) = &away.email
        && by_email(visitor, application, email.clone()).await?.connections.contains(&id)
    {
        return Ok(true);
    }
    match decide(visitor, application, &journey.login, &Arrived::default()).await {
        Ok(Decision::Resolved(resolved)) => Ok(resolved.connections.contains(&id)),
        Ok(Decision::Ask) | Err(Stop::Refused(_)) => Ok(false),
        Err(stop) => Err(stop),
    }
}

/// Whether this network may try one more name.
async fn budget(visitor: &Visitor) -> Result<(), Stop> {
    let key = format!("identify {} {}", visitor.project.id, visitor.network());
    let tries = visitor.broker().ephemeral.count(Kind::RateCounter, &key, Duration::from_secs(60)).await?;
    if tries > TRIES_A_MINUTE { Err(Refusal::TooManyRequests.into()) } else { Ok(()) }
}

async fn application(visitor: &Visitor, journey: &Journey) -> Result<Application, Stop> {
    journey.application(visitor).await?.ok_or(Refusal::UnknownApplication.into())
}

async fn ask_again(
    visitor: &Visitor,
    mut journey: Journey,
    typed: &str,
    problem: Problem,
) -> Result<Response, Stop> {
    let application = application(visitor, &journey).await?;
    journey.login.stage = Stage::Arrived(Arrived { another_account: true, unproved: false });
    let page = email_page(visitor, &application, &journey, Some(typed), Some(problem)).await?;
    journey.keep(visitor, page).await
}

/// The page that asks who they are.
pub async fn email_page(
    visitor: &Visitor,
    application: &Application,
    journey: &Journey,
    typed: Option<&str>,
    problem: Option<Problem>,
) -> Result<Response, Stop> {
    let asked = &journey.login.asked;
    let another = matches!(&journey.login.stage, Stage::Arrived(Arrived { another_account: true, .. }));
    let hint = asked.login_hint.clone().filter(|hint| !another && hint.contains('@'));
    let page = EmailPage {
        application: application.display_name.clone(),
        about: about(visitor, application).await?,
        action: journey.path(visitor, "/identify"),
        csrf: journey.login.csrf.clone(),
        email: typed.map(str::to_owned).or(hint),
        again: journey.login.proves_again && !another,
        problem,
        methods: buttons(&offered(visitor, application, &journey.login).await?),
        cancel: journey.cancel(visitor),
        another_account: Some(journey.path(visitor, "/restart")),
    };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(visitor.page(status, &Page::Email(page), asked.ui_locales.as_deref(), &journey.form_targets(visitor)))
}

/// The page that asks which of several identity providers.
pub async fn chooser_page(
    visitor: &Visitor,
    application: &Application,
    journey: &Journey,
    resolved: &Resolved,
) -> Result<Response, Stop> {
    let mut found = Vec::new();
    for id in &resolved.connections {
        let one = connections::by_id(&mut &visitor.broker().db, visitor.project.id, *id).await?;
        found.extend(one.filter(Connection::is_active));
    }
    if found.is_empty() {
        return Err(Refusal::NoIdentityProvider.into());
    }
    found.sort_by_cached_key(by_name);
    let page = ChooserPage {
        application: application.display_name.clone(),
        about: about(visitor, application).await?,
        email: resolved.email.as_ref().map(ToString::to_string).unwrap_or_default(),
        action: journey.path(visitor, "/identify"),
        csrf: journey.login.csrf.clone(),
        methods: buttons(&found),
        another_account: Some(journey.path(visitor, "/restart")),
        cancel: journey.cancel(visitor),
    };
    let locales = journey.login.asked.ui_locales.as_deref();
    Ok(visitor.page(StatusCode::OK, &Page::Chooser(page), locales, &journey.form_targets(visitor)))
}

/// As people look for them, and always the same.
fn by_name(connection: &Connection) -> (String, ConnectionId) {
    (connection.display_name.to_lowercase(), connection.id)
}

fn buttons(connections: &[Connection]) -> Vec<MethodButton> {
    let button = |connection: &Connection| MethodButton {
        value: connection.id.to_string(),
        name: connection.display_name.clone(),
    };
    connections.iter().map(button).collect()
}
