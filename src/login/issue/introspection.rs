//! What a token is worth now (RFC 7662): the pipeline is asked, not the token. An application is told of its own tokens
//! and of those that are for it, whose audience names its client id; of any other it learns nothing.

use serde_json::{Map, Value, json};

use super::claims::{self, Occasion};
use super::held::{self, Held, found};
use super::mint::{self, Minted};
use super::minting;
use crate::foundation::clock::Moment;
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::grant::{Grant, Refresh};
use crate::protocol::jose::Claims;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::web::visitor::Visitor;

/// `typ` and media type of a signed answer (RFC 9701, section 5).
pub const SIGNED: &str = "token-introspection+jwt";

/// What is said of a token, and to whom.
pub struct Introspected {
    caller: Application,
    pub answer: Map<String, Value>,
}

pub async fn introspect(visitor: &Visitor, params: &Params) -> Result<Introspected, Stop> {
    let (caller, token) = held::asked(visitor, params, "introspection.refused").await?;
    if caller.settings.is_public() {
        let why = "whoever cannot prove who it is is told nothing";
        return Err(Refusal::Protocol(OAuthError::invalid_client(why)).into());
    }
    let now = visitor.broker().now();
    let answer = match found(visitor, &token, now).await? {
        Some((grant, held)) if may_know(&caller, &grant, &held) => told(visitor, grant, held, now).await?,
        _ => None,
    };
    let answer = answer.unwrap_or_else(|| Map::from_iter([("active".to_owned(), json!(false))]));
    Ok(Introspected { caller, answer })
}

/// Its own, or an access token that is for it. A refresh token is for nobody but its owner.
fn may_know(caller: &Application, grant: &Grant, held: &Held) -> bool {
    let named = |claims: &Claims| claims.aud().is_ok_and(|named| named.contains(&caller.client_id.as_str()));
    grant.application_id == caller.id || matches!(held, Held::Access(claims) if named(claims))
}

async fn told(
    visitor: &Visitor,
    grant: Grant,
    held: Held,
    now: Moment,
) -> Result<Option<Map<String, Value>>, Stop> {
    if grant.revoked_at.is_some() || !is_good(&grant, &held, now) {
        return Ok(None);
    }
    let granted = &grant.request.scopes;
    let scopes: Vec<String> = match &held {
        Held::Refresh(..) => granted.clone(),
        Held::Access(claims) => {
            let of_token: Vec<_> = claims.string("scope").unwrap_or_default().split(' ').collect();
            granted.iter().filter(|one| of_token.contains(&one.as_str())).cloned().collect()
        }
    };
    let request = mint::Request { scopes: scopes.clone(), ..minting(&grant, now) };
    let minted = visitor.broker().db.read(async move |tx| mint::run(tx, &request).await).await?;
    let Ok(minted) = minted else { return Ok(None) };
    let (issuer, id) = (visitor.issuer(), grant.id.to_string());
    let occasion = Occasion {
        issuer: &issuer,
        scopes: &scopes,
        grant: &id,
        nonce: None,
        signed_in: grant.request.login.as_ref(),
        now,
    };
    Ok(Some(match held {
        Held::Access(claims) => of_access_token(&minted, &occasion, &claims),
        Held::Refresh(refresh, _) => of_refresh_token(&minted, &occasion, &refresh),
    }))
}

/// A refresh token is good until it is used; an access token that is read has not run out.
fn is_good(grant: &Grant, held: &Held, now: Moment) -> bool {
    match held {
        Held::Access(_) => true,
        Held::Refresh(refresh, generation) => {
            refresh.generation == *generation && now < refresh.expires_at && now < grant.expires_at
        }
    }
}

/// Whom it stands for as they are now; when and for whom it was issued, as it says.
fn of_access_token(minted: &Minted, occasion: &Occasion<'_>, token: &Claims) -> Map<String, Value> {
    let mut answer = claims::access_token(minted, occasion, 0, token.string("jti").unwrap_or_default());
    for name in ["aud", "iat", "exp"] {
        answer.extend(token.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    answer.insert("active".into(), json!(true));
    answer.insert("token_type".into(), json!("Bearer"));
    answer
}

fn of_refresh_token(minted: &Minted, occasion: &Occasion<'_>, refresh: &Refresh) -> Map<String, Value> {
    let mut answer = claims::access_token(minted, occasion, 0, "");
    for name in ["aud", "jti"] {
        answer.remove(name);
    }
    answer.insert("active".into(), json!(true));
    answer.insert("iat".into(), json!(refresh.rotated_at.seconds()));
    answer.insert("exp".into(), json!(refresh.expires_at.seconds()));
    answer
}

impl Introspected {
    /// The same as a JWT for whoever asked, by the algorithm that it has registered (RFC 9701, section 5).
    pub async fn signed(&self, visitor: &Visitor) -> Result<String, Stop> {
        let now = visitor.broker().now();
        let algorithm = self.caller.settings.algorithm;
        let keys = visitor.broker().keyring.of(visitor.project.id).await?;
        let claims = json!({
            "iss": visitor.issuer(),
            "aud": self.caller.client_id,
            "iat": now.seconds(),
            "token_introspection": self.answer,
        });
        let signed = keys.signing(algorithm, now)?.sign_jwt(SIGNED, &claims)?;
        crate::telemetry::names::signed(algorithm.name());
        Ok(signed)
    }
}
