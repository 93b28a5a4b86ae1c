//! A token that an OpenID provider has signed to tell us something behind the browser's back.

use crate::login::Stop;
use crate::login::authenticate::oidc::Provider;
use crate::model::connection::OidcConnection;
use crate::protocol::jose::{Claims, JoseError, Jws, Typ, Verified};
use crate::web::visitor::Visitor;

/// Why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    Malformed,
    Algorithm,
    Type,
    Signature,
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
) -> Result<Result<Claims, Unverified>, Stop> {
    let algorithms = &connection.oidc.algorithms;
    let Ok(jws) = Jws::parse(token) else { return Ok(Err(Unverified::Malformed)) };
    if !algorithms.contains(&jws.algorithm()) {
        return Ok(Err(Unverified::Algorithm));
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
        JoseError::Type => Unverified::Type,
        _ => Unverified::Signature,
    }))
}
