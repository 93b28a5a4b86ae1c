//! What every step begins with that somebody takes within a login.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::answer_in;
use super::flow::Journey;
use crate::web::front::Front;
use crate::web::visitor::Visitor;

/// The flow that the address names, for the browser that holds it; whoever does not is told that it is over, and the way back.
#[derive(Debug)]
pub struct InFlow(pub Journey);

impl FromRequestParts<Front> for InFlow {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, front).await?;
        let flow = Path::<String>::from_request_parts(parts, front).await;
        let Path(flow) = flow.map_err(IntoResponse::into_response)?;
        match Journey::find(&visitor, &flow).await {
            Ok(journey) => Ok(Self(journey)),
            Err(stop) => Err(answer_in(&visitor, &flow, Err(stop)).await),
        }
    }
}
