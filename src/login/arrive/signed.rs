//! Request objects (RFC 9101): signed by the application that asks, for us, and not for long.

use std::time::Duration;

use url::Url;

use crate::egress::http::Request;
use crate::foundation::clock::Moment;
use crate::login::Stop;
use crate::login::client_keys::{self, NoKeys};
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::protocol::jose::{Claims, JoseError, JwkSet, Jws};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::protocol::oauth::request_object::{ALGORITHMS, TYP, parameters};
use crate::store::ephemeral::Kind;
use crate::web::visitor::Visitor;

/// Its `exp` lies ahead by this at most, and its `nbf` behind.
const LONGEST: Duration = Duration::from_secs(3_600);
const LEEWAY: Duration = Duration::from_secs(30);
/// Bytes of one that is fetched.
const LARGEST: usize = 16 * 1024;
/// Objects that are fetched for one application in a minute, and for one network.
const FETCHED_A_MINUTE: (u64, u64) = (600, 60);
const MINUTE: Duration = Duration::from_secs(60);
const LONGEST_JTI: usize = 256;

/// One that is verified.
pub struct Object {
    pub params: Params,
    /// What it calls itself, and until when.
    pub jti: Option<(String, Moment)>,
}

fn wrong(why: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    OAuthError::invalid_request_object(why)
}

/// Where an object is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The request brought it along.
    Request,
    /// A registered address, just now: the application itself says by that what it says now, so it need not say for how long
    /// (RFC 9101, section 4, does not ask for it).
    Address,
}

/// The request that an object holds. Of what is `given` beside it nothing counts; but who asks, and for what kind of
/// answer, must be the same where it is said (section 6.3; OpenID Connect Core, section 6.1), and so must the organization
/// ([`super::came`]).
pub async fn read(
    visitor: &Visitor,
    application: &Application,
    given: &Params,
    (object, from): (&str, Source),
) -> Result<Object, Refusal> {
    let object = verified(visitor, application, object, from).await.map_err(Refusal::Protocol)?;
    for name in ["client_id", "response_type"] {
        let outside = given.get(name).map_err(|error| Refusal::BadRequest(error.to_string()))?;
        let inside = object.params.get(name).ok().flatten();
        if outside.is_some() && outside != inside {
            let why = format!("{name} is not the one of the request object");
            return Err(Refusal::Protocol(OAuthError::invalid_request(why)));
        }
    }
    Ok(object)
}

async fn verified(
    visitor: &Visitor,
    application: &Application,
    object: &str,
    from: Source,
) -> Result<Object, OAuthError> {
    let broker = visitor.broker();
    let keys = keys(visitor, application, object).await?;
    let settings = &application.settings;
    let allowed: Vec<_> = ALGORITHMS.into_iter().filter(|one| settings.may_sign_by(*one)).collect();
    let verify = |keys: &JwkSet| Jws::parse(object).and_then(|jws| jws.verify(keys, &allowed, TYP));
    let claims = match verify(&keys) {
        // Its key may have another one's name by now.
        Err(JoseError::Signature) => match client_keys::anew(broker, application).await {
            Some(keys) => verify(&keys),
            None => Err(JoseError::Signature),
        },
        other => other,
    };
    let claims = claims.map_err(|error| wrong(unverified(&error)))?;
    check(&claims, application, &visitor.issuer(), broker.now())?;
    let until = lives(&claims, from, broker.now())?;
    let jti = match claims.optional_string("jti") {
        Ok(Some(jti)) if jti.len() > LONGEST_JTI => return Err(wrong("jti is too long")),
        Ok(jti) => jti.map(str::to_owned),
        Err(_) => return Err(wrong("jti is no text")),
    };
    Ok(Object { params: parameters(&claims, &application.client_id)?, jti: jti.map(|jti| (jti, until)) })
}

async fn keys(visitor: &Visitor, application: &Application, object: &str) -> Result<JwkSet, OAuthError> {
    // The compact form of a JWE has five parts (RFC 7516, section 7.1).
    if object.split('.').count() == 5 {
        return Err(wrong(
            "the request object is encrypted, which is not supported: it is to be signed alone",
        ));
    }
    let signed = Jws::parse(object).map_err(|error| wrong(unverified(&error)))?;
    client_keys::of(visitor.broker(), application, &signed).await.map_err(|why| match why {
        NoKeys::Unregistered => wrong("this application has registered no keys"),
        NoKeys::Unpublished => wrong("the keys of this application cannot be had at its jwks_uri"),
    })
}

/// Which check a developer has to look at.
fn unverified(error: &JoseError) -> &'static str {
    match error {
        JoseError::NoKey => "none of the registered keys fits the request object",
        JoseError::Signature => "the signature of the request object is not valid",
        JoseError::Type => "the request object is of another type",
        JoseError::NoAlgorithm | JoseError::UnknownAlgorithm | JoseError::AlgorithmNotAllowed(_) => {
            "the request object is not signed by RS256, PS256, ES256 or EdDSA"
        }
        _ => "the request object is malformed",
    }
}

/// By whom, for whom, and when. What names itself as its subject is a proof of who the application is, and no request of
/// its (section 10.8).
fn check(claims: &Claims, application: &Application, issuer: &str, now: Moment) -> Result<(), OAuthError> {
    if claims.iss().ok() != Some(application.client_id.as_str()) {
        return Err(wrong("iss of the request object is not the client_id"));
    }
    if claims.get("sub").is_some_and(|sub| sub.as_str() == Some(application.client_id.as_str())) {
        return Err(wrong("the request object is a client assertion"));
    }
    if !claims.aud().is_ok_and(|named| named.contains(&issuer)) {
        return Err(wrong("aud of the request object is not this issuer"));
    }
    match claims.nbf() {
        Ok(Some(begins)) if begins > now.plus(LEEWAY) => Err(wrong("the request object is not valid yet")),
        Ok(Some(begins)) if begins.plus(LONGEST).plus(LEEWAY) < now => {
            Err(wrong("nbf of the request object is more than an hour ago"))
        }
        Err(_) => Err(wrong("nbf of the request object is no date")),
        _ => Ok(()),
    }
}

/// Until when it may be used.
fn lives(claims: &Claims, from: Source, now: Moment) -> Result<Moment, OAuthError> {
    if from == Source::Address && claims.get("exp").is_none() {
        return Ok(now.plus(LEEWAY));
    }
    let expires = claims.exp().map_err(|_| wrong("exp of the request object is missing"))?;
    if expires > now.plus(LONGEST).plus(LEEWAY) {
        return Err(wrong("exp of the request object is more than an hour ahead"));
    }
    let in_time = claims.check_times(now, LEEWAY);
    in_time.map_err(|_| wrong("the request object has run out or is not valid yet"))?;
    Ok(expires.plus(LEEWAY))
}

/// The object at an address: one that the application has registered, byte for byte, for whatever else we were made to ask
/// would be asked by strangers (threats C27, M21).
pub async fn fetched(visitor: &Visitor, application: &Application, uri: &str) -> Result<String, Stop> {
    let refused = |why: &'static str| Refusal::Protocol(OAuthError::invalid_request_uri(why));
    let registered = application.settings.requests.request_uris.iter().find(|known| known.as_str() == uri);
    let registered = registered.ok_or(refused("request_uri is none that this application has registered"))?;
    may_fetch(visitor, application).await?;
    match asked_for(visitor, registered.url()).await {
        Some(text) => Ok(text),
        None => Err(refused("there is no request object at request_uri").into()),
    }
}

async fn may_fetch(visitor: &Visitor, application: &Application) -> Result<(), Stop> {
    let ephemeral = &visitor.broker().ephemeral;
    let (of_one, of_network) = FETCHED_A_MINUTE;
    let limits = [
        (format!("request_uri {}", application.id), of_one),
        (format!("request_uri {}", visitor.network()), of_network),
    ];
    for (key, most) in limits {
        if ephemeral.count(Kind::RateCounter, &key, MINUTE).await? > most {
            return Err(Refusal::TooManyRequests.into());
        }
    }
    Ok(())
}

async fn asked_for(visitor: &Visitor, url: &Url) -> Option<String> {
    let accept = http::HeaderValue::from_static("application/oauth-authz-req+jwt");
    let request = Request::get(url.clone()).limit(LARGEST).header(http::header::ACCEPT, accept);
    let answer = match visitor.broker().http.send(request).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::info!(request = %visitor.request, ?error, "a request object cannot be fetched");
            return None;
        }
    };
    let text = String::from_utf8(answer.body).ok().filter(|_| answer.status == 200)?;
    Some(text.trim().to_owned())
}
