//! Where such a login begins.

use axum::extract::RawQuery;
use axum::response::Response;
use tower_sessions::Session;

use super::asked;
use crate::login::flow::Journey;
use crate::login::next;
use crate::protocol::oauth::device;
use crate::protocol::oauth::params::Params;
use crate::web::visitor::Visitor;

/// `GET /account/sign-in`: as applications begin a login, whoever leads here. With `again=yes` whoever is signed in proves
/// anew who they are, with `another=yes` they are asked who else they are; with `device=<code>` they go on to let one in.
pub async fn begin(visitor: Visitor, browser: Session, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let given = |name: &str| params.get(name).ok().flatten();
    let locales = visitor.ui_locales.as_deref();
    let for_device = params.iter().any(|(name, _)| name == "device");
    let onward = for_device.then(|| device::path(given("device"), locales));
    let wants = |name| given(name) == Some("yes");
    let asked = asked((wants("again"), wants("another")), onward, visitor.ui_locales.clone());
    next::proceed(&visitor, &browser, Journey::begin(&visitor, asked)).await
}
