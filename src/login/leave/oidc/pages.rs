//! The way back from a provider where somebody has signed out.

use axum::extract::{Path, RawQuery};
use axum::response::Response;

use super::Led;
use crate::login::leave::after::After;
use crate::login::{Stop, answer};
use crate::protocol::oauth::params::Params;
use crate::store::ephemeral::Kind;
use crate::web::reply;
use crate::web::visitor::Visitor;

/// `GET /oidc/{connection}/signed-out`: nothing is believed of who comes here but that they were led away. Whoever was not
/// may still be signed in.
pub async fn back(visitor: Visitor, Path(connection): Path<String>, RawQuery(query): RawQuery) -> Response {
    let outcome = led(&visitor, &connection, query.unwrap_or_default().as_bytes()).await;
    let outcome = outcome.map(|led| match led {
        Some(after) => after.reply(&visitor, None),
        None => reply::see_other(&visitor.path("/logout")),
    });
    answer(&visitor, outcome).await
}

async fn led(visitor: &Visitor, connection: &str, query: &[u8]) -> Result<Option<After>, Stop> {
    let params = Params::parse(query).unwrap_or_default();
    let Some(state) = params.get("state").ok().flatten() else { return Ok(None) };
    let found = visitor.broker().ephemeral.take(Kind::SignOut, state).await?;
    let led: Option<Led> = found.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let led = led.filter(|led| led.connection.to_string() == connection);
    Ok(led.map(|led| led.after))
}
