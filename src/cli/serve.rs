//! `behalf serve`

use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Error;
use super::certified::Certified;
use super::limited::Limited;
use super::tls::{self, Tls};
use crate::broker::{Broker, StartError};
use crate::chores;
use crate::config::Config;
use crate::egress::collector::Collector;
use crate::egress::http::Http;
use crate::foundation::clock::Clock;
use crate::foundation::random::Random;
use crate::router;
use crate::store::durable::engine::Database;
use crate::store::ephemeral::Kind;
use crate::telemetry;
use crate::web::layers::LARGEST_HEAD;
use crate::web::templates::Templates;

pub async fn run(config: Config) -> Result<ExitCode, Error> {
    let collector = config.telemetry.otlp_endpoint.as_ref().map(|_| Http::new(&config.egress).map(Collector));
    let telemetry = telemetry::init(&config.telemetry, collector.transpose()?)?;
    let handle = Handle::new();
    // Whoever renews a certificate at this very moment must not end us.
    let _heard = tls::hangups()?;
    let _only = Database::only_server(&config.database).map_err(StartError::Store)?;
    let broker = Broker::start(config, Clock::System, Random::System).await?;
    let stop = tokio::spawn(stop_on_signal(broker.clone(), handle.clone()));
    let served = serve(&broker, handle).await;
    stop.abort();
    telemetry.shutdown().await;
    served.map(|()| ExitCode::SUCCESS)
}

/// Serves until the handle is told to stop.
pub async fn serve(broker: &Broker, handle: Handle<SocketAddr>) -> Result<(), Error> {
    let settings = &broker.config.server;
    let templates = Arc::new(
        Templates::new(broker.config.pages.templates.as_deref())
            .map_err(|error| format!("pages.templates: {error}"))?,
    );
    for warning in templates.warnings() {
        tracing::warn!("{warning}");
    }
    let chores = tokio::spawn(chores::run(broker.clone(), Arc::clone(&templates)));
    let house = router::house(broker, templates);
    let service = house.into_make_service_with_connect_info::<SocketAddr>();
    let tls = Tls::open(&broker.config).await?;
    tls::expiry(broker, tls.as_ref());
    let renewals = tokio::spawn(tls::renew(broker.clone(), tls.clone(), tls::hangups()?));
    let listener = std::net::TcpListener::bind(settings.listen)
        .map_err(|error| format!("server.listen: {}: {error}", settings.listen))?;
    listener.set_nonblocking(true)?;
    tracing::info!(address = %listener.local_addr()?, public_url = %broker.origin, database = broker.db.engine(), "serving");
    let timeout = Duration::from_secs(settings.header_timeout);
    let limit = Limited::new(settings.max_connections, timeout);
    let served = match tls {
        Some(tls) => {
            let server = axum_server::from_tcp_rustls(listener, tls.config)?;
            let mut server = server.map(|tls| limit.around(Certified(tls))).handle(handle);
            limits(server.http_builder(), timeout);
            server.serve(service).await
        }
        None => {
            let mut server = axum_server::from_tcp(listener)?.map(|plain| limit.around(plain)).handle(handle);
            limits(server.http_builder(), timeout);
            server.serve(service).await
        }
    };
    chores.abort();
    renewals.abort();
    if let Err(error) = chores::connections::settle(broker).await {
        tracing::error!(%error, "how sign-ins ended could not be written down");
    }
    Ok(served?)
}

/// What one connection may ask of us (threats M10). One that only waits is asked whether anybody is there.
fn limits(builder: &mut Builder<TokioExecutor>, header_timeout: Duration) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(LARGEST_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(header_timeout)
        .keep_alive_timeout(header_timeout)
        .max_concurrent_streams(100)
        .max_header_list_size(32 * 1024);
}

async fn stop_on_signal(broker: Broker, handle: Handle<SocketAddr>) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return tracing::error!("signals cannot be heard: only a kill will stop this process");
    };
    let (tell, told) = mpsc::channel(2);
    let hear = async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if tell.send(()).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(hear, stop_when(broker, handle, told));
}

/// Stops when it is `told`. First the load balancer learns, by `/readyz`, to send nobody new, while people who are on
/// their way finish; then new connections are refused, and running requests have the rest of the patience. Told once
/// more, it stops at once.
pub async fn stop_when(broker: Broker, handle: Handle<SocketAddr>, mut told: mpsc::Receiver<()>) {
    told.recv().await;
    broker.stop();
    let patience = Duration::from_secs(broker.config.server.shutdown_timeout);
    let mut ends = pin!(tokio::time::sleep(patience));
    tracing::info!(
        logins = broker.ephemeral.held(Kind::LoginFlow),
        "stopping when running logins have ended; once more to stop now"
    );
    // Somebody who has left a login open in a tab must not take all the time from requests that are running.
    let logins = tokio::time::timeout(patience - patience / 4, logins_have_ended(&broker));
    tokio::select! {
        _ = logins => handle.graceful_shutdown(None),
        _ = told.recv() => return handle.shutdown(),
    }
    tokio::select! {
        () = &mut ends => {}
        _ = told.recv() => {}
    }
    handle.shutdown();
}

const GLANCE: Duration = Duration::from_millis(100);
/// How long nothing may happen before the last login has ended: an application that has just been given a code comes
/// for its tokens.
const QUIET: Duration = Duration::from_secs(1);

async fn logins_have_ended(broker: &Broker) {
    let mut quiet = Duration::ZERO;
    while quiet < QUIET {
        tokio::time::sleep(GLANCE).await;
        broker.ephemeral.sweep();
        // A login that has come back from its provider is in no store while its request runs.
        let busy = broker.ephemeral.held(Kind::LoginFlow) > 0 || broker.running() > 0;
        quiet = if busy { Duration::ZERO } else { quiet + GLANCE };
    }
}
