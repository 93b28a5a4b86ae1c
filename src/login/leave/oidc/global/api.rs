//! Where a provider revokes all that somebody has by it.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Revocation, Revoked, read};
use crate::login::leave::oidc::told::{PROVIDER, of_revocation, words};
use crate::login::leave::oidc::{api, signed};
use crate::login::leave::{Cause, Ending};
use crate::login::refusal::Refusal;
use crate::login::{Stop, note_event, refused};
use crate::model::connection::OidcConnection;
use crate::protocol::jose::{Claims, Typ};
use crate::protocol::oauth::error::OAuthError;
use crate::web::coding;
use crate::web::reply;
use crate::web::visitor::Visitor;

/// The type of the token that such a request comes with.
const REVOCATION: Typ = Typ::Exactly("global-token-revocation+jwt");

/// `POST /oidc/{connection}/global-token-revocation`, with a token that the provider has signed for this address.
/// 204 means that it is done and on the disk.
pub async fn revoke(visitor: Visitor, Path(connection): Path<String>, body: Bytes) -> Response {
    if let Some(refusal) = coding::refusal(&visitor.headers) {
        return refusal;
    }
    let mut response = match asked(&visitor, &connection, &body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(Stop::Failed(fault)) => visitor.machine_fault(&fault).await,
        Err(Stop::Refused(refusal)) => told(&visitor, &refusal),
    };
    reply::no_store(response.headers_mut());
    response
}

fn told(visitor: &Visitor, refusal: &Refusal) -> Response {
    let name = words(refusal.name());
    match refusal {
        Refusal::TooManyRequests => {
            let error = OAuthError::temporarily_unavailable("too many revocations");
            reply::oauth_error(StatusCode::TOO_MANY_REQUESTS, &error)
        }
        Refusal::IdpUnreachable(_) | Refusal::IdpUnusable(_) => reply::oauth_error(
            StatusCode::SERVICE_UNAVAILABLE,
            &OAuthError::temporarily_unavailable(PROVIDER),
        ),
        Refusal::LogoutTokenRefused("revocation_nobody") => {
            reply::oauth_error(StatusCode::NOT_FOUND, &OAuthError::invalid_request(name))
        }
        Refusal::LogoutTokenRefused("revocation_malformed" | "revocation_format" | "revocation_issuer") => {
            reply::oauth_error(StatusCode::BAD_REQUEST, &OAuthError::invalid_request(name))
        }
        _ => {
            let mut response = reply::oauth_error(StatusCode::UNAUTHORIZED, &OAuthError::invalid_token(name));
            // Who shows none is told of no error (RFC 6750, section 3.1).
            let shows_one = visitor.headers.contains_key(header::AUTHORIZATION);
            let challenge = if shows_one { "Bearer error=\"invalid_token\"" } else { "Bearer" };
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            response
        }
    }
}

async fn asked(visitor: &Visitor, id: &str, body: &[u8]) -> Result<(), Stop> {
    let found = api::known(visitor, id).await?;
    let outcome = match api::with_sessions(visitor, found.as_ref()).await? {
        Some(connection) => revoked(visitor, connection, body).await,
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

async fn revoked(visitor: &Visitor, connection: OidcConnection<'_>, body: &[u8]) -> Result<(), Stop> {
    let bad = Refusal::LogoutTokenRefused;
    api::may_ask(visitor, connection).await?;
    let (jti, issued) = proved(visitor, connection).await?;
    let meant = read(body, &connection.oidc.issuer).map_err(bad)?;
    api::may_end(visitor, connection).await?;
    let revocation = Revocation {
        ending: Ending::of(visitor, Cause::Provider),
        connection: connection.id,
        organization: connection.organization_id,
        issuer: connection.oidc.issuer.clone(),
        meant,
        jti,
        issued,
    };
    match visitor.broker().db.write(async move |tx| revocation.run(tx).await).await? {
        Revoked::Done => api::counted(visitor, connection).await,
        Revoked::Nobody => Err(bad("revocation_nobody").into()),
        Revoked::Replayed => Err(bad("replayed").into()),
    }
}

/// The token that the provider has signed for this request alone: its id, and when it was made.
async fn proved(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
) -> Result<(String, crate::foundation::clock::Moment), Stop> {
    let bad = Refusal::LogoutTokenRefused;
    let header = visitor.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|header| header.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (_, token) = token.ok_or(bad("revocation_token_missing"))?;
    let claims = signed::verified(visitor, connection, token, REVOCATION).await?;
    let claims = claims.map_err(|why| bad(of_revocation(why)))?;
    fits(visitor, connection, &claims).map_err(|why| bad(why).into())
}

/// By this provider, as whose client we are, for this address, and just made.
fn fits(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    claims: &Claims,
) -> Result<(String, crate::foundation::clock::Moment), &'static str> {
    let settings = connection.oidc;
    if claims.iss().ok() != Some(settings.issuer.as_str()) {
        return Err("revocation_token_issuer");
    }
    if claims.sub().ok() != Some(settings.client_id.as_str()) {
        return Err("revocation_token_subject");
    }
    let here = format!("{}/oidc/{}/global-token-revocation", visitor.issuer(), connection.id);
    if !claims.aud().is_ok_and(|audience| audience.contains(&here.as_str())) {
        return Err("revocation_token_audience");
    }
    let issued = signed::made(connection, claims, visitor.broker().now()).map_err(of_revocation)?;
    let jti = claims.string("jti").map_err(|_| "revocation_token_id")?;
    Ok((jti.to_owned(), issued))
}
