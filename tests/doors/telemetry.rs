//! What the operator is told: logs, metrics and traces.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use behalf::config;
use behalf::telemetry::{self, TelemetryError, names};
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::sync::Notify;
use tracing::Subscriber;

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

/// A client as plain as can be; it traces what it does, as the house's own one would.
#[derive(Debug)]
struct Plain(reqwest::Client);

impl HttpClient for Plain {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Answer<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            tracing::info_span!(target: "behalf", "the_exporter_itself").in_scope(|| ());
            let (parts, body) = request.into_parts();
            let sent = self.0.post(parts.uri.to_string()).headers(parts.headers).body(body).send().await?;
            let mut answer = Response::new(Bytes::new());
            *answer.status_mut() = sent.status();
            *answer.body_mut() = sent.bytes().await?;
            Ok(answer)
        })
    }
}

fn client() -> Option<Plain> {
    Some(Plain(reqwest::Client::new()))
}

const NO_CLIENT: Option<Plain> = None;

/// What was written, for a test to read.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn settings(log_format: config::LogFormat, log_filter: &str) -> config::Telemetry {
    config::Telemetry { log_format, log_filter: log_filter.into(), ..Default::default() }
}

fn logged(settings: &config::Telemetry, events: impl FnOnce()) -> String {
    let paper = Paper::default();
    let writer = paper.clone();
    let (subscriber, _guard) = telemetry::subscriber(settings, NO_CLIENT, move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, events);
    paper.text()
}

const NASTY: &str = "ann\r\nERROR forged\u{1b}[2J\u{9b}31m\u{7f}\u{0}\u{202e}\u{2028}\t";

struct Nasty;

impl fmt::Display for Nasty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NASTY)
    }
}

fn say_nasty_things() {
    let span = telemetry::request_span("GET", Some(NASTY), NASTY);
    span.in_scope(|| tracing::info!(name = NASTY, shown = %Nasty, debugged = ?NASTY, "{NASTY}"));
}

fn assert_one_harmless_line(text: &str) {
    assert_eq!(text.lines().count(), 1, "{text:?}");
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains(|c: char| c.is_control() || "\u{202e}\u{2028}".contains(c)), "{line:?}");
}

#[test]
fn m08_a_name_with_control_characters_stays_on_one_line_of_text() {
    let text = logged(&settings(config::LogFormat::Text, "info"), say_nasty_things);
    assert_one_harmless_line(&text);
}

#[test]
fn m08_a_name_with_control_characters_stays_on_one_line_of_json_and_means_the_same() {
    let text = logged(&settings(config::LogFormat::Json, "info"), say_nasty_things);
    assert_one_harmless_line(&text);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    for value in [&line["message"], &line["name"], &line["shown"], &line["span"]["request_id"]] {
        assert_eq!(value, NASTY);
    }
    assert_eq!(line["span"]["name"], "request");
}

#[test]
fn the_filter_says_what_is_logged_and_a_wrong_one_is_refused() {
    let text = logged(&settings(config::LogFormat::Text, "warn,behalf=debug"), || {
        tracing::info!(target: "stranger", "hidden");
        tracing::debug!(target: "behalf::login", "shown");
    });
    assert!(text.contains("shown") && !text.contains("hidden"), "{text}");
    let wrong = settings(config::LogFormat::Text, "info,behalf=loudly");
    let error = telemetry::filter(&wrong).unwrap_err();
    assert!(matches!(error, TelemetryError::Filter(_)));
    assert!(error.to_string().starts_with("telemetry.log_filter: "), "{error}");
}

#[test]
fn m09_a_request_is_logged_by_its_route_alone() {
    let text = logged(&settings(config::LogFormat::Json, "info"), || {
        let span = telemetry::request_span("BREW", None, "req_1");
        telemetry::answered(&span, 404);
        span.in_scope(|| tracing::info!("answered"));
    });
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expect = serde_json::json!({
        "name": "request", "method": "other", "route": "unmatched", "request_id": "req_1", "status": 404
    });
    assert_eq!(line["span"], expect);
}

#[derive(Clone, Default)]
struct Collector {
    requests: Arc<Mutex<Vec<(String, String, Bytes)>>>,
    took: Arc<Notify>,
}

impl Collector {
    async fn open(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/")
    }
    fn taken(&self) -> Vec<(String, String, Bytes)> {
        self.requests.lock().unwrap().clone()
    }
}

async fn take(State(collector): State<Collector>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let kind = headers["content-type"].to_str().unwrap().to_owned();
    collector.requests.lock().unwrap().push((uri.to_string(), kind, body));
    collector.took.notify_one();
    StatusCode::OK
}

fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

fn tracing_to(endpoint: &str) -> config::Telemetry {
    config::Telemetry { otlp_endpoint: Some(endpoint.parse().unwrap()), ..Default::default() }
}

/// On one thread, where waiting in the wrong place would stand still for ever.
#[tokio::test]
async fn a_span_reaches_the_collector_before_the_process_ends() {
    let collector = Collector::default();
    let settings = tracing_to(&collector.open().await);
    let (subscriber, guard) = telemetry::subscriber(&settings, client(), io::sink).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let span = telemetry::request_span("GET", Some("/o/{organization}"), "req_7");
        span.in_scope(|| tracing::info_span!(target: "stranger", "of_a_library").in_scope(|| ()));
        telemetry::answered(&span, 503);
    });
    guard.shutdown().await;

    let taken = collector.taken();
    assert_eq!(taken.len(), 1, "one batch, and none about sending it");
    let (path, kind, body) = &taken[0];
    assert_eq!((path.as_str(), kind.as_str()), ("/v1/traces", "application/x-protobuf"));
    for expected in ["service.name", "behalf", "GET /o/{organization}", "req_7", "status"] {
        assert!(holds(body, expected), "{expected} is missing");
    }
    for unwanted in ["the_exporter_itself", "of_a_library"] {
        assert!(!holds(body, unwanted), "{unwanted} was sent");
    }
}

/// As in the house, where the subscriber is everybody's: sending must not trace itself. A full batch is sent
/// at once; what that would have traced would come with the last one.
#[tokio::test]
async fn sending_traces_makes_no_traces() {
    let collector = Collector::default();
    let settings = tracing_to(&collector.open().await);
    let (subscriber, guard) = telemetry::subscriber(&settings, client(), io::sink).unwrap();
    let _everywhere = tracing::subscriber::set_default(subscriber);
    for _ in 0..512 {
        telemetry::request_span("GET", Some("/first"), "req_1").in_scope(|| ());
    }
    collector.took.notified().await;
    telemetry::request_span("GET", Some("/last"), "req_2").in_scope(|| ());
    guard.shutdown().await;
    let taken = collector.taken();
    assert_eq!(taken.len(), 2);
    assert!(holds(&taken[0].2, "/first") && holds(&taken[1].2, "/last"));
    assert!(!holds(&taken[1].2, "the_exporter_itself"));
}

#[tokio::test]
async fn a_collector_that_is_gone_is_told_once_and_does_not_hold_up_the_end() {
    let paper = Paper::default();
    let writer = paper.clone();
    // Nothing listens here: the port was given back.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = tracing_to(&format!("http://{gone}"));
    let (subscriber, guard) = telemetry::subscriber(&settings, client(), move || writer.clone()).unwrap();
    let _everywhere = tracing::subscriber::set_default(subscriber);
    telemetry::request_span("GET", None, "req_1").in_scope(|| ());
    guard.shutdown().await;
    let told = paper.text();
    assert_eq!(told.matches("the collector does not take traces").count(), 1, "{told}");
}

#[tokio::test]
async fn nothing_is_made_for_a_collector_that_is_not_configured() {
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let (_subscriber, guard) =
        telemetry::subscriber(&config::Telemetry::default(), client(), io::sink).unwrap();
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), before);
    guard.shutdown().await;
    let missing = telemetry::subscriber(&tracing_to("http://127.0.0.1:1"), NO_CLIENT, io::sink);
    assert!(matches!(missing.map(|_| ()), Err(TelemetryError::NoClient)));
}

#[test]
fn without_a_collector_details_cost_nothing() {
    let (subscriber, _guard) =
        telemetry::subscriber(&config::Telemetry::default(), NO_CLIENT, io::sink).unwrap();
    assert_eq!(subscriber.max_level_hint(), Some(tracing::level_filters::LevelFilter::INFO));
}

#[test]
fn every_metric_is_told_with_its_description_and_its_labels_alone() {
    let settings = config::Telemetry::default();
    let _first = telemetry::init(&settings, NO_CLIENT).unwrap();
    let _again = telemetry::init(&settings, NO_CLIENT).unwrap();
    record_everything();

    let text = telemetry::metrics_text();
    for metric in names::ALL {
        assert!(
            text.contains(&format!("# HELP {} {}\n", metric.name, metric.description)),
            "{}",
            metric.name
        );
        let line = text.lines().find(|line| line.starts_with(metric.name)).unwrap();
        for label in metric.labels {
            assert!(line.contains(&format!("{label}=\"")), "{line} lacks {label}");
        }
    }
    let expect = [
        "behalf_http_requests_total{method=\"other\",route=\"unmatched\",status=\"4xx\"} ",
        "behalf_http_request_duration_seconds_bucket{method=\"other\",route=\"unmatched\",le=\"0.05\"} ",
        "behalf_logins_refused_total{reason=\"domain_lapsed\"} ",
    ];
    // How many of them is other tests' business too: the recorder is the process's.
    for line in expect {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

fn record_everything() {
    names::http_request("BREW", None, 404, Duration::from_millis(40));
    names::login_started();
    names::login_succeeded();
    names::login_refused("domain_lapsed");
    names::api_refused("not_found");
    names::token_issued("id_token");
    names::family_ended("reused");
    names::signed_out("person", 1);
    names::logout_notice("told");
    names::upstream_request(names::Outcome::TimedOut, Duration::from_secs(9));
    names::audit_failed();
    names::database_statements(1);
    names::signed("RS256");
    names::egress_refused("private_address");
}
