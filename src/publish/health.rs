//! How we are, for whoever watches over us. No detail for strangers (threats M25).

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::store::durable::engine;
use crate::telemetry;
use crate::web::front::Front;

/// `GET /healthz`: the process lives.
pub async fn alive() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// `GET /readyz`: it can serve logins. The log tells why not.
pub async fn ready(State(front): State<Front>) -> Response {
    let status = match front.broker.is_ready().await {
        true if front.broker.is_stopping() => "stopping",
        true => return Json(json!({ "status": "ready" })).into_response(),
        false => "unavailable",
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": status }))).into_response()
}

/// `GET /metrics`, in Prometheus' text format.
pub async fn metrics() -> Response {
    telemetry::names::database_statements(engine::statements());
    let mut response = telemetry::metrics_text().into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
