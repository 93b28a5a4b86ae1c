//! The page that asks before a sign-out, and the one that says it is done.

use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session;

use super::{end, saml};
use crate::foundation::secret::Secret;
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer};
use crate::model::connection::Connection;
use crate::store::durable::{connections, sessions, users};
use crate::web::browser;
use crate::web::form::Form;
use crate::web::reply;
use crate::web::templates::{Page, SignOutPage, SignedOutPage};
use crate::web::visitor::Visitor;

/// `GET /logout`: another site may have led here, so it asks.
pub async fn ask(visitor: Visitor, session: Session) -> Response {
    let outcome = asked(&visitor, &session).await;
    answer(&visitor, outcome).await
}

async fn asked(visitor: &Visitor, session: &Session) -> Result<Response, Stop> {
    let db = &visitor.broker().db;
    let Some(id) = browser::session_of(session, visitor.project.id).await? else {
        return Ok(signed_out(visitor, None));
    };
    let standing = sessions::by_id(&mut &*db, visitor.project.id, id).await?;
    let Some(standing) = standing.filter(|session| session.is_alive(visitor.broker().now())) else {
        return Ok(signed_out(visitor, None));
    };
    let user = users::by_id(&mut &*db, visitor.project.id, standing.user_id).await?;
    let connection = connections::by_id(&mut &*db, visitor.project.id, standing.connection_id).await?;
    let goes_on = connection.as_ref().and_then(Connection::saml).is_some_and(|one| one.saml.single_logout);
    let targets = if goes_on { visitor.provider_targets() } else { Vec::new() };
    let page = SignOutPage {
        action: visitor.path("/logout"),
        csrf: csrf(session),
        email: user.and_then(|user| user.email).map(|email| email.to_string()),
    };
    Ok(visitor.page(StatusCode::OK, &Page::SignOut(page), None, &targets))
}

/// Made of the cookie's value, which nobody else knows.
fn csrf(session: &Session) -> String {
    session.id().map(|id| Secret::new(format!("sign out {id}")).digest().text()).unwrap_or_default()
}

/// `POST /logout`
pub async fn leave(visitor: Visitor, session: Session, Form(params): Form) -> Response {
    let outcome = left(&visitor, &session, &params).await;
    answer(&visitor, outcome).await
}

async fn left(
    visitor: &Visitor,
    session: &Session,
    params: &crate::protocol::oauth::params::Params,
) -> Result<Response, Stop> {
    let Some(id) = browser::session_of(session, visitor.project.id).await? else {
        return Ok(signed_out(visitor, None));
    };
    let token = params.get("csrf").ok().flatten().unwrap_or_default();
    if visitor.is_cross_site() || token.is_empty() || token != csrf(session) {
        return Err(Refusal::ForeignForm.into());
    }
    if params.get("sign_out").ok().flatten() == Some("no") {
        return Ok(reply::see_other(&visitor.path("/")));
    }
    let db = &visitor.broker().db;
    let standing = sessions::by_id(&mut &*db, visitor.project.id, id).await?;
    let provider = match standing {
        Some(standing) => connections::by_id(&mut &*db, visitor.project.id, standing.connection_id).await?,
        None => None,
    };
    end(visitor, id).await?;
    browser::sign_out(session, visitor.project.id).await?;
    if let Some(connection) = &provider {
        match saml::onward(visitor, connection, id).await {
            Ok(Some(departure)) => return Ok(departure.reply(visitor, None, &visitor.provider_targets())),
            Ok(None) => {}
            // Here they are signed out, and are told so.
            Err(Stop::Failed(fault)) => visitor.report(&fault).await,
            Err(stop) => return Err(stop),
        }
    }
    Ok(signed_out(visitor, provider.map(|connection| connection.display_name)))
}

/// The page that says so; `provider`: where they may still be signed in.
pub(super) fn signed_out(visitor: &Visitor, provider: Option<String>) -> Response {
    let page = SignedOutPage { application: None, back: None, provider };
    visitor.page(StatusCode::OK, &Page::SignedOut(page), None, &[])
}
