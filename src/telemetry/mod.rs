//! Telling the operator: logs on stderr, metrics to read, traces to a collector. Set up once.
//!
//! Nothing here runs while the house is idle, except a timer of the exporter if a collector is configured.

pub mod logs;
pub mod metrics;
pub mod names;
pub mod request;
mod traces;

use opentelemetry_http::HttpClient;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use crate::config;
use crate::foundation::clock::Clock;

pub use metrics::metrics_text;
pub use request::{answered, request_span};

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("telemetry.log_filter: {0}")]
    Filter(String),
    #[error("telemetry.otlp_endpoint is set but there is no client to send traces with")]
    NoClient,
    #[error("telemetry.otlp_endpoint: {0}")]
    Exporter(String),
}

/// Holds what must be flushed before the process ends; see [`Telemetry::shutdown`].
#[derive(Debug)]
#[must_use = "traces that are not flushed are lost"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Sets up logs, metrics and traces for the whole process. Must run inside a tokio runtime if a collector
/// is configured; `client` sends to it. Where a process (a test) sets up twice, the first one's logs stay.
///
/// # Errors
/// A filter that cannot be read; a collector without a client or with an unusable address.
pub fn init(
    settings: &config::Telemetry,
    client: Option<impl HttpClient + 'static>,
) -> Result<Telemetry, TelemetryError> {
    let (subscriber, telemetry) = subscriber(settings, client, std::io::stderr)?;
    // Refused when one is already in place, which only a test does.
    let _ = subscriber.try_init();
    metrics::install();
    names::process_started(Clock::System.now());
    Ok(telemetry)
}

/// What [`init`] makes global, with the log going to `writer`: for tests that listen alone.
///
/// # Errors
/// As [`init`].
pub fn subscriber<C, W>(
    settings: &config::Telemetry,
    client: Option<C>,
    writer: W,
) -> Result<(impl tracing::Subscriber + Send + Sync + use<C, W>, Telemetry), TelemetryError>
where
    C: HttpClient + 'static,
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = filter(settings)?;
    let traces = match (&settings.otlp_endpoint, client) {
        (None, _) => None,
        (Some(_), None) => return Err(TelemetryError::NoClient),
        (Some(endpoint), Some(client)) => Some(traces::provider(endpoint, client)?),
    };
    let subscriber = Registry::default()
        .with(logs::layer(settings.log_format, filter, writer))
        .with(traces.as_ref().map(traces::layer));
    Ok((subscriber, Telemetry { traces }))
}

/// Reads `telemetry.log_filter`; `behalf check` asks the same.
///
/// # Errors
/// [`TelemetryError::Filter`] says which directive cannot be read.
pub fn filter(settings: &config::Telemetry) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder()
        .parse(&settings.log_filter)
        .map_err(|error| TelemetryError::Filter(error.to_string()))
}

impl Telemetry {
    /// Sends the traces that are still waiting, then stops sending. Returns at once if there are none; a
    /// collector that does not answer holds it up for as long as the exporter waits (10 seconds).
    pub async fn shutdown(self) {
        let Some(traces) = self.traces else { return };
        // The exporter blocks its caller, and its own task must be able to run meanwhile.
        let stopped = tokio::task::spawn_blocking(move || traces.shutdown()).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}
