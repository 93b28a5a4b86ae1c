//! The keys by which a client signs, and the certificates that it is known by: registered by value, or published by it.
//! Who publishes them chose the address and what stands there, so they are read through the guard, kept, and looked at
//! anew at a limited rate (threats C27, H20); a client whose keys cannot be had holds up nobody but itself.

use crate::broker::Broker;
use crate::egress::documents::{DocumentError, Kind, Unfit, Wanted};
use crate::model::application::Application;
use crate::protocol::jose::{JwkSet, Jws};
use crate::protocol::oauth::client_certificate::{ClientCertificate, holds_certificate};

/// There is none that could be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKeys {
    /// None is registered.
    Unregistered,
    /// The client does not publish them where it said, or not as keys.
    Unpublished,
}

/// The keys among which the one is that this was signed with, if there is one.
pub async fn of(broker: &Broker, application: &Application, signed: &Jws<'_>) -> Result<JwkSet, NoKeys> {
    if let Some(keys) = &application.settings.jwks {
        return JwkSet::parse(keys.to_string().as_bytes()).map_err(|_| NoKeys::Unregistered);
    }
    let wanted = wanted(application).ok_or(NoKeys::Unregistered)?;
    let kept = broker.documents.get(&wanted, is_jwks).await.map_err(|why| unpublished(application, &why))?;
    let keys = JwkSet::parse(&kept).map_err(|_| NoKeys::Unpublished)?;
    if keys.candidates(signed.kid(), signed.algorithm()).next().is_some() {
        return Ok(keys);
    }
    // It may have a new one; if that cannot be had now, none fits.
    Ok(anew(broker, application).await.unwrap_or(keys))
}

/// The keys as the client publishes them now, or, if that was asked a moment ago, as it did then. None: they are registered
/// by value, or cannot be had.
pub async fn anew(broker: &Broker, application: &Application) -> Option<JwkSet> {
    let wanted = wanted(application)?;
    match broker.documents.refreshed(&wanted, is_jwks).await {
        Ok(body) => JwkSet::parse(&body).ok(),
        Err(why) => {
            unpublished(application, &why);
            None
        }
    }
}

/// Whether a certificate is one that the client has registered, or publishes (RFC 8705, section 2.2.2).
pub async fn has(
    broker: &Broker,
    application: &Application,
    certificate: &ClientCertificate,
) -> Result<bool, NoKeys> {
    if let Some(keys) = &application.settings.jwks {
        return Ok(certificate.is_in(keys));
    }
    let wanted = wanted(application).ok_or(NoKeys::Unregistered)?;
    let kept = broker.documents.get(&wanted, is_jwks).await.map_err(|why| unpublished(application, &why))?;
    if certificate.is_in(&written(&kept)) {
        return Ok(true);
    }
    // It may have a new one; if that cannot be had now, it has not.
    Ok(match broker.documents.refreshed(&wanted, is_jwks).await {
        Ok(body) => certificate.is_in(&written(&body)),
        Err(why) => {
            unpublished(application, &why);
            false
        }
    })
}

fn written(jwks: &[u8]) -> serde_json::Value {
    serde_json::from_slice(jwks).unwrap_or_default()
}

/// What a client publishes.
#[derive(Debug)]
pub struct Published {
    pub address: String,
    pub keys: JwkSet,
    /// Whether it could be known by a certificate in it.
    pub has_certificate: bool,
}

/// Where a client publishes its keys and what stands there, or why nobody can know; for the operator. None: they are
/// registered by value.
pub async fn published(broker: &Broker, application: &Application) -> Option<Result<Published, String>> {
    let wanted = wanted(application)?;
    let address = application.settings.client.jwks_uri.as_ref()?.as_str().to_owned();
    let body = broker.documents.get(&wanted, is_jwks).await;
    Some(match body {
        Ok(body) => match JwkSet::parse(&body) {
            Ok(keys) => Ok(Published { address, keys, has_certificate: holds_certificate(&written(&body)) }),
            Err(error) => Err(format!("{address}: {error}")),
        },
        Err(why) => Err(format!("its keys at {address} cannot be had: {}", why.explained())),
    })
}

fn wanted(application: &Application) -> Option<Wanted> {
    let uri = application.settings.client.jwks_uri.as_ref()?;
    Some(Wanted::new(Kind::Keys, application.id, uri.url()))
}

fn unpublished(application: &Application, why: &DocumentError) -> NoKeys {
    tracing::warn!(application = %application.id, why = why.explained(), "the keys of a client cannot be had");
    NoKeys::Unpublished
}

fn is_jwks(body: &[u8]) -> Result<(), Unfit> {
    let malformed = |error| Unfit { reason: "jwks_malformed", explained: format!("no set of keys: {error}") };
    JwkSet::parse(body).map(drop).map_err(malformed)
}
