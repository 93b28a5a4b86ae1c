//! Where such a login begins.

use axum::extract::RawQuery;
use axum::response::Response;
use tower_sessions::Session;

use super::asked;
use crate::login::flow::Journey;
use crate::login::next;
use crate::protocol::oauth::params::Params;
use crate::web::visitor::Visitor;

/// `GET /account/sign-in`: as applications begin a login, whoever leads here. With `again=yes` whoever is signed in proves
/// anew who they are.
pub async fn begin(visitor: Visitor, browser: Session, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let again = params.is_ok_and(|params| params.get("again").ok().flatten() == Some("yes"));
    let asked = asked(again, visitor.ui_locales.clone());
    next::proceed(&visitor, &browser, Journey::begin(&visitor, asked)).await
}
