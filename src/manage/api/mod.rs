//! The administration API: a fold over one table of routes.

pub mod openapi;
pub mod page;
mod place;
mod reference;
pub mod route;
pub mod routes;
mod serve;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::routing::{MethodFilter, MethodRouter, get, on};

use crate::web::front::Front;
use routes::ROUTES;

/// Where everything begins, below a project's issuer; also the audience of access tokens for it.
pub const BASE: &str = crate::protocol::problem::API;

/// All doors.
pub fn doors() -> Router<Front> {
    let document = Router::new()
        .route(&format!("{BASE}/openapi.json"), get(openapi::document))
        .route(&format!("{BASE}/docs"), get(reference::reference))
        .route(&format!("{BASE}/problems"), get(reference::problems));
    ROUTES.iter().fold(document, |router, route| {
        let serve = route.serve;
        let filter = MethodFilter::try_from(route.method.clone());
        let door: MethodRouter<Front> = match filter {
            Ok(filter) => on(filter, async move |front: axum::extract::State<Front>, request: Request| {
                serve(front.0, request).await
            }),
            Err(_) => MethodRouter::new(),
        };
        let door = match route.largest {
            Some(most) => door.layer(DefaultBodyLimit::max(most)),
            None => door,
        };
        router.route(&format!("{BASE}{}", route.path), door)
    })
}
