//! Whether a connection's provider is what it was said to be, and whether we can prove ourselves to it.

use serde::Deserialize;
use url::Url;

use super::Findings;
use crate::broker::Broker;
use crate::egress::documents::{Kind, Wanted};
use crate::keys::connection_secret;
use crate::keys::connection_secret::private_key;
use crate::model::connection::{Connection, ConnectionState};
use crate::model::project::Project;
use crate::protocol::jose::JwkSet;
use crate::protocol::oauth::client_authentication::Method;

pub async fn check(broker: &Broker, project: &Project, connection: &Connection, findings: &mut Findings) {
    let what = format!("connection {}", connection.slug);
    let callback = format!("{}/oidc/{}/callback", broker.issuer(project), connection.id);
    findings.fine(&what, format!("{}; register {callback} with its provider", connection.state));
    findings.judge(&what, secret(broker, connection), |how| (*how).to_owned());
    // What is not in use need not be there yet.
    if !matches!(connection.state, ConnectionState::Active | ConnectionState::Testing) {
        return;
    }
    let Some(jwks) = findings.judge(&what, endpoints(broker, connection).await, |jwks| {
        let said = if connection.settings.endpoints.is_some() {
            "typed endpoints"
        } else {
            "the provider says its issuer"
        };
        format!("{said}; its keys are at {jwks}")
    }) else {
        return;
    };
    findings.judge(&what, keys(broker, connection, &jwks).await, |count| format!("{count} usable keys"));
}

/// Opens the secret, and reads it as far as that tells anything.
fn secret(broker: &Broker, connection: &Connection) -> Result<&'static str, String> {
    let method = connection.settings.authentication;
    let Some(sealed) = &connection.secret else {
        return match method {
            Method::None => Ok("it needs no secret"),
            _ => Err("it has no secret: give it one in its house file".into()),
        };
    };
    let opened = connection_secret::open(&broker.keyring, connection.id, sealed);
    let opened = opened.map_err(|error| format!("{error}; apply its house file again"))?;
    match method {
        Method::PrivateKeyJwt if private_key(&opened).is_none() => {
            Err("its private key cannot be read: give it another one in its house file".into())
        }
        _ => Ok("its secret can be opened"),
    }
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Url,
}

/// Where its keys are, by its discovery document (OpenID Connect Discovery, section 4) or as typed.
async fn endpoints(broker: &Broker, connection: &Connection) -> Result<Url, String> {
    if let Some(typed) = &connection.settings.endpoints {
        return Ok(typed.jwks.clone());
    }
    let issuer = &connection.settings.issuer;
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let url = Url::parse(&format!("{base}/.well-known/openid-configuration"));
    let url = url.map_err(|_| format!("its issuer {issuer} is no URL"))?;
    let body = broker
        .documents
        .get(&Wanted::new(Kind::Discovery, connection.id, &url), |_| true)
        .await
        .map_err(|error| format!("{url} cannot be had: {}", error.explained()))?;
    let found: Metadata = serde_json::from_slice(&body)
        .map_err(|error| format!("{url} is no discovery document: {}", lacks(&error)))?;
    if found.issuer != *issuer {
        return Err(format!("its issuer is {:?}, not {issuer:?}: every character counts", found.issuer));
    }
    Ok(found.jwks_uri)
}

fn lacks(error: &serde_json::Error) -> &'static str {
    if error.is_data() { "it lacks issuer or jwks_uri" } else { "it is not JSON" }
}

async fn keys(broker: &Broker, connection: &Connection, jwks: &Url) -> Result<usize, String> {
    let body = broker
        .documents
        .get(&Wanted::new(Kind::Keys, connection.id, jwks), |_| true)
        .await
        .map_err(|error| format!("{jwks} cannot be had: {}", error.explained()))?;
    let keys = JwkSet::parse(&body).map_err(|error| format!("{jwks}: {error}"))?;
    let accepted = &connection.settings.algorithms;
    let usable = keys.keys().iter().filter(|key| accepted.iter().any(|algorithm| key.serves(*algorithm)));
    match usable.count() {
        0 => {
            let names: Vec<_> = accepted.iter().map(|algorithm| algorithm.name()).collect();
            Err(format!("{jwks} has no key for {}: see algorithms", names.join(", ")))
        }
        count => Ok(count),
    }
}
