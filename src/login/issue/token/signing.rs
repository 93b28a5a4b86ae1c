//! What is granted, as signed tokens.

use super::{Granted, Lifetimes, acts};
use crate::login::Stop;
use crate::login::issue::claims::{self, Occasion};
use crate::protocol::oauth::scope;
use crate::protocol::oauth::token::TokenAnswer;
use crate::telemetry::names;
use crate::web::visitor::Visitor;

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
        resources: &granted.resources,
        named: &grant.request.claims.id_token,
        grant: &id,
        nonce: grant.request.nonce.as_deref().filter(|_| granted.is_first),
        signed_in: grant.request.login.as_ref(),
        now,
    };
    let lifetimes = Lifetimes::of(visitor, settings);
    let jti = broker.random.token();
    let claims = claims::access_token(minted, &occasion, lifetimes.access_token, jti.expose());
    let access_token = key.sign_jwt("at+jwt", &claims)?;
    names::token_issued("access_token");
    names::signed(settings.algorithm.name());
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
        token_type: "Bearer",
        expires_in: lifetimes.access_token,
        refresh_token,
        id_token,
        scope: scopes.join(" "),
    })
}
