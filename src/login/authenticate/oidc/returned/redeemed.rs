//! The code is redeemed at the provider's token endpoint, and whoever it was for is told apart where it comes to nothing.

use data_encoding::BASE64URL_NOPAD;
use openidconnect::core::{CoreErrorResponseType, CoreTokenResponse};
use openidconnect::{
    AuthType, AuthorizationCode, PkceCodeVerifier, RedirectUrl, RequestTokenError, StandardErrorResponse,
    TokenResponse, TokenUrl,
};

use super::Seen;
use super::id_token::person;
use crate::broker::connection_return;
use crate::egress::http::EgressError;
use crate::egress::openid::Watched;
use crate::login::Stop;
use crate::login::authenticate::oidc::provider::Provider;
use crate::login::authenticate::oidc::{Authentication, authentication, callback, client, unread};
use crate::login::counted::Heard;
use crate::login::refusal::Refusal;
use crate::model::connection::OidcConnection;
use crate::model::login::AwaitedOidc;
use crate::protocol::jose::Claims;
use crate::protocol::oauth::client_authentication::{JWT_BEARER, Method};
use crate::protocol::oauth::params::printable;
use crate::telemetry::names;
use crate::web::visitor::Visitor;

/// For the code, whatever the provider gives; `heard`, `seen`: what is known of an answer that was none.
pub async fn redeem(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    provider: &Provider,
    (awaited, code): (&AwaitedOidc, &str),
    (heard, seen): (&mut Heard, &mut Option<Seen>),
) -> Result<CoreTokenResponse, Stop> {
    let broker = visitor.broker();
    let redirect = RedirectUrl::new(callback(visitor, &connection));
    let redirect = redirect.map_err(|_| Refusal::IdpUnreachable("callback_is_no_url"))?;
    let how = match connection.oidc.authentication {
        Method::SecretBasic => AuthType::BasicAuth,
        _ => AuthType::RequestBody,
    };
    let mut client = client(connection)?
        .set_redirect_uri(redirect)
        .set_token_uri(TokenUrl::from_url(provider.token.clone()))
        .set_auth_type(how);
    let mut assertion = None;
    match authentication(broker, connection, provider.token.as_str(), broker.now())? {
        Authentication::Secret(secret) => client = client.set_client_secret(secret),
        Authentication::Assertion(jwt) => assertion = Some(jwt),
        Authentication::Nothing => {}
    }
    let verifier = PkceCodeVerifier::new(awaited.pkce_verifier.clone());
    let mut request =
        client.exchange_code(AuthorizationCode::new(code.to_owned())).set_pkce_verifier(verifier);
    if let Some(jwt) = assertion {
        request = request
            .add_extra_param("client_assertion_type", JWT_BEARER)
            .add_extra_param("client_assertion", jwt);
    }
    let http = Watched::new(broker.http.clone());
    let answer = request.request_async(&http).await;
    answer.map_err(|error| {
        let status = http.status();
        let refusal = no_tokens(status, &error, heard);
        *seen = seen_of(status, &error);
        // The error is not logged as it is: it may hold the provider's whole answer (threats M09).
        tracing::warn!(
            connection = %connection.id,
            status,
            reason = refusal.name(),
            unreachable = refusal.unreachable(),
            error = said(&error),
            field = unread(&error),
            "an identity provider gave no tokens"
        );
        refusal.into()
    })
}

/// For whom the provider's token endpoint has answered. That is enough to tell people apart whom it befell that their
/// sign-in failed, and for nothing else: no signature was verified.
pub fn named(connection: OidcConnection<'_>, answer: &CoreTokenResponse) -> Heard {
    let raw = answer.id_token().map(ToString::to_string).unwrap_or_default();
    let payload = raw.split('.').nth(1).and_then(|part| BASE64URL_NOPAD.decode(part.as_bytes()).ok());
    let claims = payload.and_then(|payload| Claims::parse(&payload).ok());
    claims.map_or(Heard::Answer, |claims| person(connection, &claims))
}

/// For whom a provider has given a code that says of us that we are not who we say: as it tells who we were before, while
/// that is what we may be again. Nobody is let in by it; but without it, all the people behind one address would be one.
pub async fn heard_by_former(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    provider: &Provider,
    (awaited, code): (&AwaitedOidc, &str),
) -> Heard {
    let broker = visitor.broker();
    let former = connection_return::former(&mut &broker.db, &connection, broker.now()).await;
    let Ok(Some(former)) = former else { return Heard::Answer };
    // A code is shown to nobody but the provider that gave it.
    let same = former.oidc().filter(|former| former.oidc.issuer == connection.oidc.issuer);
    let Some(former) = same else { return Heard::Answer };
    let (mut heard, mut seen) = (Heard::Nothing, None);
    match redeem(visitor, former, provider, (awaited, code), (&mut heard, &mut seen)).await {
        Ok(answer) => named(former, &answer),
        Err(_) => Heard::Answer,
    }
}

type TokenError = RequestTokenError<EgressError, StandardErrorResponse<CoreErrorResponseType>>;

/// Why there are no tokens: nobody is there, somebody is who cannot now, who does not want to, or who cannot be read.
fn no_tokens(status: u16, error: &TokenError, heard: &mut Heard) -> Refusal {
    match error {
        RequestTokenError::Request(error) => {
            names::egress_refused(error.reason());
            Refusal::IdpUnreachable("token_endpoint")
        }
        _ if is_outage(status) => Refusal::IdpUnreachable("token_endpoint_status"),
        RequestTokenError::ServerResponse(answer) => {
            // It says of us that we are not who we say: no code that somebody makes up brings it to that.
            if matches!(answer.error(), CoreErrorResponseType::InvalidClient) {
                *heard = Heard::Answer;
            }
            Refusal::TokenRefused(printable(answer.error().as_ref()))
        }
        _ => Refusal::IdpAnswerInvalid("token_answer_malformed"),
    }
}

/// Whether somebody is there who cannot now.
pub fn is_outage(status: u16) -> bool {
    status == 429 || status >= 500
}

/// The error code in the answer, if there is one.
fn said(error: &TokenError) -> Option<String> {
    match error {
        RequestTokenError::ServerResponse(answer) => Some(printable(answer.error().as_ref())),
        _ => None,
    }
}

/// Which field of the answer could not be read, without what stood in it.
fn unread(error: &TokenError) -> Option<String> {
    match error {
        RequestTokenError::Parse(error, body) => unread::field(&error.path().to_string(), body),
        _ => None,
    }
}

/// What the connection's administrator is told besides.
fn seen_of(status: u16, error: &TokenError) -> Option<Seen> {
    if is_outage(status) {
        return Some(Seen::status(status));
    }
    let field = unread(error)?;
    Some(Seen::new("a token answer whose fields, and the claims of its ID token, can be read", field))
}
