//! Where people sign out: on their own, or sent by an application (OpenID Connect RP-Initiated Logout 1.0).

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session as Browser;

use super::after::After;
use super::request::{self, Asked};
use super::{Cause, Onward, end, end_everywhere, end_within, incomplete, oidc, saml};
use crate::foundation::id::OrganizationId;
use crate::foundation::secret::Secret;
use crate::login::refusal::Refusal;
use crate::login::{Stop, Ways, refused, turn_away_to};
use crate::model::connection::Connection;
use crate::model::organization::Organization;
use crate::model::session::Session;
use crate::protocol::oauth::params::{self, Params};
use crate::protocol::oidc::logout::EndSession;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{connections, consents, grants, identities, organizations, sessions, users};
use crate::web::browser;
use crate::web::form::RequestForm;
use crate::web::reply;
use crate::web::templates::{Field, Href, Page, SignOutPage};
use crate::web::visitor::Visitor;

/// `GET /logout`: asks, unless the application that sent the person proves whose session this is: another site may have
/// led here.
pub async fn ask(mut visitor: Visitor, browser: Browser, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let request = match &params {
        Ok(params) => read(params),
        Err(error) => Err(error.to_string()),
    };
    let outcome = match request {
        Ok(request) => {
            visitor.ui_locales.clone_from(&request.ui_locales);
            asked(&visitor, &browser, &request).await
        }
        Err(why) => Err(Refusal::BadRequest(why).into()),
    };
    answer(&visitor, outcome).await
}

fn read(params: &Params) -> Result<EndSession, String> {
    EndSession::read(params).map_err(|error| error.to_string())
}

/// Whoever cannot be signed out as an application wants it may do so without it.
async fn answer(visitor: &Visitor, outcome: Result<Response, Stop>) -> Response {
    match outcome {
        Ok(response) => response,
        Err(Stop::Failed(fault)) => visitor.fault(&fault, None).await,
        Err(Stop::Refused(refusal)) => {
            let event = refused(visitor, "logout.refused", &refusal);
            let here = matches!(refusal, Refusal::SignOutRefused(_)).then(|| visitor.path("/logout"));
            let ways = Ways { again: here.and_then(|path| Href::parse(&path)), ..Ways::default() };
            turn_away_to(visitor, &refusal, (event, None), None, ways).await
        }
    }
}

async fn asked(visitor: &Visitor, browser: &Browser, request: &EndSession) -> Result<Response, Stop> {
    let asked = request::judge(visitor, request).await?;
    let Some(session) = standing(visitor, browser).await? else {
        return Ok(After::of(&asked).reply(visitor, None));
    };
    let within = within(visitor, &session, request).await?;
    if asked.proves(&session) && may_end(visitor, &session, &asked, within.as_ref()).await? {
        let wish = match within {
            Some(organization) => Wish::within(organization, Cause::Application),
            None => Wish::Here(Cause::Application),
        };
        return depart(visitor, browser, &session, &asked, wish).await;
    }
    question(visitor, browser, &session, &asked, request, within).await
}

/// The session of this browser, if it has one that lives.
async fn standing(visitor: &Visitor, browser: &Browser) -> Result<Option<Session>, Stop> {
    let Some(id) = browser::session_of(browser, visitor.project.id).await? else { return Ok(None) };
    let found = sessions::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
    Ok(found.filter(|session| session.is_alive(visitor.broker().now())))
}

/// The one organization that is to be signed out of, if that is the wish. What the session never had anything for reads
/// like what there is not (threats H12).
async fn within(
    visitor: &Visitor,
    session: &Session,
    request: &EndSession,
) -> Result<Option<Organization>, Stop> {
    let Some(name) = &request.organization else { return Ok(None) };
    let db = &mut &visitor.broker().db;
    if let Some(found) = organizations::named(db, visitor.project.id, name).await?
        && grants::is_within(db, session.id, found.id).await?
    {
        return Ok(Some(found));
    }
    Err(Refusal::SignOutRefused("organization").into())
}

/// Whether what is for this organization is the application's to end without a question: one of others does not find out so
/// for whom else somebody acts, nor end that (threats C22).
async fn may_end(
    visitor: &Visitor,
    session: &Session,
    asked: &Asked,
    within: Option<&Organization>,
) -> Result<bool, StoreError> {
    let (Some(application), Some(organization)) = (&asked.application, within) else { return Ok(true) };
    let known = consents::known(&mut &visitor.broker().db, session.user_id, application).await?;
    Ok(known.includes(Some(organization.id)))
}

async fn question(
    visitor: &Visitor,
    browser: &Browser,
    session: &Session,
    asked: &Asked,
    request: &EndSession,
    within: Option<Organization>,
) -> Result<Response, Stop> {
    let db = &mut &visitor.broker().db;
    let user = users::by_id(db, visitor.project.id, session.user_id).await?;
    let connection = connections::by_id(db, visitor.project.id, session.connection_id).await?;
    let goes_on = connection.as_ref().is_some_and(goes_on);
    let mut targets = if goes_on { visitor.provider_targets() } else { Vec::new() };
    targets.extend(After::of(asked).form_target());
    let page = SignOutPage {
        action: visitor.path("/logout"),
        csrf: csrf(browser),
        email: user.and_then(|user| user.email).map(|email| email.to_string()),
        application: asked.application.as_ref().map(|application| application.display_name.clone()),
        organization: within.map(|organization| organization.display_name),
        fields: request.fields().map(|(name, value)| Field { name, value: value.to_owned() }).collect(),
    };
    Ok(visitor.page(StatusCode::OK, &Page::SignOut(page), None, &targets))
}

/// Whether a sign-out may lead on to this connection's provider.
fn goes_on(connection: &Connection) -> bool {
    connection.saml().is_some_and(|connection| connection.saml.single_logout)
        || connection.oidc().is_some_and(|connection| connection.oidc.single_logout)
}

/// Made of the cookie's value, which nobody else knows.
fn csrf(browser: &Browser) -> String {
    browser.id().map(|id| Secret::new(format!("sign out {id}")).digest().text()).unwrap_or_default()
}

/// `POST /logout`: our own page's answer, or an application's request.
pub async fn leave(mut visitor: Visitor, browser: Browser, RequestForm(params): RequestForm) -> Response {
    let outcome = match read(&params) {
        Ok(request) if params.iter().any(|(name, _)| name == "sign_out" || name == "csrf") => {
            visitor.ui_locales.clone_from(&request.ui_locales);
            answered(&visitor, &browser, &params, &request).await
        }
        // Another site's form brings no cookie of ours, so it is looked at by a GET.
        Ok(request) => {
            let sent = request.fields().map(|(name, value): (&str, &str)| (name, value));
            let here = params::append(&visitor.path("/logout"), sent);
            Ok(reply::see_other(&here))
        }
        Err(why) => Err(Refusal::BadRequest(why).into()),
    };
    answer(&visitor, outcome).await
}

async fn answered(
    visitor: &Visitor,
    browser: &Browser,
    params: &Params,
    request: &EndSession,
) -> Result<Response, Stop> {
    let asked = request::judge(visitor, request).await?;
    let Some(session) = standing(visitor, browser).await? else {
        return Ok(After::of(&asked).reply(visitor, None));
    };
    let token = params.get("csrf").ok().flatten().unwrap_or_default();
    if visitor.is_cross_site() || token.is_empty() || token != csrf(browser) {
        return Err(Refusal::ForeignForm.into());
    }
    let wish = match params.get("sign_out").ok().flatten() {
        Some("no") => return Ok(reply::see_other(&visitor.path("/"))),
        Some("everywhere") => Wish::Everywhere,
        Some("organization") => match within(visitor, &session, request).await? {
            Some(organization) => Wish::within(organization, Cause::Person),
            None => return Err(Refusal::SignOutRefused("organization").into()),
        },
        _ => Wish::Here(Cause::Person),
    };
    depart(visitor, browser, &session, &asked, wish).await
}

/// How much is to end.
enum Wish {
    /// What the session has for one organization, of this name: it goes on otherwise.
    Within((OrganizationId, String), Cause),
    Here(Cause),
    /// Every session of the person.
    Everywhere,
}

impl Wish {
    fn within(organization: Organization, cause: Cause) -> Self {
        Self::Within((organization.id, organization.display_name), cause)
    }
}

/// Ends it here, then at the identity provider, and leads back.
async fn depart(
    visitor: &Visitor,
    browser: &Browser,
    session: &Session,
    asked: &Asked,
    wish: Wish,
) -> Result<Response, Stop> {
    let db = &mut &visitor.broker().db;
    // At their provider they stay signed in, and in this browser.
    if let Wish::Within((organization, name), cause) = &wish {
        end_within(visitor, session.id, *organization, *cause).await?;
        return Ok(After::of(asked).left(visitor, name.clone()));
    }
    let connection = connections::by_id(db, visitor.project.id, session.connection_id).await?;
    let came_by = identities::issuer_of(db, session.identity_id).await?;
    let after = After::of(asked).with_frames(visitor, session).await?;
    match wish {
        Wish::Within(..) => {}
        Wish::Here(cause) => end(visitor, session.id, cause).await?,
        Wish::Everywhere => end_everywhere(visitor, session.user_id).await?,
    }
    browser::sign_out(browser, visitor.project.id).await?;
    let Some(connection) = connection else { return Ok(after.reply(visitor, None)) };
    let upstream = &connection.settings.upstream;
    let onward = match connection.saml() {
        // What the one that they came by calls them is nothing to tell another one, which knows of no session.
        _ if came_by.as_deref() != Some(upstream.issuer()) => Ok(match upstream.offers_single_logout() {
            true => Onward::Unasked("they came by another identity provider than the connection has now"),
            false => Onward::Nowhere,
        }),
        Some(_) => saml::onward(visitor, &connection, session.id, &after.opened()).await,
        None => oidc::onward(visitor, &connection, session.id, &after.opened())
            .await
            .map(|departure| departure.map_or(Onward::Nowhere, Onward::Asks)),
    };
    match onward {
        Ok(Onward::Asks(departure)) => {
            return Ok(after.go_on(visitor, departure, connection.display_name));
        }
        // Whoever goes on back would not know.
        Ok(Onward::Unasked(why)) => {
            let event = incomplete(visitor, &connection).with("why", why);
            if let Err(error) = visitor.broker().record(event).await {
                visitor.report(&error.into()).await;
            }
            return Ok(after.reply_incomplete(visitor, connection.display_name));
        }
        Ok(Onward::Nowhere) => {}
        // Here they are signed out, and are told so.
        Err(Stop::Failed(fault)) => visitor.report(&fault).await,
        Err(stop) => return Err(stop),
    }
    Ok(after.reply(visitor, Some(connection.display_name)))
}
