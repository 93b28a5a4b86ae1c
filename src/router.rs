//! Every door of the house, mounted once.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::request::Parts;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use tower::util::MapRequest;

use crate::broker::Broker;
use crate::login::authenticate::trial;
use crate::login::{self, arrive, authenticate, choose, consent, device, invited, issue, leave, resolve};
use crate::manage::registration::client::api as client;
use crate::manage::{account, api};
use crate::publish::{assets, health, home, logos, metadata, oidc, organizations, saml};
use crate::web::front::Front;
use crate::web::templates::Templates;
use crate::web::{browser, cors, layers, lost};

/// The whole house.
pub fn house(broker: &Broker, templates: Arc<Templates>) -> Router {
    let front = front(broker, templates);
    let doors = people(broker)
        .merge(identity_providers())
        .merge(machines())
        .merge(api::doors())
        .merge(files())
        .layer(from_fn_with_state(front.clone(), layers::own_name))
        .merge(looks())
        .merge(watchers(&front));
    within(doors, front)
}

/// What every handler is given.
pub fn front(broker: &Broker, templates: Arc<Templates>) -> Front {
    Front {
        broker: broker.clone(),
        templates,
        look: issue::holder::LOOK,
        look_again: issue::holder::LOOK_AGAIN,
        switching: issue::holder::SWITCHING,
        stand_for: issue::holder::STAND_FOR,
    }
}

/// What stands around all doors, whatever is behind them. A project's path prefix is taken off before any is looked for.
pub fn within(doors: Router<Front>, front: Front) -> Router {
    let doors = doors
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(front.broker.config.server.max_body))
        .layer(from_fn_with_state(front.clone(), layers::around))
        .with_state(front);
    Router::new().fallback_service(MapRequest::new(doors, layers::project_from_path::<Body>))
}

/// Doors through which people come with a browser.
fn people(broker: &Broker) -> Router<Front> {
    Router::new()
        .route(
            "/authorize",
            by(GET_AND_POST, get(arrive::pages::authorize).post(arrive::pages::authorize_by_post)),
        )
        .route("/", get(home::welcome))
        .route("/login/{flow}", by(GET, get(resolve::pages::stand)))
        .route(
            "/login/{flow}/beforehand",
            post(resolve::pages::organization::named).get(resolve::pages::back),
        )
        .route("/login/{flow}/identify", post(resolve::pages::identify).get(resolve::pages::back))
        .route("/login/{flow}/restart", post(resolve::pages::restart).get(resolve::pages::back))
        .route("/login/{flow}/cancel", post(resolve::pages::cancel).get(resolve::pages::back))
        .route("/login/{flow}/organizations", get(choose::pages::search))
        .route("/login/{flow}/organization", post(choose::pages::pick).get(resolve::pages::back))
        .route("/login/{flow}/invitation", post(invited::pages::decide).get(resolve::pages::back))
        .route("/login/{flow}/device", get(device::pages::stand).post(device::pages::decide))
        .route("/login/{flow}/consent", post(consent::pages::decide).get(resolve::pages::back))
        .route(issue::device::PATH, get(device::pages::ask).post(device::pages::enter))
        .route("/oidc/{connection}/callback", by(GET, get(authenticate::oidc::pages::callback)))
        .route("/login/{flow}/returned", by(GET, get(authenticate::saml::pages::returned)))
        .route("/saml/{connection}/accepted", by(GET, get(authenticate::saml::pages::accepted)))
        .route("/try/{token}", by(GET, get(trial::pages::open)))
        .route("/trial/{flow}", get(trial::pages::stand).post(trial::pages::begin))
        .route("/trial/{flow}/returned", by(GET, get(trial::pages::take_up)))
        .route("/invitations/{token}", get(invited::pages::look).post(invited::pages::begin))
        .route(invited::ACCEPTED, by(GET, get(invited::pages::accepted)))
        .route("/oidc/{connection}/signed-out", by(GET, get(leave::oidc::pages::back)))
        .route("/logout", by(GET_AND_POST, get(leave::pages::ask).post(leave::pages::leave)))
        .merge(account())
        .layer(browser::layer(broker))
        .layer(map_response(browser::removal_counts))
}

/// Somebody's own account.
fn account() -> Router<Front> {
    Router::new()
        .route("/account/sign-in", by(GET, get(login::account::pages::begin)))
        .route("/account", get(account::pages::organizations))
        .route("/account/sessions", get(account::pages::sessions))
        .route("/account/applications", get(account::pages::applications))
        .route(
            "/account/organizations/{organization_id}/leave",
            get(account::pages::ask_to_leave).post(account::pages::leave_it),
        )
        .route("/account/organizations/{organization_id}/switch", post(account::pages::switch_to))
        .route("/account/sessions/{session_id}/end", post(account::pages::end_one))
        .route("/account/applications/{application_id}/end", post(account::pages::end_application))
        .route("/account/applications/{application_id}/withdraw", post(account::pages::withdraw))
}

/// What a form may weigh that carries a SAML message of 512 KiB in base64, percent-encoded here and there.
const LARGEST_MESSAGE: usize = 1024 * 1024;

/// Doors to which identity providers send people with a message, and without their cookies.
fn identity_providers() -> Router<Front> {
    Router::new()
        .route(
            "/saml/{connection}/acs",
            post(authenticate::saml::pages::consume).get(authenticate::saml::pages::consume_nothing),
        )
        .route(
            "/saml/{connection}/slo",
            by(GET_AND_POST, get(leave::saml::pages::by_redirect).post(leave::saml::pages::by_post)),
        )
        .layer(DefaultBodyLimit::max(LARGEST_MESSAGE))
}

/// Doors through which applications come.
fn machines() -> Router<Front> {
    Router::new()
        .route("/par", post(arrive::api::push).options(pages_post))
        .route("/token", post(issue::api::token).options(pages_post))
        .route("/device_authorization", post(issue::api::device_authorization))
        .route("/revoke", post(issue::api::revoke).options(pages_post))
        .route("/introspect", post(issue::api::introspection))
        .route(
            "/userinfo",
            get(issue::api::userinfo).post(issue::api::userinfo_posted).options(pages_get_and_post),
        )
        .route("/register", post(client::registers))
        .route("/register/{client_id}", get(client::reads).put(client::updates).delete(client::deletes))
        .route("/jwks.json", get(metadata::jwks).options(cors::open))
        .route("/oidc/{connection}/global-token-revocation", post(leave::oidc::global::api::revoke))
        .route("/oidc/{connection}/backchannel-logout", post(leave::oidc::api::told))
        .route("/saml/{connection}/metadata", get(saml::metadata))
        .route("/oidc/{connection}/jwks.json", get(oidc::jwks))
        .route("/.well-known/openid-configuration", get(metadata::discovery).options(cors::open))
        .route("/.well-known/oauth-authorization-server", get(metadata::discovery).options(cors::open))
}

fn files() -> Router<Front> {
    Router::new()
        .route("/assets/brand/{file}", get(assets::brand))
        .route("/assets/logo/{id}", get(logos::logo))
        .route("/docs/organizations.txt", get(organizations::table))
}

/// What our pages look like. The page that tells of a wrong name looks like them, so this is served by any name; it is
/// the same for everybody and leads nowhere.
fn looks() -> Router<Front> {
    Router::new().route("/assets/{*path}", get(assets::file))
}

/// Doors for whoever watches over us: by address, so not only under our own name.
fn watchers(front: &Front) -> Router<Front> {
    let metrics = Router::new()
        .route("/metrics", get(health::metrics))
        .layer(from_fn_with_state(front.clone(), layers::metrics_readers));
    Router::new().route("/healthz", get(health::alive)).route("/readyz", get(health::ready)).merge(metrics)
}

const GET: &str = "GET";
const GET_AND_POST: &str = "GET,POST";

/// A door that does something when it is opened by GET. HEAD, which the router would let in as well, must not do it.
fn by(allowed: &'static str, door: MethodRouter<Front>) -> MethodRouter<Front> {
    let closed = move |State(front): State<Front>, parts: Parts| async move {
        lost::other_method(&front, &parts, Some(allowed))
    };
    door.head(closed).fallback(closed)
}

/// Pages of applications ask before they post.
async fn pages_post(State(front): State<Front>, parts: Parts) -> Response {
    cors::preflight(front, parts, cors::POST).await
}

async fn pages_get_and_post(State(front): State<Front>, parts: Parts) -> Response {
    cors::preflight(front, parts, cors::GET_AND_POST).await
}

async fn nothing(State(front): State<Front>, parts: Parts) -> Response {
    lost::nothing(parts, &front).await
}

async fn wrong_method(State(front): State<Front>, parts: Parts) -> Response {
    lost::other_method(&front, &parts, None)
}
