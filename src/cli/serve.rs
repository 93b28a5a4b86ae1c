//! `behalf serve`

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use tokio::signal::unix::{SignalKind, signal};

use super::Error;
use crate::broker::Broker;
use crate::chores;
use crate::config::Config;
use crate::egress::collector::Collector;
use crate::egress::http::Http;
use crate::foundation::clock::Clock;
use crate::foundation::random::Random;
use crate::router;
use crate::telemetry;
use crate::web::templates::Templates;

pub async fn run(config: Config) -> Result<ExitCode, Error> {
    let collector = config.telemetry.otlp_endpoint.as_ref().map(|_| Http::new(&config.egress).map(Collector));
    let telemetry = telemetry::init(&config.telemetry, collector.transpose()?)?;
    let handle = Handle::new();
    let broker = Broker::open(config, Clock::System, Random::System).await?;
    let stop = tokio::spawn(stop_on_signal(handle.clone(), broker.config.server.shutdown_timeout));
    let served = serve(&broker, handle).await;
    stop.abort();
    telemetry.shutdown().await;
    served.map(|()| ExitCode::SUCCESS)
}

/// Serves until the handle is told to stop.
pub async fn serve(broker: &Broker, handle: Handle<SocketAddr>) -> Result<(), Error> {
    let settings = &broker.config.server;
    let templates = Arc::new(Templates::new(broker.config.pages.templates.as_deref())?);
    let chores = tokio::spawn(chores::run(broker.clone()));
    let house = router::house(broker, templates);
    let service = house.into_make_service_with_connect_info::<SocketAddr>();
    let listener = std::net::TcpListener::bind(settings.listen)?;
    listener.set_nonblocking(true)?;
    tracing::info!(address = %listener.local_addr()?, public_url = %broker.origin, database = broker.db.engine(), "serving");
    let timeout = Duration::from_secs(settings.header_timeout);
    let served = match (&settings.tls_certificate, &settings.tls_key) {
        (Some(certificate), Some(key)) => {
            let tls = RustlsConfig::from_pem_file(certificate, key).await?;
            let mut server = axum_server::from_tcp_rustls(listener, tls)?.handle(handle);
            server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(timeout);
            server.http_builder().http2().max_concurrent_streams(100).max_header_list_size(32 * 1024);
            server.serve(service).await
        }
        _ => {
            let mut server = axum_server::from_tcp(listener)?.handle(handle);
            server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(timeout);
            server.http_builder().http2().max_concurrent_streams(100).max_header_list_size(32 * 1024);
            server.serve(service).await
        }
    };
    chores.abort();
    Ok(served?)
}

/// New connections are refused at once; running requests may finish.
async fn stop_on_signal(handle: Handle<SocketAddr>, seconds: u64) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return tracing::error!("signals cannot be heard: only a kill will stop this process");
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    handle.graceful_shutdown(Some(Duration::from_secs(seconds)));
}
