//! Lets the exporter of traces speak through the guarded client: where it goes, the operator wrote.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError};

use super::http::{Destination, Http, Request};

/// The way to the operator's OpenTelemetry collector, which may be private and at plain `http`.
#[derive(Clone, Debug)]
pub struct Collector(pub Http);

impl HttpClient for Collector {
    // What `async_trait` would write.
    fn send_bytes<'life, 'send>(
        &'life self,
        request: http::Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, HttpError>> + Send + 'send>>
    where
        'life: 'send,
        Self: 'send,
    {
        Box::pin(async move {
            let request = Request::from_http(request.map(Vec::from), Destination::Operator)?;
            // The address is the operator's, and so is the log.
            let answer = self.0.send(request).await.map_err(|error| error.explained())?;
            Ok(answer.into_http().map(Bytes::from))
        })
    }
}
