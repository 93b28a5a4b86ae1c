//! What a token is worth now (RFC 7662): the pipeline is asked, not the token. An application is told of its own tokens
//! and of those that are for it, whose audience names its client id; of any other it learns nothing.

use serde_json::{Map, Value, json};

use super::claims::{self, Occasion};
use super::held::{self, Found, Held, Who, found};
use super::mint::{self, MachineRequest, Minted};
use super::{minting, names};
use crate::foundation::clock::Moment;
use crate::login::Stop;
use crate::model::application::Application;
use crate::model::grant::{Grant, Refresh};
use crate::model::machine_grant::MachineGrant;
use crate::protocol::jose::Claims;
use crate::protocol::oauth::confirmation::{self, Confirmation};
use crate::protocol::oauth::params::Params;
use crate::protocol::oauth::scope;
use crate::web::visitor::Visitor;

/// `typ` and media type of a signed answer (RFC 9701, section 5).
pub const SIGNED: &str = "token-introspection+jwt";

/// What is said of a token, and to whom.
pub struct Introspected {
    caller: Application,
    pub answer: Map<String, Value>,
}

pub async fn introspect(visitor: &Visitor, params: &Params) -> Result<Introspected, Stop> {
    let (caller, token) = held::asked(visitor, params, "introspection.refused", Who::Proved).await?;
    let now = visitor.broker().now();
    let answer = match found(visitor, &token, now).await? {
        Some(found) if found.application() == caller.id || found.is_for(&caller) => {
            told(visitor, found, now).await?
        }
        _ => None,
    };
    let answer = answer.unwrap_or_else(|| Map::from_iter([("active".to_owned(), json!(false))]));
    Ok(Introspected { caller, answer })
}

async fn told(visitor: &Visitor, found: Found, now: Moment) -> Result<Option<Map<String, Value>>, Stop> {
    match found {
        Found::Family(grant, held) => of_family(visitor, *grant, held, now).await,
        Found::Machine(grant, claims) => of_machine(visitor, grant, &claims, now).await,
    }
}

async fn of_machine(
    visitor: &Visitor,
    grant: MachineGrant,
    token: &Claims,
    now: Moment,
) -> Result<Option<Map<String, Value>>, Stop> {
    if grant.revoked_at.is_some() {
        return Ok(None);
    }
    let request = MachineRequest {
        project: grant.project_id,
        application: grant.application_id,
        organization: grant.organization.map(|(id, _)| id),
        now,
        epoch: grant.organization.map(|(_, epoch)| epoch),
    };
    let minted = visitor.broker().db.read(async move |tx| mint::run_for_machine(tx, &request).await).await?;
    let Ok(minted) = minted else { return Ok(None) };
    let (issuer, id) = (visitor.issuer(), grant.id.to_string());
    let jti = token.string("jti").unwrap_or_default();
    let answer = claims::machine_access_token(&minted, (&issuer, &id, jti), (&grant.scopes, &[]), (now, now));
    Ok(Some(as_issued(answer, token)))
}

async fn of_family(
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
    let request = mint::Request { scopes, ..minting(&grant, now) };
    let minted = visitor.broker().db.read(async move |tx| mint::run(tx, &request).await).await?;
    let Ok(minted) = minted else { return Ok(None) };
    let (issuer, id) = (visitor.issuer(), grant.id.to_string());
    let names = names(visitor, &minted).await?;
    let resources = match &held {
        Held::Access(claims) => claims.aud().unwrap_or_default().into_iter().map(str::to_owned).collect(),
        Held::Refresh(..) => grant.request.resources.clone(),
    };
    let occasion = Occasion {
        issuer: &issuer,
        names: &names,
        scopes: &minted.scopes,
        resources: &resources,
        named: &[],
        grant: &id,
        nonce: None,
        signed_in: grant.request.login.as_ref(),
        exchanged: grant.request.exchanged.as_ref(),
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
    let jti = token.string("jti").unwrap_or_default();
    as_issued(claims::access_token(minted, occasion, 0, jti), token)
}

fn as_issued(mut answer: Map<String, Value>, token: &Claims) -> Map<String, Value> {
    for name in ["aud", "iat", "exp", confirmation::CLAIM] {
        answer.extend(token.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    let bound = Confirmation::of(token).unwrap_or_default();
    answer.insert("active".into(), json!(true));
    answer.insert("token_type".into(), json!(bound.token_type()));
    answer
}

fn of_refresh_token(minted: &Minted, occasion: &Occasion<'_>, refresh: &Refresh) -> Map<String, Value> {
    let mut answer = claims::access_token(minted, occasion, 0, "");
    for name in ["aud", "jti"] {
        answer.remove(name);
    }
    answer.insert("active".into(), json!(true));
    answer.insert("iat".into(), json!(refresh.rotated_at.seconds()));
    answer.extend(refresh.bound.claim().map(|value| (confirmation::CLAIM.to_owned(), value)));
    let ends = match occasion.scopes.iter().any(|scope| scope == scope::OFFLINE_ACCESS) {
        true => refresh.expires_at,
        false => refresh.expires_at.min(minted.session.expires_at),
    };
    answer.insert("exp".into(), json!(ends.seconds()));
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
