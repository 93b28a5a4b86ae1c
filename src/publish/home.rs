//! What the bare address shows: what it is for, and nothing of whom it serves.

use axum::http::StatusCode;
use axum::response::Response;

use crate::web::templates::{Page, WelcomePage};
use crate::web::visitor::Visitor;

/// `GET /`
pub async fn welcome(visitor: Visitor) -> Response {
    let discovery = visitor.path("/.well-known/openid-configuration");
    let page = WelcomePage { discovery, account: visitor.path("/account") };
    visitor.page(StatusCode::OK, &Page::Welcome(page), None, &[])
}
