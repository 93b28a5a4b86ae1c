//! The page that asks.

use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session;

use super::{allow, shown, told};
use crate::login::flow::{self, Journey};
use crate::login::pages::{Posted, about};
use crate::login::question::{self, Said};
use crate::login::refusal::Refusal;
use crate::login::{Stop, next};
use crate::model::application::Application;
use crate::model::consent::Place;
use crate::model::login::{Acting, Stage};
use crate::protocol::oauth::params::Params;
use crate::store::durable::standing;
use crate::web::reply;
use crate::web::templates::{ConsentPage, Page};
use crate::web::visitor::Visitor;

/// Asks: which application, where it leads, with whose account, for whom they act, and what it is told.
pub async fn ask(
    visitor: &Visitor,
    application: &Application,
    journey: &Journey,
    acting: &Acting,
) -> Result<Response, Stop> {
    let asked = &journey.login.asked;
    let person = standing::person(&mut &visitor.broker().db, visitor.project.id, acting.session).await?;
    let user = person.ok_or(Refusal::SessionEnded)?.user;
    let (organization, delegated_by) = question::acts_for(visitor, acting).await?;
    let page = ConsentPage {
        application: application.display_name.clone(),
        about: about(visitor, application).await?,
        leads_to: Place::of(asked).host().map(str::to_owned),
        told: told(visitor, application, (asked, acting), &user).await?,
        email: user.email.map(|email| email.to_string()).or(user.profile.name).unwrap_or_default(),
        organization,
        delegated_by,
        shown: shown(application, asked, acting),
        action: journey.path(visitor, "/consent"),
        csrf: journey.login.csrf.clone(),
        another_account: Some(journey.path(visitor, "/restart")),
    };
    let targets = journey.form_targets(visitor);
    Ok(visitor.page(StatusCode::OK, &Page::Consent(page), asked.ui_locales.as_deref(), &targets))
}

/// `POST /login/{flow}/consent`: the person allows it, or not.
pub async fn decide(browser: Session, posted: Posted) -> Response {
    let asking = posted.visitor.clone();
    flow::to_its_end(&asking, answered(browser, posted)).await
}

async fn answered(browser: Session, Posted { visitor, mut journey, params }: Posted) -> Response {
    match decided(&visitor, &browser, &journey, &params).await {
        Ok(Said::Yes) => {
            journey.login.asked.prompt.consent = false;
            next::proceed(&visitor, &browser, journey).await
        }
        Ok(Said::No) => {
            // Whatever they picked before, there is nothing else to pick: the application is told.
            if let Stage::Acting(acting) = &mut journey.login.stage {
                acting.by_hand = false;
            }
            next::refused(&visitor, journey, Refusal::ConsentDenied).await
        }
        Ok(Said::OfSomethingElse) => reply::see_other(&journey.path(&visitor, "")),
        Ok(Said::ByAnother) => next::asked_anew(&visitor, &browser, journey).await,
        Err(stop) => next::stopped(&visitor, journey, stop).await,
    }
}

/// What they answered; what they allow is kept by then.
async fn decided(
    visitor: &Visitor,
    browser: &Session,
    journey: &Journey,
    params: &Params,
) -> Result<Said, Stop> {
    journey.check_form(visitor, params)?;
    let asked = &journey.login.asked;
    let (Stage::Acting(acting), true) = (&journey.login.stage, asked.is_answered()) else {
        return Err(Refusal::FlowExpired.into());
    };
    let application = journey.application(visitor).await?.ok_or(Refusal::UnknownApplication)?;
    let shown = shown(&application, asked, acting);
    let said = question::answer(visitor, browser, journey, params, (acting, &shown)).await?;
    if said == Said::Yes {
        allow(visitor, &application, asked, acting).await?;
    }
    Ok(said)
}
