//! The page that asks for the organization before the sign-in (`organization_prompt = "before"`). It lists none: whoever
//! has not signed in is not told which there are, and a name that nobody has leads on as one without an identity provider
//! of its own does.

use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session;

use super::budget;
use crate::login::flow::Journey;
use crate::login::pages::{Posted, about};
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, next, note};
use crate::model::application::Application;
use crate::model::login::{Arrived, Beforehand, Stage};
use crate::protocol::oauth::params::Params;
use crate::web::reply;
use crate::web::templates::{BeforehandPage, Page, Problem};
use crate::web::visitor::Visitor;

/// Characters of a name.
const LONGEST: usize = 100;

/// `POST /login/{flow}/beforehand`: an organization was named, or passed over.
pub async fn named(browser: Session, Posted { visitor, mut journey, params }: Posted) -> Response {
    let arrived = match &journey.login.stage {
        Stage::Arrived(arrived) => arrived.clone(),
        // Back from where it led, to name another one.
        Stage::Resolved(_) | Stage::Away(_) => Arrived::default(),
        // An old tab: the login is past this.
        _ => return reply::see_other(&journey.path(&visitor, "")),
    };
    match said(&visitor, &journey, &params).await {
        Ok(Said::On(beforehand)) => {
            journey.login.beforehand = beforehand;
            journey.login.stage = Stage::Arrived(arrived);
            next::proceed(&visitor, &browser, journey).await
        }
        Ok(Said::Again(typed)) => answer(&visitor, again(&visitor, journey, &typed).await).await,
        Err(stop) => next::stopped(&visitor, journey, stop).await,
    }
}

enum Said {
    On(Beforehand),
    Again(String),
}

async fn said(visitor: &Visitor, journey: &Journey, params: &Params) -> Result<Said, Stop> {
    journey.check_form(visitor, params)?;
    let get = |name| params.get(name).map_err(|error| Refusal::BadRequest(error.to_string()));
    if get("skip")?.is_some() {
        return Ok(Said::On(Beforehand::Unsaid));
    }
    budget(visitor).await?;
    let typed = get("organization")?.unwrap_or_default().trim();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = !typed.is_empty() && typed.chars().count() <= LONGEST && typed.chars().all(is_name);
    Ok(if fits {
        Said::On(Beforehand::Named(typed.to_lowercase()))
    } else {
        Said::Again(typed.chars().take(LONGEST).collect())
    })
}

async fn again(visitor: &Visitor, mut journey: Journey, typed: &str) -> Result<Response, Stop> {
    let application = journey.application(visitor).await?.ok_or(Refusal::UnknownApplication)?;
    note(visitor, "login.refused", &Refusal::OrganizationNameInvalid, Some(application.id), None).await?;
    let page = page(visitor, &application, &journey, Some(typed)).await?;
    journey.keep(visitor, page).await
}

/// The page; `wrong`: what was typed and is no name.
pub async fn page(
    visitor: &Visitor,
    application: &Application,
    journey: &Journey,
    wrong: Option<&str>,
) -> Result<Response, Stop> {
    let page = BeforehandPage {
        application: application.display_name.clone(),
        about: about(visitor, application).await?,
        action: journey.path(visitor, "/beforehand"),
        csrf: journey.login.csrf.clone(),
        problem: wrong.map(|_| Problem::OrganizationNameInvalid),
        organization: wrong.unwrap_or_default().to_owned(),
        cancel: journey.cancel(visitor),
        another_account: Some(journey.path(visitor, "/restart")),
    };
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let locales = journey.login.asked.ui_locales.as_deref();
    Ok(visitor.page(status, &Page::Beforehand(page), locales, &journey.form_targets(visitor)))
}
