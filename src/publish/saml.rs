//! What an identity provider must know of us: metadata of our side of one connection.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::foundation::id::ConnectionId;
use crate::keys::saml_keyring::METADATA_KEPT;
use crate::model::connection::{Connection, ConnectionState, NameIdFormat, SamlConnection, WantedSignature};
use crate::protocol::saml::metadata::{self as descriptor, ServiceProvider};
use crate::protocol::saml::names::{Binding, name_id};
use crate::store::durable::connections;
use crate::store::durable::engine::StoreError;
use crate::web::reply::{self, Fault};
use crate::web::visitor::Visitor;

const KIND: HeaderValue = HeaderValue::from_static("application/samlmetadata+xml");

/// `GET /saml/{connection}/metadata`: also of a connection that is not in use yet, for it is needed to set it up; and of one
/// that was, for its sessions are signed out by our keys, and it may be switched on again.
pub async fn metadata(visitor: Visitor, Path(connection): Path<String>) -> Response {
    let Ok(id) = connection.parse::<ConnectionId>() else { return nothing() };
    let connection = match shown(&visitor, id).await {
        Ok(Some(connection)) => connection,
        Ok(None) => return nothing(),
        Err(error) => return visitor.machine_fault(&error.into()).await,
    };
    let Some(connection) = connection.saml() else { return nothing() };
    match document(&visitor, connection).await {
        Ok(xml) => {
            // No key begins before a copy without it has been given up.
            let cache = format!("public, max-age={}", METADATA_KEPT.as_secs());
            ([(header::CONTENT_TYPE, KIND)], [(header::CACHE_CONTROL, cache)], xml).into_response()
        }
        Err(fault) => visitor.machine_fault(&fault).await,
    }
}

async fn shown(visitor: &Visitor, id: ConnectionId) -> Result<Option<Connection>, StoreError> {
    let db = &mut &visitor.broker().db;
    let found = connections::by_id(db, visitor.project.id, id).await?;
    match found {
        Some(found) if found.state == ConnectionState::Disabled => {
            let was_live = connections::lifecycle_of(db, id).await?.activated_at.is_some();
            Ok(Some(found).filter(|_| was_live))
        }
        found => Ok(found),
    }
}

async fn document(visitor: &Visitor, connection: SamlConnection<'_>) -> Result<String, Fault> {
    let keys = visitor.broker().saml_keys.of_connection(connection).await?;
    let at = visitor.saml_addresses(connection.id);
    let signing: Vec<_> = keys.published.iter().map(|certified| &certified.certificate).collect();
    let encryption = keys.encrypt_to.iter().filter(|_| connection.saml.shows_encryption());
    let encryption: Vec<_> = encryption.map(|certified| &certified.certificate).collect();
    let slo = [(Binding::Redirect, at.slo.as_str()), (Binding::Post, at.slo.as_str())];
    let wanted = connection.saml.wants.signed;
    let provider = ServiceProvider {
        entity_id: &at.entity_id,
        acs: &[&at.acs],
        slo: if connection.saml.single_logout { &slo } else { &[] },
        signing: &signing,
        encryption: &encryption,
        // Where either will do, too: "no" makes some providers leave out the one signature that they would have made.
        want_assertions_signed: wanted != WantedSignature::Response,
        name_id_formats: formats(connection.saml.request.name_id_format),
        valid_until: None,
        cache_duration: None,
    };
    descriptor::write(&provider, None).map_err(|_| Fault::Other("our SAML metadata cannot be written"))
}

fn formats(wanted: Option<NameIdFormat>) -> &'static [&'static str] {
    match wanted {
        Some(NameIdFormat::Persistent) => &[name_id::PERSISTENT],
        Some(NameIdFormat::EmailAddress) => &[name_id::EMAIL_ADDRESS],
        Some(NameIdFormat::Transient) => &[name_id::TRANSIENT],
        Some(NameIdFormat::Unspecified) | None => &[name_id::PERSISTENT, name_id::EMAIL_ADDRESS],
    }
}

fn nothing() -> Response {
    reply::problem(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}
