//! Single logout with an OpenID provider: it tells us that a session ended there (OpenID Connect Back-Channel Logout 1.0),
//! or we lead people on to end theirs there (OpenID Connect RP-Initiated Logout 1.0).

pub mod api;

use std::time::Duration;

use super::{Ending, sign_out_of};
use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::model::connection::OidcConnection;
use crate::protocol::jose::Claims;
use crate::protocol::oidc::logout::{self, Over};
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{sessions, used};

/// How long after it was made a logout token is taken, beside the leeway; and so long its id is remembered (threats M04).
const OLDEST: Duration = Duration::from_secs(120);

// What was issued before a logout is not taken when the logout is forgotten.
const _: () = assert!(sessions::OVER_FOR.as_secs() > OLDEST.as_secs());

/// What a logout token of this provider says, whose signature was checked.
fn said(connection: OidcConnection<'_>, claims: &Claims, now: Moment) -> Result<Over, &'static str> {
    let settings = connection.oidc;
    if claims.iss().ok() != Some(settings.issuer.as_str()) {
        return Err("logout_token_issuer");
    }
    let audience = claims.aud().map_err(|_| "logout_token_audience")?;
    if !audience.contains(&settings.client_id.as_str()) {
        return Err("logout_token_audience");
    }
    let leeway = Duration::from_secs(connection.settings.leeway);
    let over = logout::read_token(claims, now, leeway)?;
    if over.issued.plus(OLDEST).plus(leeway) < now {
        return Err("logout_token_times");
    }
    Ok(over)
}

/// What a logout token does, in one transaction.
struct SignOut {
    ending: Ending,
    connection: ConnectionId,
    over: Over,
}

impl SignOut {
    /// False: it was used before.
    async fn run(self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        // Whoever signs in by this connection at this moment is either seen here, or sees what is written here.
        tx.lock(Lock::Exclusive, "connections", &self.connection.to_string()).await?;
        let until = self.over.issued.plus(2 * OLDEST);
        let scope = self.connection.to_string();
        if !used::first(tx, "oidc_logout_token", &scope, &self.over.jti(), until).await? {
            return Ok(false);
        }
        sign_out_of(tx, &self.ending, self.connection, &self.over).await?;
        Ok(true)
    }
}
