//! Discovery and keys of a project's issuer.

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::protocol::oidc::discovery::{self, ByCertificate};
use crate::web::visitor::Visitor;

/// Well below the time for which a key is published before it signs.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// `GET /.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`
pub async fn discovery(visitor: Visitor) -> Response {
    let broker = visitor.broker();
    let certified = broker.certified_issuer(&visitor.project);
    let by_certificate = ByCertificate {
        shown: broker.config.client_certificates.are_shown(),
        vouched_for: !broker.client_authorities.is_empty(),
        issuer: certified.as_deref(),
    };
    let registers = visitor.project.settings.dynamic_registration;
    public(Json(discovery::document(&visitor.issuer(), registers, by_certificate)).into_response())
}

/// `GET /jwks.json`
pub async fn jwks(visitor: Visitor) -> Response {
    match visitor.broker().keyring.of(visitor.project.id).await {
        Ok(keys) => public(Json(keys.public()).into_response()),
        Err(error) => visitor.machine_fault(&error.into()).await,
    }
}

/// For everybody, from everywhere (OpenID Connect Discovery, section 4).
pub(super) fn public(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, CACHE);
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
