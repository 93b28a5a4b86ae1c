//! An access token that somebody presents.

use std::time::Duration;

use crate::foundation::clock::Moment;
use crate::foundation::id::GrantId;
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::protocol::jose::{Claims, Jws, Typ};
use crate::protocol::oauth::error::OAuthError;
use crate::web::visitor::Visitor;

/// What a good one says.
#[derive(Debug)]
pub struct Opened {
    pub grant: GrantId,
    /// What it may be used for: all that its family was granted, or less.
    pub scopes: Vec<String>,
}

fn invalid(why: &'static str) -> Refusal {
    Refusal::Protocol(OAuthError::invalid_token(why))
}

/// An access token that is ours, for this audience, and not run out. Nothing else opens anything (threats M05).
pub async fn opened(visitor: &Visitor, token: &str, audience: &str, now: Moment) -> Result<Opened, Stop> {
    let claims = verified(visitor, token, now).await?;
    let ours = claims.aud().is_ok_and(|named| named.contains(&audience));
    let grant = claims.string("grant_id").ok().and_then(|id| id.parse().ok());
    let grant = grant.filter(|_| ours).ok_or(invalid("the token is for somebody else"))?;
    let scopes = claims.string("scope").unwrap_or_default().split(' ').map(str::to_owned).collect();
    Ok(Opened { grant, scopes })
}

/// The claims of an access token that is ours and not run out, whoever it is for.
pub async fn verified(visitor: &Visitor, token: &str, now: Moment) -> Result<Claims, Stop> {
    let keys = visitor.broker().keyring.of(visitor.project.id).await?;
    let jws = Jws::parse(token).map_err(|_| invalid("the token is malformed"))?;
    let claims = jws
        .verify(keys.public(), &crate::keys::keyring::ALGORITHMS, Typ::ACCESS_TOKEN)
        .map_err(|_| invalid("the token is not one of ours"))?;
    claims.check_times(now, Duration::ZERO).map_err(|_| invalid("the token has run out"))?;
    let issuer = visitor.issuer();
    if !claims.iss().is_ok_and(|iss| iss == issuer) {
        return Err(invalid("the token is for somebody else").into());
    }
    Ok(claims.into_inner())
}
