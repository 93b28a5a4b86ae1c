//! What can be done once is done to its end, whether whoever wants it waits for that or not.

use std::future::Future;
use std::time::Duration;

use tracing::Instrument;

use super::answered::give_up;
use crate::foundation::id::FlowId;
use crate::foundation::secret::Digest;
use crate::web::reply::{Fault, Response};
use crate::web::visitor::Visitor;

/// Does what comes of something that was brought to this flow and is used up now.
pub async fn once(
    visitor: &Visitor,
    (flow, brought): (FlowId, Option<Digest>),
    work: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let of_work = visitor.clone();
    let work = async move {
        let response = work.await;
        // Whatever it came to without saying so: nobody is to wait for it.
        give_up(&of_work, flow, brought).await;
        response
    };
    to_its_end(visitor, work).await
}

/// Does what can be done once, whether whoever wants it waits for that or not: a browser that loads a page again, or whose
/// person presses twice, gives up the first request.
pub async fn to_its_end(
    visitor: &Visitor,
    work: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let broker = visitor.broker();
    let (running, most) = (broker.runs(), Duration::from_secs(broker.config.server.request_timeout));
    let work = async move {
        let _running = running;
        tokio::time::timeout(most, work).await
    };
    match tokio::spawn(work.in_current_span()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => visitor.fault(&Fault::Other("a login took too long"), None).await,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => visitor.fault(&Fault::Other("a login was given up"), None).await,
        },
    }
}
