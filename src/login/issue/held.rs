//! A token that an application holds and asks something about: which family it is of, if it is one of ours at all.

use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, GrantId};
use crate::keys::refresh_tokens::{self, Family};
use crate::login::Stop;
use crate::login::issue::client;
use crate::login::issue::presented::verified;
use crate::login::note_claimed;
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::grant::{Grant, Refresh};
use crate::model::machine_grant::MachineGrant;
use crate::protocol::jose::{Claims, Jws, Typ};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::protocol::oidc::id_token;
use crate::store::durable::{grants, machine_grants};
use crate::web::visitor::Visitor;

/// What the token is.
#[derive(Debug)]
pub enum Held {
    Access(Claims),
    /// Of this generation.
    Refresh(Refresh, i64),
}

/// Of whom it is.
#[derive(Debug)]
pub enum Found {
    Family(Box<Grant>, Held),
    /// An application's own.
    Machine(MachineGrant, Claims),
}

impl Found {
    pub fn application(&self) -> ApplicationId {
        match self {
            Self::Family(grant, _) => grant.application_id,
            Self::Machine(grant, _) => grant.application_id,
        }
    }

    /// Whether it is an access token that is for this application.
    pub fn is_for(&self, application: &Application) -> bool {
        let (Self::Family(_, Held::Access(claims)) | Self::Machine(_, claims)) = self else { return false };
        claims.aud().is_ok_and(|named| named.contains(&application.client_id.as_str()))
    }
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A public client too, by its name alone.
    Anybody,
    Proved,
}

/// The application that asks, proved, and the token that it asks about. A wrong `token_type_hint` changes nothing (RFC
/// 7009, section 2.1; RFC 7662, section 2.1): what a token is, it says itself.
pub async fn asked(
    visitor: &Visitor,
    params: &Params,
    action: &'static str,
    who: Who,
) -> Result<(Application, String), Stop> {
    match read(visitor, params, who).await {
        Err(Stop::Refused(refusal)) => {
            let claimed = client::claimed(visitor, params);
            note_claimed(visitor, action, &refusal, claimed.as_deref()).await?;
            Err(refusal.into())
        }
        other => other,
    }
}

async fn read(visitor: &Visitor, params: &Params, who: Who) -> Result<(Application, String), Stop> {
    let invalid = |why: String| Refusal::Protocol(OAuthError::invalid_request(why));
    if let Some(error) = params.twice() {
        return Err(invalid(error.to_string()).into());
    }
    let application = client::authenticate(visitor, params).await?;
    if who == Who::Proved && application.settings.is_public() {
        let why = "whoever cannot prove who it is is told nothing";
        return Err(Refusal::Protocol(OAuthError::invalid_client(why)).into());
    }
    let token = params.get("token").map_err(|error| invalid(error.to_string()))?;
    let token = token.ok_or_else(|| invalid("token is missing".to_owned()))?;
    Ok((application, token.to_owned()))
}

/// The family of the token. Nothing: it is none of ours, or not good for anything any more.
pub async fn found(visitor: &Visitor, token: &str, now: Moment) -> Result<Option<Found>, Stop> {
    if let Some(presented) = refresh_tokens::read(token) {
        let Some(mut grant) = grant(visitor, presented.grant).await? else { return Ok(None) };
        let Some(refresh) = grant.refresh.take() else { return Ok(None) };
        let family = Family::open(&visitor.broker().keyring, grant.id, &refresh.secret)?;
        let held = Held::Refresh(refresh, presented.generation);
        return Ok(family.made(&presented).then_some(Found::Family(Box::new(grant), held)));
    }
    let claims = match verified(visitor, token, now).await {
        Ok(claims) => claims,
        Err(Stop::Refused(_)) => return Ok(None),
        Err(failed) => return Err(failed),
    };
    let Some(id) = claims.string("grant_id").ok().and_then(|id| id.parse().ok()) else { return Ok(None) };
    if let Some(grant) = grant(visitor, id).await? {
        return Ok(Some(Found::Family(Box::new(grant), Held::Access(claims))));
    }
    let machine = machine_grants::by_id(&mut &visitor.broker().db, id).await?;
    let machine = machine.filter(|grant| grant.project_id == visitor.project.id);
    Ok(machine.map(|grant| Found::Machine(grant, claims)))
}

async fn grant(visitor: &Visitor, id: GrantId) -> Result<Option<Grant>, Stop> {
    let found = grants::by_id(&mut &visitor.broker().db, id).await?;
    Ok(found.filter(|grant| grant.project_id == visitor.project.id))
}

/// Whether it is an ID token of ours, which nobody can take back.
pub async fn is_id_token(visitor: &Visitor, token: &str) -> Result<bool, Stop> {
    let keys = visitor.broker().keyring.of(visitor.project.id).await?;
    let claims = Jws::parse(token)
        .and_then(|jws| jws.verify(keys.public(), &crate::keys::keyring::ALGORITHMS, Typ::Jwt));
    Ok(claims.is_ok_and(|claims| id_token::is_one(claims.get(), &visitor.issuer())))
}
