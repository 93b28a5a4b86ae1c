//! A token that an OpenID provider has signed to tell us something behind the browser's back.

use std::time::Duration;

use super::OLDEST;
use crate::foundation::clock::Moment;
use crate::login::Stop;
use crate::login::authenticate::oidc::Provider;
use crate::model::connection::OidcConnection;
use crate::protocol::jose::{ClaimError, Claims, JoseError, Jws, Typ, Verified};
use crate::web::visitor::Visitor;

/// Why it is not taken, whatever it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    Malformed,
    Algorithm,
    Type,
    Signature,
    /// It does not say its times, or not as it should.
    Times,
    Expired,
    Future,
    Stale,
}

/// Its claims, if it is of this type, by a key of this provider's and by an algorithm that the connection takes.
///
/// # Errors
/// The provider's keys cannot be had.
pub async fn verified(
    visitor: &Visitor,
    connection: OidcConnection<'_>,
    token: &str,
    typ: Typ,
) -> Result<Result<Claims, Unfit>, Stop> {
    let algorithms = &connection.oidc.algorithms;
    let Ok(jws) = Jws::parse(token) else { return Ok(Err(Unfit::Malformed)) };
    if !algorithms.contains(&jws.algorithm()) {
        return Ok(Err(Unfit::Algorithm));
    }
    let broker = visitor.broker();
    let provider = Provider::of(broker, connection).await?;
    let keys = provider.keys_for(broker, &jws).await?;
    let verified = match jws.verify(&keys, algorithms, typ) {
        // A provider may have put another key under the same name.
        Err(JoseError::Signature) => {
            let keys = provider.keys_anew(broker).await?;
            Jws::parse(token).and_then(|jws| jws.verify(&keys, algorithms, typ))
        }
        verified => verified,
    };
    Ok(verified.map(Verified::into_inner).map_err(|why| match why {
        JoseError::Type => Unfit::Type,
        _ => Unfit::Signature,
    }))
}

/// When it was made, if it counts now: a token is made when it is sent.
pub fn made(connection: OidcConnection<'_>, claims: &Claims, now: Moment) -> Result<Moment, Unfit> {
    let leeway = Duration::from_secs(connection.settings.leeway);
    let times = claims.check_times(now, leeway).and_then(|()| claims.iat());
    let made = times.map_err(|wrong| match wrong {
        ClaimError::Expired => Unfit::Expired,
        ClaimError::NotYetValid | ClaimError::IssuedInFuture => Unfit::Future,
        ClaimError::Json(_) | ClaimError::Missing(_) | ClaimError::Wrong { .. } => Unfit::Times,
    })?;
    if made.plus(OLDEST).plus(leeway) < now { Err(Unfit::Stale) } else { Ok(made) }
}
