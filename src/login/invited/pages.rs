//! The page that an invitation's link leads to, and the one that is shown in the end.

use std::time::Duration;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session;

use super::{Found, asked, find, leads_to};
use crate::foundation::secret::Digest;
use crate::foundation::text::is_mistakable;
use crate::login::flow::Journey;
use crate::login::pages::Posted;
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, next};
use crate::model::application::Application;
use crate::model::login::{Asked, Stage};
use crate::protocol::oauth::params::Params;
use crate::store::durable::{organizations, standing};
use crate::store::ephemeral::Kind;
use crate::web::browser;
use crate::web::reply::{Fault, form_target};
use crate::web::templates::{AcceptedPage, ImagePath, InvitationPage, Page, Within, minute};
use crate::web::visitor::Visitor;

/// Links that one network may try in a minute.
const TRIES_A_MINUTE: u64 = 60;

/// `GET /invitations/{token}`: shows it, and uses nothing up, however many programs of mail servers look at it (threats
/// H30).
pub async fn look(visitor: Visitor, Path(token): Path<String>) -> Response {
    let shown = shown(&visitor, &token).await;
    answer(&visitor, shown).await
}

/// `POST /invitations/{token}`: begins the login at whose end it is accepted. What is posted says nothing.
pub async fn begin(visitor: Visitor, browser: Session, Path(token): Path<String>) -> Response {
    match wanted(&visitor, &token).await {
        Ok(asked) => next::proceed(&visitor, &browser, Journey::begin(&visitor, asked)).await,
        Err(stop) => answer(&visitor, Err(stop)).await,
    }
}

/// `GET /invitations/accepted`: tells a browser that has just become a member's what of.
pub async fn accepted(visitor: Visitor, browser: Session) -> Response {
    let shown = welcome(&visitor, &browser).await;
    answer(&visitor, shown).await
}

/// Asks somebody whom an application has sent with an invitation whether they want to join, before they sign in. One that
/// cannot be used keeps nobody from the application.
pub async fn question(
    visitor: &Visitor,
    application: &Application,
    journey: &Journey,
    token: Digest,
) -> Result<Response, Stop> {
    let found = match found(visitor, token).await {
        Ok(found) => Some(found),
        Err(Stop::Refused(Refusal::InvitationUnknown | Refusal::InvitationOver)) => None,
        Err(stop) => return Err(stop),
    };
    let within = Within {
        application: application.display_name.clone(),
        csrf: journey.login.csrf.clone(),
        cancel: journey.cancel(visitor),
        another_account: Some(journey.path(visitor, "/restart")),
    };
    let (status, page) = match &found {
        Some(found) => (StatusCode::OK, page(found, journey.path(visitor, "/invitation"))),
        None => {
            let action = journey.path(visitor, "/invitation");
            (StatusCode::GONE, InvitationPage { is_over: true, action, ..InvitationPage::default() })
        }
    };
    let page = Page::Invitation(InvitationPage { within: Some(within), ..page });
    let (locales, targets) = (journey.login.asked.ui_locales.as_deref(), journey.form_targets(visitor));
    Ok(visitor.page(status, &page, locales, &targets))
}

/// `POST /login/{flow}/invitation`: they join, or go on without.
pub async fn decide(browser: Session, Posted { visitor, mut journey, params }: Posted) -> Response {
    match decided(&visitor, &mut journey, &params).await {
        Ok(()) => next::proceed(&visitor, &browser, journey).await,
        Err(stop) => next::stopped(&visitor, journey, stop).await,
    }
}

async fn decided(visitor: &Visitor, journey: &mut Journey, params: &Params) -> Result<(), Stop> {
    journey.check_form(visitor, params)?;
    let asked = &mut journey.login.asked;
    let (Stage::Arrived(_), Some(ticket)) = (&journey.login.stage, asked.ticket) else {
        return Err(Refusal::FlowExpired.into());
    };
    match params.get("answer").ok().flatten() {
        Some("join") => {
            let found = found(visitor, ticket.token).await?;
            super::wanted(&mut &visitor.broker().db, &visitor.project, &found, asked).await
        }
        Some("skip") => {
            asked.ticket = None;
            Ok(())
        }
        _ => Err(Refusal::BadRequest("answer is neither join nor skip".into()).into()),
    }
}

async fn found(visitor: &Visitor, token: Digest) -> Result<Found, Stop> {
    let broker = visitor.broker();
    let key = format!("invitations {} {}", visitor.project.id, visitor.network());
    if broker.ephemeral.count(Kind::RateCounter, &key, Duration::from_secs(60)).await? > TRIES_A_MINUTE {
        return Err(Refusal::TooManyRequests.into());
    }
    find(&mut &broker.db, &visitor.project, token, broker.now()).await
}

fn page(found: &Found, action: String) -> InvitationPage {
    let Found { invitation, organization, roles, .. } = found;
    let logo = organization.logo_uri.as_ref().map(|_| format!("/assets/logo/{}", organization.id));
    InvitationPage {
        organization: organization.display_name.clone(),
        is_mistakable: is_mistakable(&organization.display_name),
        logo: logo.and_then(|path| ImagePath::parse(&path)),
        email: invitation.masked_email(),
        roles: roles.clone(),
        until: minute(invitation.expires_at),
        action,
        is_over: false,
        within: None,
    }
}

async fn shown(visitor: &Visitor, token: &str) -> Result<Response, Stop> {
    let found = found(visitor, Digest::of(token.as_bytes())).await?;
    let page = page(&found, visitor.path(&format!("/invitations/{token}")));
    // Browsers hold every redirect after the form against this, as far as the application.
    let mut targets = visitor.provider_targets();
    targets.extend(leads_to(&found, &visitor.issuer()).as_deref().and_then(form_target));
    let language = found.invitation.language.as_deref();
    Ok(visitor.page(StatusCode::OK, &Page::Invitation(page), language, &targets))
}

async fn wanted(visitor: &Visitor, token: &str) -> Result<Asked, Stop> {
    if visitor.is_cross_site() {
        return Err(Refusal::ForeignForm.into());
    }
    let digest = Digest::of(token.as_bytes());
    let found = found(visitor, digest).await?;
    Ok(asked(&found, digest, leads_to(&found, &visitor.issuer()).as_deref()))
}

async fn welcome(visitor: &Visitor, browser: &Session) -> Result<Response, Stop> {
    let page = member(visitor, browser).await?.unwrap_or_default();
    Ok(visitor.page(StatusCode::OK, &Page::Accepted(page), None, &[]))
}

/// Whom the browser shows, and for whom they act.
async fn member(visitor: &Visitor, browser: &Session) -> Result<Option<AcceptedPage>, Fault> {
    let (broker, project) = (visitor.broker(), visitor.project.id);
    let Some(id) = browser::session_of(browser, project).await? else { return Ok(None) };
    let found = standing::person(&mut &broker.db, project, id).await?;
    let found =
        found.filter(|found| found.session.is_alive(broker.now()) && found.user.disabled_at.is_none());
    let Some(found) = found else { return Ok(None) };
    let organization = match found.current {
        Some((id, _)) => organizations::by_id(&mut &broker.db, project, id).await?,
        None => None,
    };
    let email = found.user.email.map(|email| email.to_string());
    Ok(Some(AcceptedPage { organization: organization.map(|one| one.display_name), email }))
}
