//! Where an OpenID provider says that a session ended there (OpenID Connect Back-Channel Logout 1.0, section 2.5). Each
//! connection has an address of its own, and only its own sessions end there (threats M04).

use std::time::Duration;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::told::{PROVIDER, of_logout, words};
use super::{SignOut, said, signed};
use crate::foundation::id::ConnectionId;
use crate::login::leave::{Cause, Ending};
use crate::login::refusal::Refusal;
use crate::login::{Stop, doorstep, note_event, refused};
use crate::model::connection::{Connection, OidcConnection};
use crate::protocol::jose::Typ;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::protocol::oidc::logout::Over;
use crate::store::durable::connections;
use crate::store::ephemeral::Kind;
use crate::web::form::MachineForm;
use crate::web::reply;
use crate::web::visitor::Visitor;

/// Logout tokens that one provider may send in a minute: each is remembered.
const TOKENS_A_MINUTE: u64 = 600;
/// Requests that one network may make at one connection in a minute: each may cost a signature's check.
const REQUESTS_A_MINUTE: u64 = 1_200;
const MINUTE: Duration = Duration::from_secs(60);

/// `POST /oidc/{connection}/backchannel-logout`
pub async fn told(
    visitor: Visitor,
    Path(connection): Path<String>,
    MachineForm(params): MachineForm,
) -> Response {
    match taken(&visitor, &connection, &params).await {
        Ok(()) => {
            let mut response = StatusCode::OK.into_response();
            reply::no_store(response.headers_mut());
            response
        }
        Err(Stop::Refused(Refusal::TooManyRequests)) => {
            let error = OAuthError::temporarily_unavailable("too many logout tokens");
            reply::oauth_error(StatusCode::TOO_MANY_REQUESTS, &error)
        }
        // What is the matter is not the token: it may be sent again.
        Err(Stop::Refused(Refusal::IdpUnreachable(_) | Refusal::IdpUnusable(_))) => {
            let error = OAuthError::temporarily_unavailable(PROVIDER);
            reply::oauth_error(StatusCode::SERVICE_UNAVAILABLE, &error)
        }
        Err(Stop::Refused(refusal)) => {
            let error = OAuthError::invalid_request(words(refusal.name()));
            reply::oauth_error(StatusCode::BAD_REQUEST, &error)
        }
        Err(Stop::Failed(fault)) => visitor.machine_fault(&fault).await,
    }
}

/// Every refusal is written down in the trail of the connection's organization.
async fn taken(visitor: &Visitor, id: &str, params: &Params) -> Result<(), Stop> {
    let found = known(visitor, id).await?;
    let outcome = match with_sessions(visitor, found.as_ref()).await? {
        Some(connection) => ended(visitor, connection, params).await,
        None => Err(Refusal::LogoutTokenRefused("connection").into()),
    };
    if let Err(Stop::Refused(refusal)) = &outcome {
        let event = refused(visitor, "logout.refused", refusal);
        let event = match &found {
            Some(found) => event.organization(found.organization_id).with("connection", found.id.to_string()),
            None => event,
        };
        note_event(visitor, refusal, event).await?;
    }
    outcome
}

/// The connection of this id, if the project has it.
pub(super) async fn known(visitor: &Visitor, id: &str) -> Result<Option<Connection>, Stop> {
    let Ok(id) = id.parse::<ConnectionId>() else { return Ok(None) };
    Ok(connections::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?)
}

/// By one that was live there may be sessions, whatever has become of it.
pub(super) async fn with_sessions<'c>(
    visitor: &Visitor,
    found: Option<&'c Connection>,
) -> Result<Option<OidcConnection<'c>>, Stop> {
    match found {
        Some(found) if doorstep::has_been_live(visitor, found).await? => Ok(found.oidc()),
        _ => Ok(None),
    }
}

async fn ended(visitor: &Visitor, connection: OidcConnection<'_>, params: &Params) -> Result<(), Stop> {
    may_ask(visitor, connection).await?;
    let over = judged(visitor, connection, params).await?;
    may_end(visitor, connection).await?;
    let ending = Ending::of(visitor, Cause::Provider);
    let end = SignOut { ending, connection: connection.id, over };
    if !visitor.broker().db.write(async move |tx| end.run(tx).await).await? {
        return Err(Refusal::LogoutTokenRefused("replayed").into());
    }
    counted(visitor, connection).await
}

/// Whether this network may ask once more at this connection.
pub(super) async fn may_ask(visitor: &Visitor, connection: OidcConnection<'_>) -> Result<(), Stop> {
    let asked = format!("logout token of {} {}", connection.id, visitor.network());
    let asked = visitor.broker().ephemeral.count(Kind::RateCounter, &asked, MINUTE).await?;
    if asked > REQUESTS_A_MINUTE { Err(Refusal::TooManyRequests.into()) } else { Ok(()) }
}

/// Whether this provider may end something once more.
pub(super) async fn may_end(visitor: &Visitor, connection: OidcConnection<'_>) -> Result<(), Stop> {
    let ended = visitor.broker().ephemeral.counted(Kind::RateCounter, &ended_by(connection)).await?;
    if ended >= TOKENS_A_MINUTE { Err(Refusal::TooManyRequests.into()) } else { Ok(()) }
}

/// It has: whoever repeats what it said takes nothing from it.
pub(super) async fn counted(visitor: &Visitor, connection: OidcConnection<'_>) -> Result<(), Stop> {
    visitor.broker().ephemeral.count(Kind::RateCounter, &ended_by(connection), MINUTE).await?;
    Ok(())
}

fn ended_by(connection: OidcConnection<'_>) -> String {
    format!("logout {}", connection.id)
}

async fn judged(visitor: &Visitor, connection: OidcConnection<'_>, params: &Params) -> Result<Over, Stop> {
    let bad = Refusal::LogoutTokenRefused;
    let token = params.get("logout_token").map_err(|_| bad("logout_token_malformed"))?;
    let token = token.ok_or(bad("logout_token_missing"))?;
    let claims = signed::verified(visitor, connection, token, Typ::LOGOUT_TOKEN).await?;
    let claims = claims.map_err(|why| bad(of_logout(why)))?;
    said(connection, &claims, visitor.broker().now()).map_err(|why| bad(why).into())
}
