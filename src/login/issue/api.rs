//! The token and UserInfo endpoints.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::TRIES;
use super::claims::{self, Occasion};
use super::client;
use super::entered;
use super::mint::{self, Minted};
use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, GrantId, RequestId};
use crate::foundation::random::Random;
use crate::foundation::secret::{Digest, Secret};
use crate::login::refusal::Refusal;
use crate::login::{Stop, note, note_claimed};
use crate::model::application::Application;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::grant::Grant;
use crate::model::login::Context;
use crate::protocol::jose::{Jws, Typ};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::protocol::oauth::token::{CodeRequest, TokenAnswer, code_request};
use crate::protocol::oauth::{pkce, scope};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{grants, memberships};
use crate::store::ephemeral::Kind;
use crate::telemetry::names;
use crate::web::form::MachineForm;
use crate::web::reply;
use crate::web::visitor::Visitor;

const HOUR: Duration = Duration::from_secs(3_600);

/// `POST /token`
pub async fn token(visitor: Visitor, MachineForm(params): MachineForm) -> Response {
    match granted(&visitor, &params).await {
        Ok(answer) => {
            let mut response = Json(answer).into_response();
            reply::no_store(response.headers_mut());
            response
        }
        Err(Stop::Refused(refusal)) => refused(&visitor, &refusal),
        Err(Stop::Failed(fault)) => visitor.machine_fault(&fault).await,
    }
}

/// The protocol's words (RFC 6749, section 5.2). What the pipeline refuses makes the grant invalid.
fn refused(visitor: &Visitor, refusal: &Refusal) -> Response {
    let error = match refusal {
        Refusal::Protocol(error) => error.clone(),
        other => OAuthError::invalid_grant(other.name()),
    };
    let by_header = visitor.headers.contains_key(header::AUTHORIZATION);
    let status =
        if error.code == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    let mut response = reply::oauth_error(status, &error);
    if error.code == "invalid_client" && by_header {
        let value = HeaderValue::from_static("Basic realm=\"token\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

async fn granted(
    visitor: &Visitor,
    params: &crate::protocol::oauth::params::Params,
) -> Result<TokenAnswer, Stop> {
    let (application, request) = match asked(visitor, params).await {
        Err(Stop::Refused(refusal)) => {
            let claimed = client::claimed(visitor, params);
            note_claimed(visitor, "token.refused", &refusal, claimed.as_deref()).await?;
            return Err(refusal.into());
        }
        other => other?,
    };
    let broker = visitor.broker();
    let redeem = Redeem {
        random: broker.random.clone(),
        now: broker.now(),
        tag: visitor.request,
        application,
        request,
    };
    match redeemed(visitor, redeem).await? {
        Ok((grant, minted)) => {
            acts(visitor, &grant).await?;
            sign(visitor, &grant, &minted).await
        }
        Err(Denied::Recorded(refusal)) => Err(refusal.into()),
        Err(Denied::Unrecorded(application, refusal)) => {
            note(visitor, "token.refused", &refusal, Some(application), None).await?;
            Err(refusal.into())
        }
    }
}

/// Notes when somebody last acted for an organization; once an hour is exact enough, and spares a write per token.
async fn acts(visitor: &Visitor, grant: &Grant) -> Result<(), Stop> {
    let Some(organization) = grant.organization else { return Ok(()) };
    let (broker, user, now) = (visitor.broker(), grant.user_id, visitor.broker().now());
    let what = format!("acts {user} {organization}");
    if broker.ephemeral.count(Kind::RateCounter, &what, HOUR).await? == 1 {
        broker.db.write(async move |tx| memberships::acts(tx, organization, user, now).await).await?;
    }
    Ok(())
}

/// A code was not redeemed.
enum Denied {
    /// Together with what it changed.
    Recorded(Refusal),
    /// Nothing was changed. Whoever asks again and again may not fill the audit trail by it.
    Unrecorded(ApplicationId, Refusal),
}

type Redeemed = Result<(Grant, Minted), Denied>;

/// Whoever loses against another transaction looks again. If it was the same code, it is used by now: to lose the
/// race is a reuse like any other, and ends what the winner got.
async fn redeemed(visitor: &Visitor, redeem: Redeem) -> Result<Redeemed, Stop> {
    let redeem = Arc::new(redeem);
    for _ in 0..TRIES {
        let redeem = Arc::clone(&redeem);
        match visitor.broker().db.write_on_snapshot(async move |tx| redeem.run(tx).await).await {
            Err(StoreError::Conflict) => {}
            outcome => return Ok(outcome?),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Which application asks, proved, and for what.
async fn asked(visitor: &Visitor, params: &Params) -> Result<(Application, CodeRequest), Stop> {
    if let Some(error) = params.twice() {
        return Err(Refusal::Protocol(OAuthError::invalid_request(error.to_string())).into());
    }
    let application = client::authenticate(visitor, params).await?;
    let request = code_request(params).map_err(Refusal::Protocol)?;
    Ok((application, request))
}

fn invalid_grant(description: &'static str) -> Refusal {
    Refusal::Protocol(OAuthError::invalid_grant(description))
}

/// One code's redemption, in one transaction. A refusal is committed too: the code is burnt, the event recorded.
struct Redeem {
    random: Random,
    now: Moment,
    tag: RequestId,
    application: Application,
    request: CodeRequest,
}

impl Redeem {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Redeemed, StoreError> {
        let code = Secret::new(self.request.code.as_str()).digest();
        let Some(grant) = grants::use_code(tx, self.application.project_id, code, self.now).await? else {
            return self.replayed(tx, code).await.map(Err);
        };
        let outcome = match self.fits(&grant) {
            Ok(()) => mint::run(tx, &minting(&grant, self.now)).await?,
            Err(refusal) => Err(refusal),
        };
        let event = AuditEvent::new(self.application.project_id, "token.issued", Outcome::Granted)
            .organization(grant.organization)
            .actor(grant.user_id)
            .subject(grant.id)
            .request(Some(self.tag));
        match outcome {
            Ok(minted) => {
                entered(tx, &grant, &minted, self.now).await?;
                audit::record(tx, &self.random, self.now, &minted.describe(event)).await?;
                Ok(Ok((grant, minted)))
            }
            Err(refusal) => {
                names::login_refused(refusal.name());
                grants::revoke(tx, grant.id, self.now).await?;
                self.record_refusal(tx, event, &refusal).await?;
                Ok(Err(Denied::Recorded(refusal)))
            }
        }
    }

    /// A code that comes a second time kills what the first one gave (RFC 6749, section 4.1.2).
    async fn replayed(&self, tx: &mut Tx<'_>, code: Digest) -> Result<Denied, StoreError> {
        let (project, application) = (self.application.project_id, self.application.id);
        let replayed = invalid_grant("the code was used before");
        let Some(grant) = grants::revoke_by_code(tx, project, code, self.now).await? else {
            let unknown = invalid_grant("the code is unknown or has run out");
            let known = grants::has_code(tx, project, code).await?;
            return Ok(Denied::Unrecorded(application, if known { replayed } else { unknown }));
        };
        names::login_refused(replayed.name());
        let event = AuditEvent::new(project, "token.code_replayed", Outcome::Refused)
            .organization(grant.organization)
            .subject(grant.id)
            .request(Some(self.tag));
        self.record_refusal(tx, event, &replayed).await?;
        Ok(Denied::Recorded(replayed))
    }

    async fn record_refusal(
        &self,
        tx: &mut Tx<'_>,
        mut event: AuditEvent,
        refusal: &Refusal,
    ) -> Result<(), StoreError> {
        event.outcome = Outcome::Refused;
        let event = event.reason(refusal.name()).with("application", self.application.id.to_string());
        audit::record(tx, &self.random, self.now, &event).await
    }

    /// The code was issued to this application, for this redirect URI, to the holder of the verifier, just now.
    fn fits(&self, grant: &Grant) -> Result<(), Refusal> {
        let request = &grant.request;
        if grant.application_id != self.application.id {
            return Err(invalid_grant("the code was issued to another client"));
        }
        if grant.revoked_at.is_some() || self.now >= grant.code_expires_at {
            return Err(invalid_grant("the code is unknown or has run out"));
        }
        if request.redirect_uri != self.request.redirect_uri {
            return Err(invalid_grant("redirect_uri is not the one of the authorization request"));
        }
        match (&request.code_challenge, &self.request.code_verifier) {
            (None, None) => Ok(()),
            (Some(challenge), Some(verifier)) if pkce::matches(challenge, verifier) => Ok(()),
            (Some(_), None) => Err(invalid_grant("code_verifier is missing")),
            (Some(_), Some(_)) => Err(invalid_grant("code_verifier does not match")),
            (None, Some(_)) => Err(invalid_grant("code_verifier without a code_challenge")),
        }
    }
}

pub(super) fn minting(grant: &Grant, now: Moment) -> mint::Request {
    let context = match (grant.organization, grant.delegation) {
        (None, _) => Context::Personal,
        (Some(target), Some(delegation)) => Context::Delegate { target, delegation },
        (Some(organization), None) => Context::Member(organization),
    };
    mint::Request {
        project: grant.project_id,
        application: grant.application_id,
        session: grant.session_id,
        context,
        scopes: grant.request.scopes.clone(),
        now,
        epochs: Some(grant.epochs),
    }
}

async fn sign(visitor: &Visitor, grant: &Grant, minted: &Minted) -> Result<TokenAnswer, Stop> {
    let broker = visitor.broker();
    let (issuer, now) = (visitor.issuer(), broker.now());
    let settings = &minted.application.settings;
    let keys = broker.keyring.of(grant.project_id).await?;
    let key = keys.signing(settings.algorithm, now)?;
    let id = grant.id.to_string();
    let occasion = Occasion {
        issuer: &issuer,
        scopes: &grant.request.scopes,
        grant: &id,
        nonce: grant.request.nonce.as_deref(),
        now,
    };
    let lifetimes = &broker.config.tokens;
    let jti = broker.random.token();
    let claims = claims::access_token(minted, &occasion, lifetimes.access_token_lifetime, jti.expose());
    let access_token = key.sign_jwt("at+jwt", &claims)?;
    names::token_issued("access_token");
    names::signed(settings.algorithm.name());
    let id_token = if grant.request.scopes.iter().any(|scope| scope == scope::OPENID) {
        let claims = claims::id_token(minted, &occasion, lifetimes.id_token_lifetime, &access_token);
        names::token_issued("id_token");
        names::signed(settings.algorithm.name());
        Some(key.sign_jwt("JWT", &claims)?)
    } else {
        None
    };
    Ok(TokenAnswer {
        access_token,
        token_type: "Bearer",
        expires_in: lifetimes.access_token_lifetime,
        id_token,
        scope: grant.request.scopes.join(" "),
    })
}

/// `GET` or `POST /userinfo` (OpenID Connect Core, section 5.3): what is true now, not when the token was signed.
pub async fn userinfo(visitor: Visitor) -> Response {
    match told(&visitor).await {
        Ok(claims) => {
            let mut response = Json(Value::Object(claims)).into_response();
            reply::no_store(response.headers_mut());
            response
        }
        Err(Stop::Refused(refusal)) => match note(&visitor, "userinfo.refused", &refusal, None, None).await {
            Ok(()) => unauthorized(&refusal),
            Err(fault) => visitor.machine_fault(&fault).await,
        },
        Err(Stop::Failed(fault)) => visitor.machine_fault(&fault).await,
    }
}

/// RFC 6750, section 3.
fn unauthorized(refusal: &Refusal) -> Response {
    let (status, error) = match refusal {
        Refusal::Protocol(error) if error.code == "insufficient_scope" => {
            (StatusCode::FORBIDDEN, error.clone())
        }
        Refusal::Protocol(error) => (StatusCode::UNAUTHORIZED, error.clone()),
        _ => (StatusCode::UNAUTHORIZED, OAuthError::invalid_token("the token is not valid any more")),
    };
    // Who brought no token made no error (RFC 6750, section 3.1).
    let challenge = match refusal {
        Refusal::LoginRequired => "Bearer".to_owned(),
        _ => format!("Bearer error=\"{}\", error_description=\"{}\"", error.code, error.description),
    };
    let mut response = reply::oauth_error(status, &error);
    if let Ok(value) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

async fn told(visitor: &Visitor) -> Result<serde_json::Map<String, Value>, Stop> {
    let broker = visitor.broker();
    let now = broker.now();
    let grant_id = presented(visitor, now).await?;
    let outcome = broker
        .db
        .read(async move |tx| {
            let Some(grant) = grants::by_id(tx, grant_id).await? else { return Ok(None) };
            if grant.revoked_at.is_some() {
                return Ok(None);
            }
            let minted = mint::run(tx, &minting(&grant, now)).await?;
            Ok::<_, StoreError>(Some((grant, minted)))
        })
        .await?;
    let invalid = || Refusal::Protocol(OAuthError::invalid_token("the token is not valid any more"));
    let (grant, minted) = outcome.ok_or_else(invalid)?;
    let minted = minted?;
    if grant.project_id != visitor.project.id {
        return Err(invalid().into());
    }
    if !grant.request.scopes.iter().any(|scope| scope == scope::OPENID) {
        return Err(Refusal::Protocol(OAuthError::insufficient_scope("the scope openid is missing")).into());
    }
    let (issuer, id) = (visitor.issuer(), grant.id.to_string());
    let occasion = Occasion { issuer: &issuer, scopes: &grant.request.scopes, grant: &id, nonce: None, now };
    Ok(claims::userinfo(&minted, &occasion))
}

/// The grant of an access token that is ours, for us, and not run out. Nothing else opens this door (threats M05).
async fn presented(visitor: &Visitor, now: Moment) -> Result<GrantId, Stop> {
    let invalid = |why: &'static str| Refusal::Protocol(OAuthError::invalid_token(why));
    let header = visitor.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let header = header.ok_or(Refusal::LoginRequired)?;
    let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (_, token) = token.ok_or(invalid("a bearer token is missing"))?;
    let audience = visitor.issuer();
    opened(visitor, token, &audience, now).await
}

/// The grant of an access token for this audience.
pub(super) async fn opened(
    visitor: &Visitor,
    token: &str,
    audience: &str,
    now: Moment,
) -> Result<GrantId, Stop> {
    let invalid = |why: &'static str| Refusal::Protocol(OAuthError::invalid_token(why));
    let keys = visitor.broker().keyring.of(visitor.project.id).await?;
    let jws = Jws::parse(token).map_err(|_| invalid("the token is malformed"))?;
    let claims = jws
        .verify(keys.public(), &crate::keys::keyring::ALGORITHMS, Typ::ACCESS_TOKEN)
        .map_err(|_| invalid("the token is not one of ours"))?;
    claims.check_times(now, Duration::ZERO).map_err(|_| invalid("the token has run out"))?;
    let issuer = visitor.issuer();
    let ours = claims.iss().is_ok_and(|iss| iss == issuer)
        && claims.aud().is_ok_and(|named| named.contains(&audience));
    let grant = claims.string("grant_id").ok().and_then(|id| id.parse().ok());
    grant.filter(|_| ours).ok_or(invalid("the token is for somebody else").into())
}
