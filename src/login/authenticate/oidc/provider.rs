//! What a provider says of itself (OpenID Connect Discovery), or what was typed in its place.

use openidconnect::AuthUrl;
use serde::Deserialize;
use url::Url;

use crate::broker::Broker;
use crate::egress::documents::{DocumentError, Kind, Wanted};
use crate::egress::guard::Guard;
use crate::foundation::id::ConnectionId;
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::connection::OidcConnection;
use crate::protocol::jose::{JwkSet, Jws};

pub struct Provider {
    connection: ConnectionId,
    pub authorization: AuthUrl,
    pub token: Url,
    pub userinfo: Option<Url>,
    pub jwks: Url,
    /// Whether it promises `iss` in its authorization responses (RFC 9207, section 3).
    pub promises_iss: bool,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    userinfo_endpoint: Option<Url>,
    jwks_uri: Url,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Provider {
    pub async fn of(broker: &Broker, connection: OidcConnection<'_>) -> Result<Self, Stop> {
        let settings = connection.oidc;
        let provider = match &settings.endpoints {
            Some(typed) => Self {
                connection: connection.id,
                authorization: AuthUrl::from_url(typed.authorization.clone()),
                token: typed.token.clone(),
                userinfo: typed.userinfo.clone(),
                jwks: typed.jwks.clone(),
                promises_iss: false,
            },
            None => Self::discover(broker, connection).await?,
        };
        if may_be_gone_to(broker, provider.authorization.url()) {
            Ok(provider)
        } else {
            Err(Refusal::IdpUnreachable("authorization_endpoint").into())
        }
    }

    async fn discover(broker: &Broker, connection: OidcConnection<'_>) -> Result<Self, Stop> {
        let issuer = connection.oidc.issuer.as_str();
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        let url = Url::parse(&format!("{base}/.well-known/openid-configuration"));
        let url = url.map_err(|_| Refusal::IdpUnreachable("issuer_is_no_url"))?;
        // Byte for byte (OpenID Connect Discovery, section 4.3; threats H17).
        let read = |body: &[u8]| {
            let found: Metadata = serde_json::from_slice(body).ok()?;
            let fits = found.issuer == issuer && may_be_gone_to(broker, &found.authorization_endpoint);
            fits.then_some(found)
        };
        let wanted = Wanted::new(Kind::Discovery, connection.id, &url);
        let body = broker.documents.get(&wanted, |body| read(body).is_some()).await;
        let body = body.map_err(|error| unreachable(&error))?;
        let found = read(&body).ok_or(Refusal::IdpUnreachable("discovery_malformed"))?;
        Ok(Self {
            connection: connection.id,
            authorization: AuthUrl::from_url(found.authorization_endpoint),
            token: found.token_endpoint,
            userinfo: found.userinfo_endpoint,
            jwks: found.jwks_uri,
            promises_iss: found.authorization_response_iss_parameter_supported,
        })
    }

    /// The provider's keys; looked up anew, at a limited rate, if none is fit for this token.
    pub async fn keys_for(&self, broker: &Broker, token: &Jws<'_>) -> Result<JwkSet, Stop> {
        let fits = |body: &[u8]| JwkSet::parse(body).is_ok();
        let kept = broker.documents.get(&self.wanted(), fits).await.map_err(|error| unreachable(&error))?;
        let keys = parse(&kept)?;
        if keys.candidates(token.kid(), token.algorithm()).next().is_some() {
            return Ok(keys);
        }
        self.keys_anew(broker).await
    }

    /// The provider's keys as they are now, or, if that was asked a moment ago, as they were then.
    pub async fn keys_anew(&self, broker: &Broker) -> Result<JwkSet, Stop> {
        let fits = |body: &[u8]| JwkSet::parse(body).is_ok();
        let new =
            broker.documents.refreshed(&self.wanted(), fits).await.map_err(|error| unreachable(&error))?;
        parse(&new)
    }

    fn wanted(&self) -> Wanted {
        Wanted::new(Kind::Keys, self.connection, &self.jwks)
    }
}

/// A browser goes there without our guard; at least it is of the kind that we would go to ourselves.
fn may_be_gone_to(broker: &Broker, url: &Url) -> bool {
    Guard::new(&broker.config.egress).check(url).is_ok()
}

fn parse(body: &[u8]) -> Result<JwkSet, Stop> {
    JwkSet::parse(body).map_err(|_| Refusal::IdpUnreachable("jwks_malformed").into())
}

fn unreachable(error: &DocumentError) -> Stop {
    tracing::warn!(%error, "an identity provider's document cannot be had");
    Refusal::IdpUnreachable("document_unreachable").into()
}
