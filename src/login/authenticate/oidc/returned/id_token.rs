//! The ID token is believed only after two readers by different authors, and every check, agree.

use std::time::Duration;

use openidconnect::core::{
    CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKey, CoreJsonWebKeySet, CoreTokenResponse,
};
use openidconnect::{AccessTokenHash, ClientId, IssuerUrl, Nonce, OAuth2TokenResponse};

use crate::foundation::clock::Moment;
use crate::login::Stop;
use crate::login::authenticate::oidc::provider::Provider;
use crate::login::counted::Heard;
use crate::login::refusal::Refusal;
use crate::model::connection::{OidcConnection, OidcSettings};
use crate::model::login::AwaitedOidc;
use crate::protocol::jose::{Claims, JwkSet, Jws, Typ, VerifyingKey};
use crate::web::visitor::Visitor;

/// How long ago an ID token may have been issued, beside the leeway. It comes straight from the provider, so that a
/// longer life than this is somebody's store of tokens (OpenID Connect Core, section 3.1.3.7, item 10).
const OLDEST: Duration = Duration::from_secs(600);
/// The ID token, by our own strict reader: algorithm, key, the type of every claim, times, issuer, audience, nonce.
pub async fn verified(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    (provider, awaited): (&Provider, &AwaitedOidc),
    id_token: &CoreIdToken,
    heard: &mut Heard,
) -> Result<(Claims, VerifyingKey), Stop> {
    let broker = visitor.broker();
    let settings = connection.oidc;
    let invalid = Refusal::IdpAnswerInvalid;
    let raw = id_token.to_string();
    let jws = Jws::parse(&raw).map_err(|_| invalid("id_token_malformed"))?;
    if !settings.algorithms.contains(&jws.algorithm()) {
        return Err(invalid("id_token_algorithm").into());
    }
    let mut keys = provider.keys_for(broker, &jws).await?;
    let mut found = signed_by_one_of(&raw, &keys, settings);
    if found.is_none() {
        // A new key may have the old one's name.
        keys = provider.keys_anew(broker).await?;
        found = signed_by_one_of(&raw, &keys, settings);
    }
    let (claims, key) = found.ok_or(invalid("id_token_signature"))?;
    provider.has_signed(broker, &connection, &keys).await;
    *heard = person(connection, &claims);

    let leeway = Duration::from_secs(connection.settings.leeway);
    let times = claims.check_times(broker.now(), leeway).and_then(|()| claims.iat());
    let issued_at = times.map_err(|_| invalid("id_token_times"))?;
    if issued_at.plus(OLDEST).plus(leeway) < broker.now() {
        return Err(invalid("id_token_times").into());
    }
    if claims.iss().ok() != Some(settings.issuer.as_str()) {
        return Err(invalid("id_token_issuer").into());
    }
    check_audience(&claims, &settings.client_id)?;
    if claims.string("nonce").ok() != Some(awaited.nonce.as_str()) {
        return Err(invalid("nonce_mismatch").into());
    }
    let differs = |(name, wanted): &(String, String)| claims.string(name).ok() != Some(wanted.as_str());
    if settings.required_claims.iter().any(differs) {
        return Err(invalid("required_claim_mismatch").into());
    }
    Ok((claims, key))
}

/// Whom it is about: as they are known, if it says that.
pub fn person(connection: OidcConnection<'_>, claims: &Claims) -> Heard {
    let subject = connection.oidc.subject(claims).ok();
    let subject = subject.or_else(|| claims.sub().ok().map(str::to_owned));
    subject.map_or(Heard::Answer, Heard::Person)
}

/// One key at a time: several may have the same `kid`, and the other reader wants to know which it was.
fn signed_by_one_of(raw: &str, keys: &JwkSet, settings: &OidcSettings) -> Option<(Claims, VerifyingKey)> {
    let jws = Jws::parse(raw).ok()?;
    let fitting: Vec<_> = keys.candidates(jws.kid(), jws.algorithm()).cloned().collect();
    fitting.into_iter().find_map(|key| {
        let alone = JwkSet::new(vec![key.clone()]);
        let claims = Jws::parse(raw).ok()?.verify(&alone, &settings.algorithms, Typ::Jwt).ok()?;
        Some((claims.into_inner(), key))
    })
}

/// `aud` holds us; with several audiences, or an `azp`, the token was issued to us (OpenID Connect Core, 3.1.3.7).
fn check_audience(claims: &Claims, client_id: &str) -> Result<(), Refusal> {
    let invalid = Refusal::IdpAnswerInvalid("id_token_audience");
    let audience = claims.aud().map_err(|_| invalid.clone())?;
    let azp = claims.optional_string("azp").map_err(|_| invalid.clone())?;
    let ours = audience.contains(&client_id) && azp.is_none_or(|azp| azp == client_id);
    if ours && (audience.len() == 1 || azp.is_some()) { Ok(()) } else { Err(invalid) }
}

/// The same token once more, by `openidconnect`: two readers by different authors must agree.
pub fn by_the_other_reader(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    awaited: &AwaitedOidc,
    answer: &CoreTokenResponse,
    id_token: &CoreIdToken,
    key: &VerifyingKey,
) -> Result<(), Stop> {
    let invalid = Refusal::IdpAnswerInvalid;
    let settings = connection.oidc;
    let jwk: CoreJsonWebKey =
        serde_json::from_value(serde_json::to_value(key.jwk())?).map_err(|_| invalid("key_unusable"))?;
    let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| invalid("issuer_is_no_url"))?;
    let named = |name: &str| serde_json::from_value(serde_json::Value::String(name.to_owned())).ok();
    let allowed: Vec<_> =
        settings.algorithms.iter().filter_map(|algorithm| named(algorithm.name())).collect();
    let then = visitor.broker().now().minus(Duration::from_secs(connection.settings.leeway));
    let client_id = ClientId::new(settings.client_id.clone());
    // Confidential or not matters only to HMAC, which is on no list of ours. Further audiences were judged.
    let verifier =
        CoreIdTokenVerifier::new_public_client(client_id, issuer, CoreJsonWebKeySet::new(vec![jwk]))
            .set_allowed_algs(allowed)
            .set_other_audience_verifier_fn(|_| true)
            .set_time_fn(move || chrono_moment(then));
    let claims = id_token.claims(&verifier, &Nonce::new(awaited.nonce.clone()));
    let claims = claims.map_err(|_| invalid("id_token_refused"))?;
    let Some(expected) = claims.access_token_hash() else { return Ok(()) };
    let mismatch = invalid("at_hash_mismatch");
    let algorithm = id_token.signing_alg().map_err(|_| mismatch.clone())?;
    let signing_key = id_token.signing_key(&verifier).map_err(|_| mismatch.clone())?;
    match AccessTokenHash::from_token(answer.access_token(), algorithm, signing_key) {
        Ok(actual) if actual == *expected => Ok(()),
        _ => Err(mismatch.into()),
    }
}

fn chrono_moment(moment: Moment) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_millis(moment.millis()).unwrap_or_default()
}
