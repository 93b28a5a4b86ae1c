//! An access token that somebody presents, and what they prove to hold.

use std::time::Duration;

use crate::foundation::clock::Moment;
use crate::foundation::id::GrantId;
use crate::login::Stop;
use crate::login::issue::possession::{self, Shown};
use crate::login::refusal::Refusal;
use crate::protocol::jose::{Algorithm, Claims, Jws, Typ};
use crate::protocol::oauth::confirmation::Confirmation;
use crate::protocol::oauth::error::OAuthError;
use crate::store::durable::applications;
use crate::web::dpop::Scheme;
use crate::web::visitor::Visitor;

/// How far the clock of the node that issued a token may be ahead of ours. When it ends is counted to the second.
const AHEAD: Duration = Duration::from_secs(30);

/// What a good one says.
#[derive(Debug)]
pub struct Opened {
    pub grant: GrantId,
    /// What it may be used for: all that its family was granted, or less.
    pub scopes: Vec<String>,
    /// All of it.
    pub token: Claims,
}

fn missing() -> Refusal {
    Refusal::Protocol(OAuthError::invalid_dpop_proof("the DPoP proof is missing"))
}

fn invalid(why: &'static str) -> Refusal {
    Refusal::Protocol(OAuthError::invalid_token(why))
}

/// An access token that is ours, for this audience, not run out, and shown by who holds what it is bound to. Nothing else
/// opens anything (threats M05, M06).
pub async fn opened(
    visitor: &Visitor,
    (scheme, token): (Scheme, &str),
    audience: &str,
    now: Moment,
) -> Result<Opened, Stop> {
    let proof = match scheme {
        Scheme::Bearer => None,
        Scheme::Dpop => Some(possession::shown(visitor, Some(token))?.ok_or_else(missing)?),
    };
    let claims = verified(visitor, token, now).await?;
    let ours = claims.aud().is_ok_and(|named| named.contains(&audience));
    let grant = claims.string("grant_id").ok().and_then(|id| id.parse().ok());
    let grant = grant.filter(|_| ours).ok_or(invalid("the token is for somebody else"))?;
    // Whoever shows a token as bound has one that is; whoever proves nothing has one that is not.
    let bound = Confirmation::of(&claims).ok_or(invalid("the token is bound to what is not known here"))?;
    let jkt = proof.as_ref().map(|proof| proof.jkt().to_owned());
    let proved = Confirmation { jkt, certificate: possession::certificate(visitor) };
    if bound.jkt.is_some() != proved.jkt.is_some() || !bound.is_proved_by(&proved) {
        return Err(invalid("the token is bound to another key, or not shown as it is bound").into());
    }
    if let Some(proof) = &proof {
        // It is asked for seldom, and is large.
        Box::pin(fits(visitor, &claims, proof)).await?;
        possession::once(visitor, proof).await?;
    }
    let scopes = claims.string("scope").unwrap_or_default().split(' ').map(str::to_owned).collect();
    Ok(Opened { grant, scopes, token: claims })
}

/// Whether the application may sign by what its proof is signed by. It is looked up only where some may not.
async fn fits(visitor: &Visitor, claims: &Claims, proof: &Shown) -> Result<(), Stop> {
    if matches!(proof.algorithm(), Algorithm::PS256 | Algorithm::ES256 | Algorithm::EdDSA) {
        return Ok(());
    }
    let client = claims.string("client_id").unwrap_or_default();
    let found = applications::by_client_id(&mut &visitor.broker().db, visitor.project.id, client).await?;
    let application = found.ok_or(invalid("the token is for somebody else"))?;
    Ok(proof.fits(&application.settings)?)
}

/// The claims of an access token that is ours and not run out, whoever it is for.
pub async fn verified(visitor: &Visitor, token: &str, now: Moment) -> Result<Claims, Stop> {
    let keys = visitor.broker().keyring.of(visitor.project.id).await?;
    let jws = Jws::parse(token).map_err(|_| invalid("the token is malformed"))?;
    let claims = jws
        .verify(keys.public(), &crate::keys::keyring::ALGORITHMS, Typ::ACCESS_TOKEN)
        .map_err(|_| invalid("the token is not one of ours"))?;
    let over = || invalid("the token has run out");
    claims.check_times(now, AHEAD).map_err(|_| over())?;
    if now >= claims.exp().map_err(|_| over())? {
        return Err(over().into());
    }
    let issuer = visitor.issuer();
    if !claims.iss().is_ok_and(|iss| iss == issuer) {
        return Err(invalid("the token is for somebody else").into());
    }
    Ok(claims.into_inner())
}
