//! Whether a connection's provider is what it was said to be, and whether we can prove ourselves to it.

use url::Url;

use super::{Findings, saml};
use crate::broker::Broker;
use crate::egress::documents::{Kind, Wanted};
use crate::egress::guard::Guard;
use crate::keys::connection_secret;
use crate::keys::connection_secret::{jwks_url, private_key};
use crate::login::authenticate::oidc::Provider;
use crate::model::connection::{Connection, ConnectionState, OidcConnection, SamlConnection, Upstream};
use crate::model::project::Project;
use crate::protocol::jose::JwkSet;
use crate::protocol::oauth::client_authentication::Method;
use crate::store::durable::engine::StoreError;

pub async fn check(
    broker: &Broker,
    project: &Project,
    connection: &Connection,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    match &connection.settings.upstream {
        Upstream::Oidc(oidc) => {
            self::oidc(broker, project, OidcConnection { connection, oidc }, findings).await;
        }
        Upstream::Saml(saml) => {
            saml::check(broker, project, SamlConnection { connection, saml }, findings).await?;
        }
    }
    Ok(())
}

async fn oidc(broker: &Broker, project: &Project, connection: OidcConnection<'_>, findings: &mut Findings) {
    let what = format!("connection {}", connection.slug);
    let callback = format!("{}/oidc/{}/callback", broker.issuer(project), connection.id);
    findings.fine(&what, format!("{}; register {callback} with its provider", connection.state));
    if connection.oidc.single_logout {
        let back = format!("{}/oidc/{}/signed-out", broker.issuer(project), connection.id);
        findings
            .fine(&what, format!("people who sign out are led on; register {back} with its provider, too"));
    }
    let issuer = broker.issuer(project);
    findings.judge(&what, secret(broker, &issuer, connection), ToString::to_string);
    // What is not in use need not be there yet.
    if !matches!(connection.state, ConnectionState::Active | ConnectionState::Testing) {
        return;
    }
    let Some(provider) = findings.judge(&what, Provider::described(broker, connection).await, |provider| {
        let said = if connection.oidc.endpoints.is_some() {
            "typed endpoints"
        } else {
            "the provider says its issuer"
        };
        format!("{said}; its keys are at {}", provider.jwks)
    }) else {
        return;
    };
    userinfo(broker, &what, connection, &provider, findings);
    let keys = keys(broker, connection, &provider.jwks).await;
    findings.judge(&what, keys, |count| format!("{count} usable keys"));
}

/// Opens the secret, and reads it as far as that tells anything.
fn secret(broker: &Broker, issuer: &str, connection: OidcConnection<'_>) -> Result<String, String> {
    let method = connection.oidc.authentication;
    let Some(sealed) = &connection.secret else {
        return match method {
            Method::None => Ok("it needs no secret".to_owned()),
            _ => Err("it has no secret: give it one in its house file".into()),
        };
    };
    let opened = connection_secret::open(&broker.keyring, connection.id, sealed);
    let opened = opened.map_err(|error| format!("{error}; apply its house file again"))?;
    match method {
        Method::PrivateKeyJwt => {
            let key = private_key(&opened).ok_or_else(|| {
                "its private key cannot be read: give it another one in its house file".to_owned()
            })?;
            let jwk = serde_json::to_string(key.public_jwk()).unwrap_or_default();
            let url = jwks_url(issuer, connection.id);
            Ok(format!("its private key can be read; register {url} with its provider, or the key {jwk}"))
        }
        _ => Ok("its secret can be opened".to_owned()),
    }
}

/// A login asks there only where it has to.
fn userinfo(
    broker: &Broker,
    what: &str,
    connection: OidcConnection<'_>,
    provider: &Provider,
    findings: &mut Findings,
) {
    let Some(url) = &provider.userinfo else { return };
    let Err(why) = Guard::new(&broker.config.egress).check(url) else { return };
    let how = format!("its userinfo_endpoint {url} may not be used: {why}");
    if connection.oidc.always_userinfo {
        findings.wrong(what, how);
    } else {
        findings.warn(what, format!("{how}. It is needed only for whoever's ID token has no address"));
    }
}

async fn keys(broker: &Broker, connection: OidcConnection<'_>, jwks: &Url) -> Result<usize, String> {
    let body = broker
        .documents
        .get(&Wanted::new(Kind::Keys, connection.id, jwks), |_| Ok(()))
        .await
        .map_err(|error| format!("{jwks} cannot be had: {}", error.explained()))?;
    let keys = JwkSet::parse(&body).map_err(|error| format!("{jwks}: {error}"))?;
    let accepted = &connection.oidc.algorithms;
    let usable = keys.keys().iter().filter(|key| accepted.iter().any(|algorithm| key.serves(*algorithm)));
    match usable.count() {
        0 => {
            let names: Vec<_> = accepted.iter().map(|algorithm| algorithm.name()).collect();
            Err(format!("{jwks} has no key for {}: see algorithms", names.join(", ")))
        }
        count => Ok(count),
    }
}
