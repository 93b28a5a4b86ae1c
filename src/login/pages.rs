//! What every step begins with that somebody takes within a login.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use tower_sessions::Session;

use super::flow::{self, Again, Came, Journey};
use super::{answer_in, next};
use crate::foundation::secret::Digest;
use crate::foundation::text::is_mistakable;
use crate::model::application::Application;
use crate::model::login::{Arrived, Stage};
use crate::protocol::oauth::params::{Params, append};
use crate::store::durable::engine::StoreError;
use crate::store::durable::organizations;
use crate::web::form::Form;
use crate::web::front::Front;
use crate::web::templates::{About, OwnerName};
use crate::web::visitor::Visitor;

/// What a page shows of an application: it may call itself as it likes, but where it is a customer's, not theirs who run
/// the broker.
pub async fn about(visitor: &Visitor, application: &Application) -> Result<About, StoreError> {
    let about = About::of(application);
    let Some(owner) = application.organization_id else { return Ok(about) };
    let found = organizations::by_id(&mut &visitor.broker().db, visitor.project.id, owner).await?;
    let owner = found.map(|found| OwnerName {
        is_mistakable: is_mistakable(&found.display_name),
        name: found.display_name,
    });
    Ok(About { owner, ..about })
}

/// Somebody, and the flow that the address names, if their browser holds it; otherwise they are told that it is over, and
/// the way back. What is being answered in it they wait for.
pub struct InFlow {
    pub visitor: Visitor,
    pub journey: Journey,
}

impl FromRequestParts<Front> for InFlow {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Response> {
        let (visitor, flow) = named(parts, front).await?;
        let browser = Session::from_request_parts(parts, front).await.map_err(IntoResponse::into_response)?;
        let came = match flow::awaited(&visitor, &browser, &flow).await {
            Came::Answered(answer) => return Err(answer),
            Came::StillRunning => return Err(next::still_running(&visitor, &flow).await),
            came => came,
        };
        let mut found = found(visitor, &flow, None).await?;
        if matches!(came, Came::WithoutSession) {
            found.journey.login.stage = Stage::Arrived(Arrived::default());
        }
        Ok(found)
    }
}

/// The same, and what they have posted: what is no form is told first, whosever flow it is.
pub struct Posted {
    pub visitor: Visitor,
    pub journey: Journey,
    pub params: Params,
}

impl FromRequest<Front> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let (visitor, flow) = named(&mut parts, front).await?;
        let path = parts.uri.path().to_owned();
        let Form(params) = Form::from_request(Request::from_parts(parts, body), front).await?;
        // With the token: whoever does not have it presses something else.
        let pressed = Digest::of(append(&path, params.iter()).as_bytes());
        let InFlow { visitor, journey } = found(visitor, &flow, Some(pressed)).await?;
        Ok(Self { visitor, journey: journey.by_press(pressed), params })
    }
}

async fn named(parts: &mut Parts, front: &Front) -> Result<(Visitor, String), Response> {
    let visitor = Visitor::from_request_parts(parts, front).await?;
    let flow = Path::<String>::from_request_parts(parts, front).await;
    let Path(flow) = flow.map_err(IntoResponse::into_response)?;
    Ok((visitor, flow))
}

async fn found(visitor: Visitor, flow: &str, pressed: Option<Digest>) -> Result<InFlow, Response> {
    let mut found = Journey::find(&visitor, flow).await;
    // Whatever is being done in it: what they have pressed comes after that.
    if pressed.is_some() && found.is_err() && flow::put_back(&visitor, flow).await {
        found = Journey::find(&visitor, flow).await;
    }
    match found {
        Ok(journey) => Ok(InFlow { visitor, journey }),
        Err(stop) => {
            let again = Again { pressed, ..Again::default() };
            Err(answer_in(&visitor, flow, Err(stop), again).await)
        }
    }
}
