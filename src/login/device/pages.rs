//! The pages of a device that waits: where its code is typed, whether it is let in, and what came of it.

use axum::extract::RawQuery;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use tower_sessions::Session;

use super::{WINDOW, asked};
use crate::foundation::id::UserId;
use crate::login::flow::{self, Journey};
use crate::login::pages::{InFlow, Posted, about};
use crate::login::question::{self, Said};
use crate::login::refusal::Refusal;
use crate::login::{Stop, Ways, answer, consent, next, note, refused, turn_away_to};
use crate::model::application::{Application, GrantType};
use crate::model::login::{Acting, Stage};
use crate::protocol::oauth::device::{self, PATH};
use crate::protocol::oauth::params::{Params, append};
use crate::protocol::oauth::scope;
use crate::store::durable::engine::StoreError;
use crate::store::durable::standing;
use crate::telemetry::names;
use crate::web::browser;
use crate::web::form::Form;
use crate::web::reply;
use crate::web::templates::{DeviceAnsweredPage, DevicePage, Href, LetInPage, Page, Problem};
use crate::web::visitor::Visitor;

/// Of the languages that somebody goes on in.
const LONGEST_LOCALES: usize = 100;
/// Minutes after which nobody has just begun.
const LATE: u64 = 3;

/// `GET /device`: asks whoever is signed in for the code, and everybody else to sign in. What the address brings along is
/// filled in, and nothing else is done with it.
pub async fn ask(visitor: Visitor, browser: Session, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let code = params.get("user_code").ok().flatten();
    match signed_in(&visitor, &browser).await {
        Ok(Some(_)) => code_page(&visitor, code, None),
        Ok(None) => sign_in_page(&visitor, code),
        Err(stop) => answer(&visitor, Err(stop)).await,
    }
}

/// Who is signed in at this browser.
async fn signed_in(visitor: &Visitor, browser: &Session) -> Result<Option<UserId>, Stop> {
    let (broker, project) = (visitor.broker(), visitor.project.id);
    let Some(id) = browser::session_of(browser, project).await? else { return Ok(None) };
    let standing = standing::of(&mut &broker.db, project, id).await?;
    let standing =
        standing.filter(|one| one.session.is_alive(broker.now()) && one.user.disabled_at.is_none());
    Ok(standing.map(|standing| standing.user.id))
}

/// `POST /device`: begins the login in which the device may be let in.
pub async fn enter(mut visitor: Visitor, browser: Session, Form(params): Form) -> Response {
    let locales = params.get("ui_locales").ok().flatten().filter(|text| text.len() <= LONGEST_LOCALES);
    visitor.ui_locales = locales.map(str::to_owned);
    let typed = params.get("user_code").ok().flatten().unwrap_or_default();
    match entered(&visitor, &browser, typed).await {
        Ok(None) => {
            reply::see_other(&visitor.path(&device::path(Some(typed), visitor.ui_locales.as_deref())))
        }
        Ok(Some((journey, application))) => next::proceed_for(&visitor, &browser, journey, application).await,
        Err(Stop::Refused(Refusal::UserCodeUnknown)) => {
            let refusal = Refusal::UserCodeUnknown;
            match note(&visitor, "device.code_refused", &refusal, None, None).await {
                Ok(()) => code_page(&visitor, Some(typed), Some(Problem::UserCodeUnknown)),
                Err(fault) => visitor.fault(&fault, None).await,
            }
        }
        Err(Stop::Refused(refusal @ Refusal::TooManyRequests)) => limited(&visitor, &refusal).await,
        Err(stop) => answer(&visitor, Err(stop)).await,
    }
}

/// They have guessed too often: for as long as codes live.
async fn limited(visitor: &Visitor, refusal: &Refusal) -> Response {
    let event = refused(visitor, "device.codes_limited", refusal);
    let mut response = turn_away_to(visitor, refusal, (event, None), None, Ways::default()).await;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(WINDOW.as_secs()));
    response
}

/// None: nobody is signed in.
async fn entered(
    visitor: &Visitor,
    browser: &Session,
    typed: &str,
) -> Result<Option<(Journey, Application)>, Stop> {
    if visitor.is_cross_site() {
        return Err(Refusal::ForeignForm.into());
    }
    let Some(user) = signed_in(visitor, browser).await? else { return Ok(None) };
    let (asked, application) = asked(visitor, user, typed).await?;
    names::login_started();
    Ok(Some((Journey::begin(visitor, asked), application)))
}

fn sign_in_page(visitor: &Visitor, code: Option<&str>) -> Response {
    let action = visitor.path("/account/sign-in");
    let ui_locales = visitor.ui_locales.clone();
    let code = code.map(device::shown);
    let sign_in = another_account(visitor, code.as_deref());
    let page = DevicePage { action, code, ui_locales, problem: None, is_stranger: true, sign_in };
    visitor.page(StatusCode::OK, &Page::Device(page), None, &visitor.provider_targets())
}

/// Where somebody signs in as somebody else, and comes back with the code.
fn another_account(visitor: &Visitor, code: Option<&str>) -> Option<Href> {
    let mut wanted = vec![("another", "yes"), ("device", code.unwrap_or_default())];
    wanted.extend(visitor.ui_locales.as_deref().map(|locales| ("ui_locales", locales)));
    Href::parse(&append(&visitor.path("/account/sign-in"), wanted))
}

fn code_page(visitor: &Visitor, code: Option<&str>, problem: Option<Problem>) -> Response {
    let (action, ui_locales) = (visitor.path(PATH), visitor.ui_locales.clone());
    let code = code.map(device::shown);
    let sign_in = another_account(visitor, code.as_deref());
    let page = DevicePage { action, code, ui_locales, problem, is_stranger: false, sign_in };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    // Browsers hold the redirect that follows against this, as far as the identity provider.
    visitor.page(status, &Page::Device(page), None, &visitor.provider_targets())
}

/// Asks whether the device is let in: which application, with whose account, for whom they act, from where and since when.
pub async fn let_in_page(
    visitor: &Visitor,
    application: &Application,
    journey: &Journey,
    acting: &Acting,
) -> Result<Response, Stop> {
    let asked = &journey.login.asked;
    let device = asked.device.as_ref().ok_or(Refusal::FlowExpired)?;
    let (db, now) = (&visitor.broker().db, visitor.broker().now());
    let person = standing::person(&mut &*db, visitor.project.id, acting.session).await?;
    let user = person.ok_or(Refusal::SessionEnded)?.user;
    let (organization, delegated_by) = question::acts_for(visitor, acting).await?;
    let minutes = now.since(device.asked_at).as_secs() / 60;
    // Of one of others they are not asked twice: this is the page on which they allow it.
    let told = match application.settings.client.consent_required {
        true => Some(consent::told(visitor, application, (asked, acting), &user).await?),
        false => None,
    };
    let page = LetInPage {
        application: application.display_name.clone(),
        about: about(visitor, application).await?,
        told,
        email: user.email.map(|email| email.to_string()).or(user.profile.name).unwrap_or_default(),
        organization,
        delegated_by,
        code: device.user_code.clone(),
        address: device.address.clone(),
        minutes,
        is_late: minutes >= LATE,
        stays: stays(application, &asked.scopes),
        action: journey.path(visitor, "/device"),
        csrf: journey.login.csrf.clone(),
        shown: consent::shown(application, asked, acting),
        another_organization: acting
            .by_hand
            .then(|| Href::parse(&journey.path(visitor, "/organizations")))
            .flatten(),
        another_account: Some(journey.path(visitor, "/restart")),
    };
    let targets = journey.form_targets(visitor);
    Ok(visitor.page(StatusCode::OK, &Page::LetIn(page), asked.ui_locales.as_deref(), &targets))
}

/// How long what it gets may be renewed.
fn stays(application: &Application, scopes: &[String]) -> &'static str {
    if scopes.iter().any(|one| one == scope::OFFLINE_ACCESS) {
        return "offline";
    }
    if application.settings.may_use(GrantType::RefreshToken) { "session" } else { "short" }
}

/// `GET /login/{flow}/device`: the question, where the flow stands at it.
pub async fn stand(browser: Session, InFlow { visitor, journey }: InFlow) -> Response {
    next::proceed_at_the_question(&visitor, &browser, journey).await
}

/// `POST /login/{flow}/device`: the person lets it in, or not.
pub async fn decide(browser: Session, posted: Posted) -> Response {
    let asking = posted.visitor.clone();
    flow::to_its_end(&asking, said(browser, posted)).await
}

async fn said(browser: Session, Posted { visitor, journey, params }: Posted) -> Response {
    match decided(&visitor, &browser, &journey, &params).await {
        Ok(Said::Yes) => next::device_answered(&visitor, journey, true).await,
        Ok(Said::No) => next::device_answered(&visitor, journey, false).await,
        Ok(Said::OfSomethingElse) => reply::see_other(&journey.path(&visitor, "")),
        Ok(Said::ByAnother) => next::asked_anew(&visitor, &browser, journey).await,
        Err(stop) => next::stopped(&visitor, journey, stop).await,
    }
}

/// The answer counts from our own page, and from the browser that is signed in as who is shown there (threats H23, H24).
async fn decided(
    visitor: &Visitor,
    browser: &Session,
    journey: &Journey,
    params: &Params,
) -> Result<Said, Stop> {
    journey.check_form(visitor, params)?;
    let (asked, stage) = (&journey.login.asked, &journey.login.stage);
    let (Stage::Acting(acting), Some(_)) = (stage, &asked.device) else {
        return Err(Refusal::FlowExpired.into());
    };
    let application = journey.application(visitor).await?.ok_or(Refusal::UnknownApplication)?;
    let shown = consent::shown(&application, asked, acting);
    question::answer(visitor, browser, journey, params, (acting, &shown)).await
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    LetIn,
    Denied,
    /// Whoever answers for the person lets no device in, so nobody was asked.
    Impossible,
}

/// The page of it.
pub async fn answered(
    visitor: &Visitor,
    journey: &Journey,
    answered: Answered,
) -> Result<Response, StoreError> {
    let application = journey.application(visitor).await?;
    let application = application.map(|application| application.display_name).unwrap_or_default();
    let applications = visitor.path("/account/applications");
    let (status, problem) = match answered {
        Answered::Impossible => {
            let (status, problem) = Refusal::DeviceNotAllowed.visitor();
            (status, Some(problem))
        }
        Answered::LetIn | Answered::Denied => (StatusCode::OK, None),
    };
    let allowed = answered == Answered::LetIn;
    let page = Page::DeviceAnswered(DeviceAnsweredPage { application, allowed, problem, applications });
    Ok(visitor.page(status, &page, journey.login.asked.ui_locales.as_deref(), &[]))
}
