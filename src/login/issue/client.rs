//! Which application asks, and the proof that it is.

use std::time::Duration;

use crate::foundation::clock::Moment;
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::protocol::jose::{Algorithm, Claims, JwkSet, Jws, Typ};
use crate::protocol::oauth::client_authentication::{Credentials, Proof, read};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::store::durable::{applications, used};
use crate::web::visitor::Visitor;

/// Signatures that are accepted on client assertions.
const ALGORITHMS: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
/// An assertion lives no longer than this (threats M07).
const LONGEST: Duration = Duration::from_secs(300);
const LEEWAY: Duration = Duration::from_secs(30);

/// The application that a token request comes from, by the one method that it has registered.
pub async fn authenticate(visitor: &Visitor, params: &Params) -> Result<Application, Stop> {
    let header = visitor.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Credentials { client_id, proof } =
        read(header, params, unverified_issuer).map_err(Refusal::Protocol)?;
    let db = &visitor.broker().db;
    let found = applications::by_client_id(&mut &*db, visitor.project.id, &client_id).await?;
    let application = found.filter(|application| application.disabled_at.is_none()).ok_or_else(unknown)?;
    if application.settings.authentication != proof.method() {
        return Err(unknown().into());
    }
    let proved = match proof {
        Proof::Nothing => true,
        Proof::SecretBasic(secret) | Proof::SecretPost(secret) => {
            let digests = applications::secrets(&mut &*db, application.id).await?;
            digests.iter().any(|digest| digest.matches(secret.expose()))
        }
        Proof::Assertion(jwt) => is_proved_by(visitor, &application, &jwt).await?,
    };
    if proved { Ok(application) } else { Err(unknown().into()) }
}

/// Whom the request says it comes from, if it says so at all: for the audit trail.
pub fn claimed(visitor: &Visitor, params: &Params) -> Option<String> {
    let header = visitor.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match read(header, params, unverified_issuer) {
        Ok(credentials) => Some(credentials.client_id),
        Err(_) => params.get("client_id").ok().flatten().map(str::to_owned),
    }
}

/// One answer for every way in which it can fail.
fn unknown() -> Refusal {
    Refusal::Protocol(OAuthError::invalid_client("unknown client, or not authenticated as it is registered"))
}

/// Only to find the keys with which the assertion is then verified.
fn unverified_issuer(assertion: &str) -> Option<String> {
    let payload = assertion.split('.').nth(1)?;
    let bytes = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?;
    Claims::parse(&bytes).ok()?.iss().ok().map(str::to_owned)
}

/// A client assertion (RFC 7523, section 3): signed by the client, for us, short-lived, used once.
async fn is_proved_by(visitor: &Visitor, application: &Application, jwt: &str) -> Result<bool, Stop> {
    let now = visitor.broker().now();
    let Some((jti, expires)) = read_assertion(visitor, application, jwt, now) else { return Ok(false) };
    let scope = application.id.to_string();
    let keep_until = expires.plus(LEEWAY);
    let first = visitor
        .broker()
        .db
        .write(async move |tx| used::first(tx, "client_assertion", &scope, &jti, keep_until).await)
        .await?;
    Ok(first)
}

fn read_assertion(
    visitor: &Visitor,
    application: &Application,
    jwt: &str,
    now: Moment,
) -> Option<(String, Moment)> {
    let keys = JwkSet::parse(application.settings.jwks.as_ref()?.to_string().as_bytes()).ok()?;
    let claims = Jws::parse(jwt).ok()?.verify(&keys, &ALGORITHMS, Typ::Jwt).ok()?;
    claims.check_times(now, LEEWAY).ok()?;
    let issuer = visitor.issuer();
    let endpoint = format!("{issuer}/token");
    let audience = claims.aud().ok()?;
    let ours = audience.iter().any(|one| *one == issuer || *one == endpoint);
    let own = claims.iss().ok()? == application.client_id && claims.sub().ok()? == application.client_id;
    let expires = claims.exp().ok()?;
    let short = expires <= now.plus(LONGEST).plus(LEEWAY);
    let jti = claims.string("jti").ok().filter(|jti| !jti.is_empty() && jti.len() <= 256)?;
    (ours && own && short).then(|| (jti.to_owned(), expires))
}
