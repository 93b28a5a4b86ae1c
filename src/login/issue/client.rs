//! Which application asks, and the proof that it is.

use std::time::Duration;

use crate::foundation::clock::Moment;
use crate::login::Stop;
use crate::login::client_keys::{self, NoKeys};
use crate::login::refusal::Refusal;
use crate::model::application::{Application, ApplicationSettings};
use crate::protocol::jose::{ClaimError, Claims, JoseError, JwkSet, Jws, Typ};
use crate::protocol::oauth::client_authentication::{ALGORITHMS, Credentials, Method, Proof, Unproved, read};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::store::durable::{applications, used};
use crate::web::visitor::Visitor;

/// An assertion lives no longer than this (threats M07).
const LONGEST: Duration = Duration::from_secs(300);
const LEEWAY: Duration = Duration::from_secs(30);
/// Bytes of a `jti`.
const LONGEST_JTI: usize = 256;

/// The application that a token request comes from, by the one method that it has registered.
pub async fn authenticate(visitor: &Visitor, params: &Params) -> Result<Application, Stop> {
    let header = visitor.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Credentials { client_id, proof } =
        read(header, params, unverified_issuer).map_err(Refusal::Protocol)?;
    let db = &visitor.broker().db;
    let found = applications::with_secrets(&mut &*db, visitor.project.id, &client_id).await?;
    let (application, digests) = found.ok_or_else(|| unproved(Unproved::UnknownClient))?;
    if !application.is_enabled() {
        return Err(unproved(Unproved::Disabled).into());
    }
    if !application.settings.authentication.takes(&proof) {
        return Err(unproved(Unproved::Method).into());
    }
    match proof {
        Proof::Nothing => check_certificate(visitor, &application).await.map_err(unproved)?,
        Proof::SecretBasic(secret) | Proof::SecretPost(secret) => {
            if !digests.iter().any(|digest| digest.matches(secret.expose())) {
                return Err(unproved(Unproved::Secret).into());
            }
        }
        Proof::Assertion(jwt) => check_assertion(visitor, &application, &jwt).await?,
    }
    Ok(application)
}

/// Whom the request says it comes from, if it says so at all: for the audit trail.
pub fn claimed(visitor: &Visitor, params: &Params) -> Option<String> {
    let header = visitor.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match read(header, params, unverified_issuer) {
        Ok(credentials) => Some(credentials.client_id),
        Err(_) => params.get("client_id").ok().flatten().map(str::to_owned),
    }
}

/// One answer for every way in which it can fail, but what only the client itself can have got wrong. The trail tells which
/// check it was.
fn unproved(check: Unproved) -> Refusal {
    let said = check.told().unwrap_or("unknown client, or not authenticated as it is registered");
    let error = OAuthError::invalid_client(said);
    Refusal::Protocol(error.because(check))
}

/// Only to find the keys with which the assertion is then verified.
fn unverified_issuer(assertion: &str) -> Option<String> {
    unverified(assertion)?.iss().ok().map(str::to_owned)
}

/// To whom an access token was given, as far as it says so itself: whose pages may read an answer to it. Who makes up a
/// token reads nothing but that it is worth nothing.
pub fn unverified_holder(visitor: &Visitor) -> Option<String> {
    let header = visitor.headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (_, token) = header.split_once(' ')?;
    unverified(token)?.string("client_id").ok().map(str::to_owned)
}

fn unverified(jwt: &str) -> Option<Claims> {
    let payload = jwt.split('.').nth(1)?;
    let bytes = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?;
    Claims::parse(&bytes).ok()
}

/// The certificate of a client that proves who it is by one (RFC 8705, section 2): valid now, and either vouched for by an
/// authority of the operator's and of the registered name, or the registered one itself.
async fn check_certificate(visitor: &Visitor, application: &Application) -> Result<(), Unproved> {
    let settings = &application.settings;
    if !settings.authentication.is_by_certificate() {
        return Ok(());
    }
    let now = visitor.broker().now();
    let shown = visitor.certificate.as_deref().ok_or(Unproved::NoCertificate)?;
    let certificate = &shown.certificate;
    if !certificate.is_valid_at(now) {
        return Err(Unproved::CertificateOver);
    }
    if settings.authentication == Method::SelfSignedTlsClientAuth {
        let known = client_keys::has(visitor.broker(), application, certificate).await.map_err(without)?;
        return if known { Ok(()) } else { Err(Unproved::CertificateOfAnother) };
    }
    if !settings.sender.certificate.as_ref().is_some_and(|subject| certificate.is_of(subject)) {
        return Err(Unproved::CertificateOfAnother);
    }
    let authorities = &visitor.broker().client_authorities;
    match authorities.vouch_for(certificate.der(), &shown.chain, now) {
        true => Ok(()),
        false => Err(Unproved::CertificateNotVouchedFor),
    }
}

/// A client assertion (RFC 7523, section 3): signed by the client, for us, short-lived, used once.
async fn check_assertion(visitor: &Visitor, application: &Application, jwt: &str) -> Result<(), Stop> {
    let now = visitor.broker().now();
    let issuer = visitor.issuer();
    let keys = keys(visitor, application, jwt).await.map_err(unproved)?;
    let read = match read_assertion(&issuer, application, &keys, jwt, now) {
        // Its key may have another one's name by now.
        Err(Unproved::Signature) => match client_keys::anew(visitor.broker(), application).await {
            Some(keys) => read_assertion(&issuer, application, &keys, jwt, now),
            None => Err(Unproved::Signature),
        },
        other => other,
    };
    let (jti, expires) = read.map_err(unproved)?;
    let scope = application.id.to_string();
    let keep_until = expires.plus(LEEWAY);
    let first = visitor
        .broker()
        .db
        .write(async move |tx| used::first(tx, "client_assertion", &scope, &jti, keep_until).await)
        .await?;
    if first { Ok(()) } else { Err(unproved(Unproved::JtiUsed).into()) }
}

async fn keys(visitor: &Visitor, application: &Application, jwt: &str) -> Result<JwkSet, Unproved> {
    let signed = Jws::parse(jwt).map_err(|error| check_of(&error))?;
    client_keys::of(visitor.broker(), application, &signed).await.map_err(without)
}

fn without(why: NoKeys) -> Unproved {
    match why {
        NoKeys::Unregistered => Unproved::NoKeys,
        NoKeys::Unpublished => Unproved::KeysUnpublished,
    }
}

/// Its `jti` and when it runs out, or which check failed.
fn read_assertion(
    issuer: &str,
    application: &Application,
    keys: &JwkSet,
    jwt: &str,
    now: Moment,
) -> Result<(String, Moment), Unproved> {
    let settings = &application.settings;
    let allowed: Vec<_> = ALGORITHMS.into_iter().filter(|one| settings.may_sign_by(*one)).collect();
    let claims = Jws::parse(jwt).and_then(|jws| jws.verify(keys, &allowed, Typ::CLIENT_ASSERTION));
    let claims = claims.map_err(|error| check_of(&error))?;
    let own = |claim: Result<&str, ClaimError>| claim.is_ok_and(|name| name == application.client_id);
    if !own(claims.iss()) {
        return Err(Unproved::Iss);
    }
    if !own(claims.sub()) {
        return Err(Unproved::Sub);
    }
    if !is_for_us(&claims, issuer, settings) {
        return Err(if settings.is_fapi2() { Unproved::AudNotIssuer } else { Unproved::Aud });
    }
    let expires = claims.exp().map_err(|_| Unproved::Exp)?;
    if now >= expires.plus(LEEWAY) {
        return Err(Unproved::ExpPassed);
    }
    if expires > now.plus(LONGEST).plus(LEEWAY) {
        return Err(Unproved::ExpTooFar);
    }
    claims.check_times(now, LEEWAY).map_err(|_| Unproved::Times)?;
    let jti = claims.string("jti").ok().filter(|jti| !jti.is_empty() && jti.len() <= LONGEST_JTI);
    Ok((jti.ok_or(Unproved::Jti)?.to_owned(), expires))
}

/// Whichever endpoint it is for: none of them does what another would not (RFC 9126, section 2). By FAPI 2.0 it is for the
/// issuer, as a text, and for nobody else: who has an assertion for two of them could use it at either (section 5.3.2.1).
fn is_for_us(claims: &Claims, issuer: &str, settings: &ApplicationSettings) -> bool {
    if settings.is_fapi2() {
        return claims.get("aud").and_then(|aud| aud.as_str()) == Some(issuer);
    }
    let ours =
        |name: &&str| name.strip_prefix(issuer).is_some_and(|path| matches!(path, "" | "/token" | "/par"));
    claims.aud().is_ok_and(|named| named.iter().any(ours))
}

fn check_of(error: &JoseError) -> Unproved {
    match error {
        JoseError::NoKey => Unproved::UnknownKey,
        JoseError::Signature => Unproved::Signature,
        JoseError::AlgorithmNotAllowed(_) | JoseError::UnknownAlgorithm | JoseError::NoAlgorithm => {
            Unproved::Algorithm
        }
        JoseError::Type => Unproved::Typ,
        JoseError::Claims(_) => Unproved::Claims,
        _ => Unproved::Malformed,
    }
}
