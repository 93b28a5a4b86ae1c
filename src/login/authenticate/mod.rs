//! Somebody we trust says who they are: the way to their identity provider, by whatever it speaks, and the session that
//! comes of what it proves.

mod known;
pub mod oidc;
pub mod pages;
pub mod saml;
mod sign_in;
pub mod trial;

use std::time::Duration;

use super::Stop;
use super::departure::Departure;
use super::doorstep;
use super::refusal::Refusal;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::ConnectionId;
use crate::model::connection::{Connection, OidcConnection, SamlConnection, Upstream};
use crate::model::login::{Away, Login};
use crate::store::durable::connections;
use crate::web::visitor::Visitor;
use sign_in::{domain_rule, is_first, not_by_the_rule};

pub use sign_in::{Found, rehearsed, sign_in};

/// Where the person is sent, and what the return must match.
pub async fn leave_for(
    visitor: &Visitor,
    login: &Login,
    connection: ConnectionId,
    email: Option<Email>,
) -> Result<(Away, Departure), Stop> {
    let connection = known(visitor, connection).await?;
    leave_by(visitor, login, &connection, email).await
}

/// As [`leave_for`], to ask the identity provider who is there without its asking anybody. Nothing, if the connection does
/// not want that, or if it cannot go without a page of ours or a new proof.
pub async fn leave_silently(
    visitor: &Visitor,
    login: &Login,
    connection: ConnectionId,
    email: Option<Email>,
) -> Result<Option<(Away, Departure)>, Stop> {
    let connection = known(visitor, connection).await?;
    let proves_anew = login.asked.max_age == Some(0);
    // Within a frame of the application the browser would bring no cookie of ours back.
    let is_framed = visitor.headers.get("sec-fetch-dest").is_some_and(|place| place != "document");
    let may_be_asked = match &connection.settings.upstream {
        Upstream::Oidc(_) => true,
        Upstream::Saml(saml) => saml.idp.sso.redirect.is_some() && !saml.request.force_authn,
    };
    if !connection.settings.silent_sign_in || proves_anew || is_framed || !may_be_asked {
        return Ok(None);
    }
    leave_by(visitor, login, &connection, email).await.map(Some)
}

async fn known(visitor: &Visitor, id: ConnectionId) -> Result<Connection, Stop> {
    let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
    let found = found.filter(Connection::is_active).ok_or(Refusal::ConnectionNotOffered)?;
    doorstep::current(visitor, found).await
}

async fn leave_by(
    visitor: &Visitor,
    login: &Login,
    connection: &Connection,
    email: Option<Email>,
) -> Result<(Away, Departure), Stop> {
    match &connection.settings.upstream {
        Upstream::Oidc(oidc) => {
            let connection = OidcConnection { connection, oidc };
            let (away, location) = oidc::leave_for(visitor, login, connection, email).await?;
            Ok((away, Departure::Redirect(location)))
        }
        Upstream::Saml(saml) => {
            let connection = SamlConnection { connection, saml };
            saml::leave_for(visitor, login, connection, email).await
        }
    }
}

/// When the person proved who they are, if that is recent enough for what the application asked. A moment that lies
/// ahead, by what clocks differ, is the provider's.
pub fn recent_enough(away: &Away, at: Moment, now: Moment, leeway: Duration) -> Result<Moment, Refusal> {
    let at = at.min(now);
    let before_leaving = away.reauthenticate && at.plus(leeway) < away.left_at;
    let limit = away.max_age.filter(|_| !away.reauthenticate).map(Duration::from_secs);
    let beyond_limit = limit.is_some_and(|limit| now.since(at) > limit.saturating_add(leeway));
    if before_leaving || beyond_limit { Err(Refusal::AuthenticationTooOld) } else { Ok(at) }
}
