//! What is granted, as signed tokens.

use serde_json::{Map, Value};

use super::{Granted, Lifetimes, acts};
use crate::login::Stop;
use crate::login::issue::claims::{self, Occasion};
use crate::protocol::jose::{SignError, SigningKey};
use crate::protocol::oauth::confirmation::{self, Confirmation};
use crate::protocol::oauth::scope;
use crate::protocol::oauth::token::TokenAnswer;
use crate::telemetry::names;
use crate::web::visitor::Visitor;

/// The one place in which an access token is bound to whom it is for.
pub fn sign_access_token(
    key: &SigningKey,
    mut claims: Map<String, Value>,
    bound: &Confirmation,
) -> Result<String, SignError> {
    claims.extend(bound.claim().map(|value| (confirmation::CLAIM.to_owned(), value)));
    let token = key.sign_jwt("at+jwt", &claims)?;
    names::token_issued("access_token");
    names::signed(key.algorithm().name());
    Ok(token)
}

pub async fn sign(visitor: &Visitor, granted: &Granted) -> Result<TokenAnswer, Stop> {
    let Granted { grant, minted, scopes, .. } = granted;
    acts(visitor, grant).await?;
    let broker = visitor.broker();
    let (issuer, now) = (visitor.issuer(), broker.now());
    let settings = &minted.application.settings;
    let keys = broker.keyring.of(grant.project_id).await?;
    let key = keys.signing(settings.algorithm, now)?;
    let id = grant.id.to_string();
    let occasion = Occasion {
        issuer: &issuer,
        scopes,
        grant: &id,
        nonce: grant.request.nonce.as_deref().filter(|_| granted.is_first),
        signed_in: grant.request.login.as_ref(),
        now,
    };
    let lifetimes = Lifetimes::of(visitor, settings);
    let jti = broker.random.token();
    let claims = claims::access_token(minted, &occasion, lifetimes.access_token, jti.expose());
    let access_token = sign_access_token(key, claims, &granted.bound)?;
    let id_token = if scopes.iter().any(|scope| scope == scope::OPENID) {
        let claims = claims::id_token(minted, &occasion, lifetimes.id_token, &access_token);
        names::token_issued("id_token");
        names::signed(settings.algorithm.name());
        Some(key.sign_jwt("JWT", &claims)?)
    } else {
        None
    };
    let refresh_token = granted.refresh_token.as_ref().map(|token| token.expose().to_owned());
    if refresh_token.is_some() {
        names::token_issued("refresh_token");
    }
    Ok(TokenAnswer {
        access_token,
        token_type: granted.bound.token_type(),
        expires_in: lifetimes.access_token,
        refresh_token,
        id_token,
        scope: scopes.join(" "),
    })
}
