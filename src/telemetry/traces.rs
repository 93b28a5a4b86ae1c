//! Traces: spans of our own rooms, sent in batches by OTLP over HTTP.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry::{KeyValue, Value};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::runtime;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use opentelemetry_sdk::{Resource, trace};
use tracing::Subscriber;
use tracing::instrument::WithSubscriber;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use super::TelemetryError;

/// Starts the task that sends; `endpoint` is the base URL of a collector.
pub(super) fn provider(
    endpoint: &Url,
    client: impl HttpClient + 'static,
) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Sender { client, failing: AtomicBool::new(false) })
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/')))
        .build()
        .map_err(|error| TelemetryError::Exporter(error.to_string()))?;
    let resource = Resource::builder_empty()
        .with_service_name("behalf")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let processor = BatchSpanProcessor::builder(NamedByRoute(exporter), runtime::Tokio).build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_span_processor(processor).build())
}

/// Only our own spans, and none more detailed than `info`: what libraries say may hold what they were given.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("behalf"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(Targets::new().with_target("behalf", LevelFilter::INFO))
}

/// Sends without tracing what it does (that would make a trace of every trace), and says in the log when
/// the collector stops and starts taking them.
struct Sender<C> {
    client: C,
    failing: AtomicBool,
}

impl<C> fmt::Debug for Sender<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl<C: HttpClient> HttpClient for Sender<C> {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Answer<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let answer = self.client.send_bytes(request).with_subscriber(NoSubscriber::default()).await;
            match &answer {
                Ok(answer) if answer.status().is_success() => self.tell(None),
                Ok(answer) => self.tell(Some(&answer.status())),
                Err(error) => self.tell(Some(error)),
            }
            answer
        })
    }
}

impl<C> Sender<C> {
    fn tell(&self, problem: Option<&dyn fmt::Display>) {
        let before = self.failing.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(problem) if !before => tracing::warn!(%problem, "the collector does not take traces"),
            None if before => tracing::info!("the collector takes traces again"),
            _ => {}
        }
    }
}

/// Gives the spans of requests the names and kinds that collectors expect, which logs need not repeat.
#[derive(Debug)]
struct NamedByRoute<E>(E);

impl<E: trace::SpanExporter> trace::SpanExporter for NamedByRoute<E> {
    fn export(&self, mut batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        batch.iter_mut().for_each(name_by_route);
        self.0.export(batch)
    }
    fn shutdown(&self) -> OTelSdkResult {
        self.0.shutdown()
    }
    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn name_by_route(span: &mut SpanData) {
    if span.name != "request" {
        return;
    }
    let attribute =
        |name| span.attributes.iter().find(|pair| pair.key.as_str() == name).map(|pair| &pair.value);
    let name = match (attribute("method"), attribute("route")) {
        (Some(method), Some(route)) => format!("{} {}", method.as_str(), route.as_str()),
        _ => return,
    };
    if let Some(Value::I64(500..)) = attribute("status") {
        span.status = Status::error("");
    }
    span.name = name.into();
    span.span_kind = SpanKind::Server;
}
