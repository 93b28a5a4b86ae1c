//! What comes of every way of asking for an organization, for whoever writes an application. A test holds the file against
//! what happens.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

const TABLE: &str = include_str!("organizations.txt");

/// `GET /docs/organizations.txt`
pub async fn table() -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], TABLE).into_response()
}
