//! Every door of the house, mounted once.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use tower::util::MapRequest;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::broker::Broker;
use crate::login::{arrive, authenticate, choose, issue, leave, resolve};
use crate::publish::{assets, health, logos, metadata, saml};
use crate::web::front::Front;
use crate::web::templates::Templates;
use crate::web::{browser, layers, reply};

/// The whole house. A project's path prefix is taken off before any door is looked for.
pub fn house(broker: &Broker, templates: Arc<Templates>) -> Router {
    let front = Front { broker: broker.clone(), templates };
    let settings = &broker.config.server;
    let doors = people(broker)
        .merge(identity_providers())
        .merge(machines())
        .merge(files())
        .layer(from_fn_with_state(front.clone(), layers::own_name))
        .merge(watchers(&front))
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(layers::short_address))
        .layer(DefaultBodyLimit::max(settings.max_body))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(settings.request_timeout),
        ))
        .layer(CatchPanicLayer::custom(panicked))
        // Outermost: what timed out or panicked is counted, and answered with the same headers, too.
        .layer(from_fn_with_state(front.clone(), layers::observed))
        .with_state(front);
    Router::new().fallback_service(MapRequest::new(doors, layers::project_from_path::<Body>))
}

/// Doors through which people come with a browser.
fn people(broker: &Broker) -> Router<Front> {
    Router::new()
        .route(
            "/authorize",
            get(arrive::pages::authorize).post(arrive::pages::authorize_by_post).head(wrong_method),
        )
        .route("/login/{flow}", get(resolve::pages::stand))
        .route("/login/{flow}/identify", post(resolve::pages::identify))
        .route("/login/{flow}/restart", post(resolve::pages::restart))
        .route("/login/{flow}/cancel", post(resolve::pages::cancel))
        .route("/login/{flow}/organizations", get(choose::pages::search))
        .route("/login/{flow}/organization", post(choose::pages::pick))
        .route("/oidc/{connection}/callback", get(authenticate::oidc::pages::callback).head(wrong_method))
        .route("/login/{flow}/returned", get(authenticate::saml::pages::returned))
        .route("/saml/{connection}/accepted", get(authenticate::saml::unasked::accepted))
        .route("/logout", get(leave::pages::ask).post(leave::pages::leave))
        .layer(browser::layer(broker))
        .layer(map_response(browser::removal_counts))
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
        .route("/saml/{connection}/slo", get(leave::saml::by_redirect).post(leave::saml::by_post))
        .layer(DefaultBodyLimit::max(LARGEST_MESSAGE))
}

/// Doors through which applications come.
fn machines() -> Router<Front> {
    Router::new()
        .route("/token", post(issue::api::token))
        .route("/userinfo", get(issue::api::userinfo).post(issue::api::userinfo))
        .route("/jwks.json", get(metadata::jwks))
        .route("/saml/{connection}/metadata", get(saml::metadata))
        .route("/.well-known/openid-configuration", get(metadata::discovery))
        .route("/.well-known/oauth-authorization-server", get(metadata::discovery))
}

fn files() -> Router<Front> {
    Router::new()
        .route("/assets/{*path}", get(assets::file))
        .route("/assets/brand/{file}", get(assets::brand))
        .route("/assets/logo/{id}", get(logos::logo))
}

/// Doors for whoever watches over us: by address, so not only under our own name.
fn watchers(front: &Front) -> Router<Front> {
    let metrics = Router::new()
        .route("/metrics", get(health::metrics))
        .layer(from_fn_with_state(front.clone(), layers::metrics_readers));
    Router::new().route("/healthz", get(health::alive)).route("/readyz", get(health::ready)).merge(metrics)
}

async fn nothing() -> Response {
    reply::problem(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}

async fn wrong_method() -> Response {
    reply::problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this door opens with another method",
    )
}

/// No input should get here; if one does, only its own request fails.
fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a request panicked");
    reply::problem(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "our own failure")
}
