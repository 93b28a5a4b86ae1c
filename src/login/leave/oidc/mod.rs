//! Single logout with an OpenID provider: it tells us that a session ended there (OpenID Connect Back-Channel Logout 1.0),
//! or we lead people on to end theirs there (OpenID Connect RP-Initiated Logout 1.0).

pub mod api;
pub mod global;
pub mod pages;
mod signed;
mod told;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ending;
use super::after::After;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, SessionId};
use crate::foundation::secret::Digest;
use crate::login::Stop;
use crate::login::authenticate::oidc::Provider;
use crate::login::departure::Departure;
use crate::model::connection::{Connection, OidcConnection};
use crate::protocol::jose::Claims;
use crate::protocol::oauth::params;
use crate::protocol::oidc::logout::{self, Over};
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::sessions::Whose;
use crate::store::durable::{sessions, used};
use crate::store::ephemeral::Kind;
use crate::web::visitor::Visitor;

/// How long a provider may take to sign somebody out.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long after it was made a logout token is taken, beside the leeway; and so long its id is remembered (threats M04).
const OLDEST: Duration = Duration::from_secs(120);

// What was issued before a logout is not taken when the logout is forgotten.
const _: () = assert!(sessions::OVER_FOR.as_secs() > OLDEST.as_secs());

/// Whoever is led on to a provider, and what the browser still does when it comes back.
#[derive(Serialize, Deserialize)]
struct Led {
    connection: ConnectionId,
    after: After,
}

/// The address to come back to, of each connection its own.
pub fn signed_out(issuer: &str, connection: ConnectionId) -> String {
    format!("{issuer}/oidc/{connection}/signed-out")
}

/// On to the provider, to sign out there as well, if that is wanted and it has a door for it; `session` has ended here.
/// It is told whose session it was by the subject alone: no token of the provider's is kept for this.
pub async fn onward(
    visitor: &Visitor,
    connection: &Connection,
    session: SessionId,
    after: &After,
) -> Result<Option<Departure>, Stop> {
    let broker = visitor.broker();
    let Some(connection) = connection.oidc().filter(|connection| connection.oidc.single_logout) else {
        return Ok(None);
    };
    // Here they are signed out, whether their provider can be reached or not.
    let provider = match Provider::of(broker, connection).await {
        Ok(provider) => provider,
        Err(Stop::Refused(_)) => return Ok(None),
        Err(stop) => return Err(stop),
    };
    let Some(door) = provider.end_session else { return Ok(None) };
    let upstream = sessions::upstream_of(&mut &broker.db, session).await?;
    let name = upstream.first().and_then(|upstream| upstream.name.as_ref());
    let subject = name.map(|name| name.value.as_str());
    let state = broker.random.token();
    let led = serde_json::to_vec(&Led { connection: connection.id, after: after.clone() })?;
    broker.ephemeral.put(Kind::SignOut, state.expose(), led, PATIENCE).await?;
    let back = signed_out(&visitor.issuer(), connection.id);
    let sent = [
        ("client_id", connection.oidc.client_id.as_str()),
        ("post_logout_redirect_uri", &back),
        ("state", state.expose()),
    ];
    let hint = subject.map(|subject| ("logout_hint", subject));
    Ok(Some(Departure::Redirect(params::append(door.as_str(), sent.into_iter().chain(hint)))))
}

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
    let issued = signed::made(connection, claims, now).map_err(told::of_logout)?;
    logout::read_token(claims, issued)
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
        let id = Digest::of(self.over.jti.as_bytes()).text();
        if !used::first(tx, "oidc_logout_token", &scope, &id, until).await? {
            return Ok(false);
        }
        let Over { subject, session, issued, .. } = &self.over;
        let indexes: Vec<String> = session.iter().cloned().collect();
        let meant = match (subject, session) {
            (Some(subject), _) => sessions::named_upstream(tx, self.connection, subject, &indexes).await?,
            (None, Some(session)) => {
                sessions::indexed_upstream(tx, self.connection, session, Whose::Anybodys).await?
            }
            (None, None) => Vec::new(),
        };
        for session in meant {
            self.ending.end(tx, session).await?;
        }
        let name = subject.as_deref().unwrap_or_default();
        sessions::upstream_over(tx, self.connection, name, &indexes, *issued).await?;
        Ok(true)
    }
}
