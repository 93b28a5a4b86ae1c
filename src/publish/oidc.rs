//! What an OpenID provider must know of us: the public keys by which we prove who we are, of one connection (RFC 7523).

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::assets::not_found;
use super::metadata::public;
use crate::foundation::id::ConnectionId;
use crate::keys::connection_secret::public_jwk;
use crate::model::connection::{Connection, ConnectionState, Settings};
use crate::protocol::jose::Jwk;
use crate::store::durable::engine::StoreError;
use crate::store::durable::{connection_versions, connections};
use crate::web::visitor::Visitor;

/// `GET /oidc/{connection}/jwks.json`: also of a connection that is not in use yet, for it is needed to set it up.
pub async fn jwks(visitor: Visitor, Path(connection): Path<String>) -> Response {
    let Ok(id) = connection.parse::<ConnectionId>() else { return not_found() };
    let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, id).await;
    let keys = match found {
        Ok(Some(connection)) if connection.state != ConnectionState::Disabled => {
            keys(&visitor, &connection).await
        }
        Ok(_) => return not_found(),
        Err(error) => Err(error),
    };
    match keys {
        Ok(keys) if keys.is_empty() => not_found(),
        Ok(keys) => public(Json(json!({ "keys": keys })).into_response()),
        Err(error) => visitor.machine_fault(&error.into()).await,
    }
}

/// The key in use, that of the draft, ahead of its use, and that to which a roll back leads.
async fn keys(visitor: &Visitor, connection: &Connection) -> Result<Vec<Jwk>, StoreError> {
    let db = &mut &visitor.broker().db;
    let id = connection.id;
    let lifecycle = connections::lifecycle_of(db, id).await?;
    let previous = match lifecycle.previous_version {
        Some(number) => connection_versions::by_number(db, id, number).await?,
        None => None,
    };
    let draft = connection_versions::draft(db, id).await?;
    let versions = [draft, previous].into_iter().flatten().map(|version| (version.settings, version.secret));
    let key = |settings: &Settings, sealed: Option<&Vec<u8>>| {
        public_jwk(&visitor.broker().keyring, id, settings, sealed)
    };
    let mut keys = Vec::from_iter(key(&connection.settings, connection.secret.as_ref()));
    for (settings, sealed) in versions {
        keys.extend(key(&settings, sealed.as_ref()).filter(|key| !keys.contains(key)));
    }
    Ok(keys)
}
