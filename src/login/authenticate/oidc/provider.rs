//! What a provider says of itself (OpenID Connect Discovery), or what was typed in its place.

use std::ops::Deref;

use openidconnect::AuthUrl;
use url::Url;

use crate::broker::{Broker, upstream};
use crate::egress::documents::{DocumentError, Kind, Unfit, Wanted};
use crate::egress::guard::{self, Guard};
use crate::foundation::id::ConnectionId;
use crate::foundation::secret::Digest;
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::connection::{Connection, OidcConnection};
use crate::protocol::jose::{JwkSet, Jws};
use crate::protocol::oidc::provider::{self, ProviderMetadata};

pub struct Provider {
    connection: ConnectionId,
    pub authorization: AuthUrl,
    pub token: Url,
    pub userinfo: Option<Url>,
    pub jwks: Url,
    /// Where people sign out there, if it may be used.
    pub end_session: Option<Url>,
    /// Whether it promises `iss` in its authorization responses (RFC 9207, section 3).
    pub promises_iss: bool,
}

/// The keys of a provider, and the digest of the document in which they stand.
pub struct Keys {
    set: JwkSet,
    digest: Digest,
}

impl Keys {
    fn parse(document: &[u8]) -> Result<Self, Stop> {
        let set = JwkSet::parse(document).map_err(|_| Refusal::IdpUnreachable("jwks_malformed"))?;
        Ok(Self { set, digest: Digest::of(document) })
    }
}

impl Deref for Keys {
    type Target = JwkSet;

    fn deref(&self) -> &JwkSet {
        &self.set
    }
}

/// Why nobody can be sent to a provider. `Display` is for the operator.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unusable {
    #[error("its issuer {0} is no URL")]
    NoUrl(String),
    #[error("{}", told(url, why))]
    Document { url: String, why: DocumentError },
    #[error("its {endpoint} {url} may not be used: {why}")]
    Endpoint { endpoint: &'static str, url: String, why: guard::Refusal },
    #[error(
        "its {endpoint} {url} has a fragment, which no endpoint may have (RFC 6749, sections 3.1 and 3.2)"
    )]
    Fragment { endpoint: &'static str, url: String },
}

/// What the trail calls an endpoint that leads where we do not go.
const FORBIDDEN: &str = "idp_endpoint_not_allowed";

impl Unusable {
    /// Who cannot be reached is told apart from who says what cannot be believed.
    fn refusal(&self) -> Refusal {
        match self {
            Self::NoUrl(_) => Refusal::IdpUnreachable("issuer_is_no_url"),
            Self::Document { why: DocumentError::Unfit(unfit), .. } => Refusal::IdpUnusable(unfit.reason),
            Self::Document { .. } => Refusal::IdpUnreachable("discovery"),
            Self::Endpoint { .. } | Self::Fragment { .. } => Refusal::IdpUnusable(FORBIDDEN),
        }
    }
}

fn told(url: &str, why: &DocumentError) -> String {
    match why {
        DocumentError::Unfit(unfit) => format!("{url}: {}", unfit.explained),
        why => format!("{url} cannot be had: {}", why.explained()),
    }
}

impl Provider {
    pub async fn of(broker: &Broker, connection: OidcConnection<'_>) -> Result<Self, Stop> {
        let described = Self::described(broker, connection).await;
        described.map_err(|unusable| {
            let id = connection.id;
            tracing::warn!(connection = %id, why = %unusable, "nobody can be sent to an identity provider");
            unusable.refusal().into()
        })
    }

    /// As the provider says or as it was typed, if every endpoint that a login needs may be used.
    pub async fn described(broker: &Broker, connection: OidcConnection<'_>) -> Result<Self, Unusable> {
        let Some(typed) = &connection.oidc.endpoints else {
            return Self::discovered(broker, connection).await;
        };
        let endpoints = [
            ("authorization_endpoint", &typed.authorization),
            ("token_endpoint", &typed.token),
            ("jwks_uri", &typed.jwks),
        ];
        may_be_used(broker, endpoints)?;
        Ok(Self {
            connection: connection.id,
            authorization: AuthUrl::from_url(typed.authorization.clone()),
            token: typed.token.clone(),
            userinfo: typed.userinfo.clone(),
            jwks: typed.jwks.clone(),
            end_session: None,
            promises_iss: false,
        })
    }

    async fn discovered(broker: &Broker, connection: OidcConnection<'_>) -> Result<Self, Unusable> {
        let issuer = connection.oidc.issuer.as_str();
        let url = provider::address(issuer).ok_or_else(|| Unusable::NoUrl(issuer.to_owned()))?;
        let wanted = Wanted::new(Kind::Discovery, connection.id, &url);
        let fits = {
            let (broker, issuer) = (broker.clone(), issuer.to_owned());
            move |body: &[u8]| read(&broker, &issuer, body).map(drop)
        };
        let body = broker.documents.get(&wanted, fits).await;
        let found = body.and_then(|body| read(broker, issuer, &body).map_err(DocumentError::Unfit));
        let found = found.map_err(|why| Unusable::Document { url: url.into(), why })?;
        let userinfo = found.userinfo_endpoint.as_ref().map_or("", |url| url.as_str());
        let (authorization, jwks) = (found.authorization_endpoint.as_str(), found.jwks_uri.as_str());
        let endpoints = [authorization, found.token_endpoint.as_str(), userinfo, jwks];
        upstream::seen(broker, &connection, issuer, &endpoints).await;
        Ok(Self {
            connection: connection.id,
            authorization: AuthUrl::from_url(found.authorization_endpoint),
            token: found.token_endpoint,
            userinfo: found.userinfo_endpoint,
            jwks: found.jwks_uri,
            end_session: end_session(broker, &found.end_session_endpoint),
            promises_iss: found.authorization_response_iss_parameter_supported,
        })
    }

    /// The provider's keys; looked up anew, at a limited rate, if none is fit for this token.
    pub async fn keys_for(&self, broker: &Broker, token: &Jws<'_>) -> Result<Keys, Stop> {
        let kept =
            broker.documents.get(&self.wanted(), is_jwks).await.map_err(|why| self.unreachable(&why))?;
        let keys = Keys::parse(&kept)?;
        if keys.candidates(token.kid(), token.algorithm()).next().is_some() {
            return Ok(keys);
        }
        self.keys_anew(broker).await
    }

    /// The provider's keys as they are now, or, if that was asked a moment ago, as they were then.
    pub async fn keys_anew(&self, broker: &Broker) -> Result<Keys, Stop> {
        let new = broker.documents.refreshed(&self.wanted(), is_jwks).await;
        let new = new.map_err(|why| self.unreachable(&why))?;
        Keys::parse(&new)
    }

    /// Takes notice of keys of which one has signed something: of nothing that is published by mistake.
    pub async fn has_signed(&self, broker: &Broker, connection: &Connection, keys: &Keys) {
        let thumbprints = keys.keys().iter().map(|key| key.jwk().thumbprint());
        upstream::keys_seen(broker, connection, self.jwks.as_str(), keys.digest, thumbprints).await;
    }

    fn wanted(&self) -> Wanted {
        Wanted::new(Kind::Keys, self.connection, &self.jwks)
    }

    fn unreachable(&self, why: &DocumentError) -> Stop {
        let (connection, why) = (self.connection, told(self.jwks.as_str(), why));
        tracing::warn!(%connection, why, "the keys of an identity provider cannot be had");
        Refusal::IdpUnreachable("jwks_uri").into()
    }
}

/// What a provider says of itself, if it can be believed: the issuer byte for byte (OpenID Connect Discovery, section
/// 4.3; threats H17).
fn read(broker: &Broker, issuer: &str, body: &[u8]) -> Result<ProviderMetadata, Unfit> {
    let found: ProviderMetadata = serde_json::from_slice(body).map_err(|error| Unfit {
        reason: "idp_discovery_malformed",
        explained: format!("no discovery document: {}", lacks(&error)),
    })?;
    if found.issuer != issuer {
        let said = found.issuer.chars().take(200).collect::<String>();
        let explained = format!("its issuer is {said:?}, not {issuer:?}: every character counts");
        return Err(Unfit { reason: "idp_issuer_mismatch", explained });
    }
    let endpoints = [
        ("authorization_endpoint", &found.authorization_endpoint),
        ("token_endpoint", &found.token_endpoint),
        ("jwks_uri", &found.jwks_uri),
    ];
    may_be_used(broker, endpoints)
        .map_err(|unusable| Unfit { reason: FORBIDDEN, explained: unusable.to_string() })?;
    Ok(found)
}

/// Where a browser may be led to sign out there.
fn end_session(broker: &Broker, said: &serde_json::Value) -> Option<Url> {
    let url: Url = said.as_str()?.parse().ok()?;
    may_be_used(broker, [("end_session_endpoint", &url)]).is_ok().then_some(url)
}

fn lacks(error: &serde_json::Error) -> &'static str {
    if error.is_data() {
        "it lacks issuer, authorization_endpoint, token_endpoint or jwks_uri, or says something else than an address \
         there"
    } else {
        "it is not JSON"
    }
}

/// A browser goes to one of them without our guard; at least it is of the kind that we would go to ourselves. The
/// others are seen here before anybody is sent away, and met by the guard again when they are asked.
fn may_be_used<const N: usize>(
    broker: &Broker,
    endpoints: [(&'static str, &Url); N],
) -> Result<(), Unusable> {
    let guard = Guard::new(&broker.config.egress);
    for (endpoint, url) in endpoints {
        if url.fragment().is_some() {
            return Err(Unusable::Fragment { endpoint, url: url.to_string() });
        }
        guard.check(url).map_err(|why| Unusable::Endpoint { endpoint, url: url.to_string(), why })?;
    }
    Ok(())
}

fn is_jwks(body: &[u8]) -> Result<(), Unfit> {
    let malformed = |error| Unfit { reason: "jwks_malformed", explained: format!("no set of keys: {error}") };
    JwkSet::parse(body).map(drop).map_err(malformed)
}
