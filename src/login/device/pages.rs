//! The pages of a device that waits: where its code is typed, whether it is let in, and what came of it.

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use tower_sessions::Session;

use super::asked;
use crate::foundation::id::UserId;
use crate::foundation::secret::Digest;
use crate::login::flow::Journey;
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, answer_in, next, note};
use crate::model::application::{Application, GrantType};
use crate::model::login::{Acting, Stage};
use crate::protocol::oauth::device::{self, PATH};
use crate::protocol::oauth::params::Params;
use crate::protocol::oauth::scope;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{delegations, organizations, standing};
use crate::telemetry::names;
use crate::web::browser;
use crate::web::form::Form;
use crate::web::reply::{self, Fault};
use crate::web::templates::{DeviceAnsweredPage, DevicePage, LetInPage, Page, Problem};
use crate::web::visitor::Visitor;

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
pub async fn enter(visitor: Visitor, browser: Session, Form(params): Form) -> Response {
    let typed = params.get("user_code").ok().flatten().unwrap_or_default();
    match entered(&visitor, &browser, typed).await {
        Ok(None) => reply::see_other(&visitor.path(&device::path(Some(typed)))),
        Ok(Some((journey, application))) => next::proceed_for(&visitor, &browser, journey, application).await,
        Err(Stop::Refused(Refusal::UserCodeUnknown)) => {
            let refusal = Refusal::UserCodeUnknown;
            match note(&visitor, "device.code_refused", &refusal, None, None).await {
                Ok(()) => code_page(&visitor, Some(typed), Some(Problem::UserCodeUnknown)),
                Err(fault) => visitor.fault(&fault, None).await,
            }
        }
        Err(stop) => answer(&visitor, Err(stop)).await,
    }
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
    let page = DevicePage { action, code: code.map(device::shown), problem: None, is_stranger: true };
    visitor.page(StatusCode::OK, &Page::Device(page), None, &visitor.provider_targets())
}

fn code_page(visitor: &Visitor, code: Option<&str>, problem: Option<Problem>) -> Response {
    let (action, code) = (visitor.path(PATH), code.map(device::shown));
    let page = DevicePage { action, code, problem, is_stranger: false };
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
    let (organization, delegated_by) = acts_for(visitor, acting).await?;
    let minutes = now.since(device.asked_at).as_secs() / 60;
    let page = LetInPage {
        application: application.display_name.clone(),
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
        shown: shown(acting),
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

/// The organization that is acted for, and the one that sends the person, if it is not theirs.
async fn acts_for(
    visitor: &Visitor,
    acting: &Acting,
) -> Result<(Option<String>, Option<String>), StoreError> {
    let (mut db, project) = (&visitor.broker().db, visitor.project.id);
    let Some(id) = acting.context.organization() else { return Ok((None, None)) };
    let organization = organizations::by_id(&mut db, project, id).await?;
    let delegation = match acting.context.delegation() {
        Some(id) => delegations::by_id(&mut db, project, id).await?,
        None => None,
    };
    let home = match delegation {
        Some(delegation) => organizations::by_id(&mut db, project, delegation.home).await?,
        None => None,
    };
    Ok((organization.map(|one| one.display_name), home.map(|one| one.display_name)))
}

/// `POST /login/{flow}/device`: the person lets it in, or not.
pub async fn decide(
    visitor: Visitor,
    browser: Session,
    Path(flow): Path<String>,
    Form(params): Form,
) -> Response {
    let journey = match Journey::find(&visitor, &flow).await {
        Ok(journey) => journey,
        Err(stop) => return answer_in(&visitor, &flow, Err(stop)).await,
    };
    match decided(&visitor, &browser, &journey, &params).await {
        // Somebody else signed in meanwhile, or they act for another organization: they are asked again.
        Ok(None) => reply::see_other(&journey.path(&visitor, "")),
        Ok(Some(allowed)) => next::device_answered(&visitor, journey, allowed).await,
        Err(stop) => next::stopped(&visitor, journey, stop).await,
    }
}

/// Names what a page shows, so that nobody lets a device in with another account, or for another organization.
fn shown(acting: &Acting) -> String {
    let context = serde_json::json!([acting.session, acting.context]);
    BASE64URL_NOPAD.encode(Digest::of(context.to_string().as_bytes()).as_bytes())
}

/// The answer counts from our own page, and from the browser that is signed in as who is shown there (threats H23, H24).
/// None: something else was shown.
async fn decided(
    visitor: &Visitor,
    browser: &Session,
    journey: &Journey,
    params: &Params,
) -> Result<Option<bool>, Stop> {
    journey.check_form(visitor, params)?;
    let (Stage::Acting(acting), Some(_)) = (&journey.login.stage, &journey.login.asked.device) else {
        return Err(Refusal::FlowExpired.into());
    };
    if browser::session_of(browser, visitor.project.id).await? != Some(acting.session) {
        return Err(Refusal::SessionEnded.into());
    }
    match params.get("answer").ok().flatten() {
        Some("allow") if params.get("shown").ok().flatten() != Some(shown(acting).as_str()) => Ok(None),
        Some("allow") => Ok(Some(true)),
        Some("deny") => Ok(Some(false)),
        _ => Err(Refusal::BadRequest("answer is neither allow nor deny".to_owned()).into()),
    }
}

/// What came of it.
pub async fn answered(visitor: &Visitor, journey: &Journey, allowed: bool) -> Result<Response, Fault> {
    let application = journey.application(visitor).await?;
    let application = application.map(|application| application.display_name).unwrap_or_default();
    let applications = visitor.path("/account/applications");
    let page = Page::DeviceAnswered(DeviceAnsweredPage { application, allowed, applications });
    Ok(visitor.page(StatusCode::OK, &page, journey.login.asked.ui_locales.as_deref(), &[]))
}
