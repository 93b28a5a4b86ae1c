//! What a provider answered, believed only after every check.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use openidconnect::core::{
    CoreErrorResponseType, CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKey, CoreJsonWebKeySet,
    CoreTokenResponse,
};
use openidconnect::{
    AccessTokenHash, AuthType, AuthorizationCode, ClientId, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, StandardErrorResponse, TokenResponse, TokenUrl,
};

use super::provider::Provider;
use super::{Authentication, authentication, callback, client, unread};
use crate::broker::connection_return;
use crate::egress::http::{EgressError, Request};
use crate::egress::openid::Watched;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::secret::Secret;
use crate::foundation::text;
use crate::login::counted::Heard;
use crate::login::refusal::Refusal;
use crate::login::{Stop, authenticate};
use crate::model::connection::{OidcConnection, OidcSettings};
use crate::model::identity::{IdentityFacts, Naming};
use crate::model::login::{AwaitedOidc, Away, Proof};
use crate::model::session::{Assurance, UpstreamName, UpstreamSession};
use crate::model::user::Profile;
use crate::protocol::jose::{Claims, JwkSet, Jws, Typ, VerifyingKey};
use crate::protocol::oauth::client_authentication::{JWT_BEARER, Method};
use crate::protocol::oauth::params::{Params, printable};
use crate::telemetry::names::{self, Outcome};
use crate::web::visitor::Visitor;

/// How long ago an ID token may have been issued, beside the leeway. It comes straight from the provider, so that a
/// longer life than this is somebody's store of tokens (OpenID Connect Core, section 3.1.3.7, item 10).
const OLDEST: Duration = Duration::from_secs(600);
/// What is kept of a provider's name for a session.
const LONGEST_SID: usize = 255;
const LONGEST_NAME: usize = 200;
/// For all that is asked of a provider after the return: whoever is slower is refused.
const PATIENCE: Duration = Duration::from_secs(9);

/// What the provider itself has said, believed as far as it is here.
#[derive(Debug, Default)]
pub struct Said {
    pub heard: Heard,
    /// Of the ID token, verified.
    pub id_token: Option<Claims>,
    pub userinfo: Option<Claims>,
    /// What would have been taken, and what came, where a refusal has something to tell of that.
    pub seen: Option<Seen>,
}

/// For the connection's administrator.
#[derive(Clone, Debug)]
pub struct Seen {
    pub expected: String,
    pub found: String,
}

impl Seen {
    fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: found.into() }
    }

    fn status(found: u16) -> Self {
        Self::new("200", found.to_string())
    }
}

/// Turns the answer into a proof, or says what was wrong with it. `said`: what the provider itself has said by then.
pub async fn proof(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    (away, awaited): (&Away, &AwaitedOidc),
    params: &Params,
    said: &mut Said,
) -> Result<Proof, Stop> {
    let clock = &visitor.broker().clock;
    let started = clock.now();
    let asked = tokio::time::timeout(PATIENCE, ask(visitor, connection, (away, awaited), params, said)).await;
    let (label, outcome) = match asked {
        Err(_) => (Outcome::TimedOut, Err(Refusal::IdpUnreachable("too_slow").into())),
        Ok(Ok(proof)) => (Outcome::Answered, Ok(proof)),
        Ok(Err(Stop::Refused(Refusal::IdpUnreachable(why)))) => {
            (Outcome::Unreachable, Err(Refusal::IdpUnreachable(why).into()))
        }
        Ok(Err(stop)) => (Outcome::Unusable, Err(stop)),
    };
    names::upstream_request(label, clock.now().since(started));
    outcome
}

async fn ask(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    (away, awaited): (&Away, &AwaitedOidc),
    params: &Params,
    said: &mut Said,
) -> Result<Proof, Stop> {
    let Said { heard, id_token: kept, userinfo: further, seen } = said;
    let get = |name| params.get(name).map_err(|error| Refusal::BadRequest(error.to_string()));
    let provider = Provider::of(visitor.broker(), connection).await?;
    check_issuer(connection, &provider, get("iss")?)?;
    if let Some(error) = get("error")? {
        let error = printable(error);
        tracing::warn!(connection = %connection.id, error, "an identity provider sent somebody back with an error");
        return Err(Refusal::IdpRefused(error).into());
    }
    let code = get("code")?.ok_or(Refusal::IdpAnswerInvalid("code_missing"))?;
    let answer = match redeem(visitor, connection, &provider, (awaited, code), (heard, seen)).await {
        Ok(answer) => answer,
        Err(stop) => {
            if *heard == Heard::Answer {
                *heard = heard_by_former(visitor, connection, &provider, (awaited, code)).await;
            }
            return Err(stop);
        }
    };
    // It has given us what it gives for a code of its own alone.
    *heard = named(&answer);
    let id_token = answer.id_token().ok_or(Refusal::IdpAnswerInvalid("id_token_missing"))?;
    let (claims, key) = verified(visitor, connection, (&provider, awaited), id_token, heard).await?;
    let claims = &*kept.insert(claims);
    by_the_other_reader(visitor, connection, awaited, &answer, id_token, &key)?;
    let subject = claims.sub().map_err(|_| Refusal::IdpAnswerInvalid("sub_invalid"))?.to_owned();
    *further = userinfo(visitor, connection, &provider, (&answer, claims, &subject), seen).await?;
    let userinfo = further.as_ref();
    // What is not as it should be vouches for no second factor, and keeps nobody out.
    let amr = claims.optional_strings("amr").ok().flatten();
    let amr: Vec<String> = amr.unwrap_or_default().into_iter().map(str::to_owned).collect();
    let (facts, left_out) = IdentityFacts::of_id_token(claims);
    let (authenticated_at, is_assumed) = authenticated_at(visitor, connection, away, claims, seen)?;
    Ok(Proof {
        connection: connection.id,
        version: away.version,
        issuer: connection.oidc.issuer.clone(),
        email: email(connection, claims, userinfo)?,
        named_by: None,
        vouched: is_vouched_for(claims, userinfo),
        profile: profile(claims, userinfo),
        assurance: Assurance::from_upstream(&amr),
        authenticated_at,
        is_assumed,
        issued_at: claims.iat().map_err(|_| Refusal::IdpAnswerInvalid("id_token_times"))?,
        session_until: None,
        single_use: None,
        facts,
        naming: Naming::Sub,
        upstream_session: Some(upstream_session(claims, &subject)?),
        left_out,
        subject,
    })
}

/// By what the provider will name this session when it ends there (OpenID Connect Back-Channel Logout, section 2.1).
fn upstream_session(claims: &Claims, subject: &str) -> Result<UpstreamSession, Refusal> {
    let index = claims.optional_string("sid").map_err(|_| Refusal::IdpAnswerInvalid("sid_invalid"))?;
    let index = index.filter(|index| index.len() <= LONGEST_SID).map(str::to_owned);
    let name = UpstreamName {
        value: subject.to_owned(),
        format: None,
        name_qualifier: None,
        sp_name_qualifier: None,
        is_encrypted: false,
    };
    Ok(UpstreamSession { name: Some(name), index })
}

/// RFC 9207: an `iss` must be the connection's; where the provider promises one, it must be there (threats C12).
fn check_issuer(
    connection: OidcConnection<'_>,
    provider: &Provider,
    iss: Option<&str>,
) -> Result<(), Refusal> {
    match iss {
        Some(iss) if iss != connection.oidc.issuer => Err(Refusal::IdpAnswerInvalid("iss_mismatch")),
        None if provider.promises_iss => Err(Refusal::IdpAnswerInvalid("iss_missing")),
        _ => Ok(()),
    }
}

async fn redeem(
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
fn named(answer: &CoreTokenResponse) -> Heard {
    let raw = answer.id_token().map(ToString::to_string).unwrap_or_default();
    let payload = raw.split('.').nth(1).and_then(|part| BASE64URL_NOPAD.decode(part.as_bytes()).ok());
    let claims = payload.and_then(|payload| Claims::parse(&payload).ok());
    let subject = claims.and_then(|claims| claims.sub().ok().map(str::to_owned));
    subject.map_or(Heard::Answer, Heard::Person)
}

/// For whom a provider has given a code that says of us that we are not who we say: as it tells who we were before, while
/// that is what we may be again. Nobody is let in by it; but without it, all the people behind one address would be one.
async fn heard_by_former(
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
        Ok(answer) => named(&answer),
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
fn is_outage(status: u16) -> bool {
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

/// The ID token, by our own strict reader: algorithm, key, the type of every claim, times, issuer, audience, nonce.
async fn verified(
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
    *heard = claims.sub().map_or(Heard::Answer, |subject| Heard::Person(subject.to_owned()));

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
fn by_the_other_reader(
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

/// The UserInfo answer, where it is wanted; its `sub` must be the ID token's.
async fn userinfo(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    provider: &Provider,
    (answer, claims, subject): (&CoreTokenResponse, &Claims, &str),
    seen: &mut Option<Seen>,
) -> Result<Option<Claims>, Stop> {
    let settings = connection.oidc;
    let has_email = claims.get(&settings.email_claim).is_some();
    let Some(url) = provider.userinfo.as_ref().filter(|_| settings.always_userinfo || !has_email) else {
        return Ok(None);
    };
    let token = Secret::new(answer.access_token().secret().as_str());
    let sent = visitor.broker().http.send(Request::get(url.clone()).bearer(&token)).await;
    let response = sent.map_err(|error| {
        names::egress_refused(error.reason());
        Refusal::IdpUnreachable("userinfo_endpoint")
    })?;
    if response.status != 200 {
        *seen = Some(Seen::status(response.status));
        if is_outage(response.status) {
            return Err(Refusal::IdpUnreachable("userinfo_endpoint_status").into());
        }
        return Err(Refusal::IdpAnswerInvalid("userinfo_status").into());
    }
    let found = Claims::parse(&response.body).map_err(|_| Refusal::IdpAnswerInvalid("userinfo_malformed"))?;
    if found.sub().ok() != Some(subject) {
        return Err(Refusal::IdpAnswerInvalid("userinfo_sub_mismatch").into());
    }
    Ok(Some(found))
}

/// The address, in its one spelling. ID token and UserInfo must not contradict each other (threats C01).
fn email(
    connection: OidcConnection<'_>,
    claims: &Claims,
    userinfo: Option<&Claims>,
) -> Result<Option<Email>, Refusal> {
    let refused = Refusal::EmailDomainNotAllowed;
    let read = |claims: &Claims| {
        let text = claims.optional_string(&connection.oidc.email_claim).map_err(|_| refused.clone())?;
        text.map(|text| Email::parse(text).map_err(|_| refused.clone())).transpose()
    };
    match (read(claims)?, userinfo.map(read).transpose()?.flatten()) {
        (Some(one), Some(other)) if one != other => Err(refused),
        (one, other) => Ok(one.or(other)),
    }
}

/// Whether the provider itself holds the address to be proved. One that says nothing does; some say it as text.
fn is_vouched_for(claims: &Claims, userinfo: Option<&Claims>) -> bool {
    let said = [Some(claims), userinfo].into_iter().flatten().filter_map(|from| from.get("email_verified"));
    said.filter(|said| !said.is_null()).all(|said| *said == true || *said == "true")
}

fn profile(claims: &Claims, userinfo: Option<&Claims>) -> Profile {
    let read = |name: &str| {
        let of = |claims: &Claims| claims.optional_string(name).ok().flatten().map(str::to_owned);
        let text = of(claims).or_else(|| userinfo.and_then(of))?;
        text::as_line(&text, LONGEST_NAME)
    };
    Profile {
        name: read("name"),
        given_name: read("given_name"),
        family_name: read("family_name"),
        locale: read("locale"),
        ..Profile::default()
    }
}

/// What whoever asked for a recent sign-in has to be told.
const TOLD: &str = "auth_time in the ID token, no older than was asked for by max_age";

/// When the person proved who they are: as the provider says, and never ahead of us by more than clocks differ, or it would
/// be recent for as long as that. Where a new proof was asked for, or one no older than so long, an old one is refused.
/// So is an answer that does not say, whoever the provider is, where the application asked: nothing that we make up in its
/// place is told to who has asked (OpenID Connect Core, section 2). Elsewhere the moment is taken for it, and passes for no recent one (threats M17).
fn authenticated_at(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    away: &Away,
    claims: &Claims,
    seen: &mut Option<Seen>,
) -> Result<(Moment, bool), Refusal> {
    let now = visitor.broker().now();
    let leeway = Duration::from_secs(connection.settings.leeway);
    let invalid = Refusal::IdpAnswerInvalid("auth_time_invalid");
    let Some(said) = claims.auth_time().map_err(|_| invalid.clone())? else {
        if !away.wants_the_moment {
            return Ok((now, true));
        }
        *seen = Some(Seen::new(TOLD, "no auth_time"));
        return Err(Refusal::AuthTimeMissing);
    };
    let mut note = |expected| *seen = Some(Seen::new(expected, format!("auth_time {}", said.rfc3339())));
    if said > now.plus(leeway) {
        note("auth_time in the ID token, in seconds of UTC, that is not ahead");
        return Err(invalid);
    }
    let recent = authenticate::recent_enough(away, said, now, leeway);
    recent.map(|at| (at, false)).inspect_err(|_| note(TOLD))
}
