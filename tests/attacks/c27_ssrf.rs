//! C27: an address that a customer writes leads nowhere inside. A canary listens inside and counts.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use behalf::config;
use behalf::egress::guard::Guard;
use behalf::egress::http::{Destination, EgressError, Http, Request};
use behalf::egress::names::{FixedNames, Names};
use openidconnect::AsyncHttpClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::house::ports::free_port;

/// Everything but the address is allowed, so that the address alone decides.
const ADDRESS_ONLY: Guard = Guard { plain_http: true, any_port: true, ports: Vec::new(), loopback: false };

/// Inside, in every spelling that is known to have fooled somebody.
const LITERALS: &[&str] = &[
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "127.0.0.1.",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7F.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.0.0.01",
    "0x7f.1",
    "127.0x1",
    "00000177.0.0.1",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "１２７.０.０.１",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "0",
    "0.0.0.0",
    "0x0",
    "0.0.0.1",
    "00",
    "10.0.0.1",
    "10.255.255.255",
    "167772161",
    "0xa000001",
    "012.0.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "100.100.100.200",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "0251.254.169.254",
    "169.254.43518",
    "169.16689662",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.65535",
    "3232235521",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "4294967295",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:0001]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:10.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:7f00:1::]",
    "[2001::1]",
    "[2001:db8::1]",
    "[100::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[::1%25lo]",
];

/// Names and what they resolve to; a mixed answer is refused for its one bad address.
const NAMES: &[(&str, &[&str])] = &[
    ("localhost", &["127.0.0.1", "::1"]),
    ("localhost.", &["127.0.0.1"]),
    ("127.0.0.1.nip.test", &["127.0.0.1"]),
    ("v6.test", &["::1"]),
    ("mapped.test", &["::ffff:127.0.0.1"]),
    ("private.test", &["10.0.0.1"]),
    ("metadata.test", &["169.254.169.254"]),
    ("nat64.test", &["64:ff9b::7f00:1"]),
    ("zero.test", &["0.0.0.0"]),
    ("mixed-last.test", &["2d00::1", "127.0.0.1"]),
    ("mixed-first.test", &["127.0.0.1", "2d00::1"]),
    (
        "mixed-tenth.test",
        &[
            "2d00::1", "2d00::2", "2d00::3", "2d00::4", "2d00::5", "2d00::6", "2d00::7", "2d00::8",
            "2d00::9", "::1",
        ],
    ),
    ("alias-to-localhost.test", &["127.0.0.1"]),
];

#[tokio::test]
async fn c27_no_spelling_of_an_inner_address_reaches_the_canary() {
    let canary = Canary::start(Manner::Greets).await;
    let strict = http(Guard::default(), names());
    let address_only = http(ADDRESS_ONLY, names());
    let hosts: Vec<_> = LITERALS.iter().copied().chain(NAMES.iter().map(|(name, _)| *name)).collect();
    assert!(hosts.len() >= 80);
    for host in hosts {
        forbidden(&address_only, &format!("http://{host}:{}/jwks?a=b", canary.port)).await;
        forbidden(&address_only, &format!("https://{host}:{}/", canary.port)).await;
        forbidden(&strict, &format!("https://{host}/")).await;
    }
    assert_eq!(canary.hits(), 0);
}

#[tokio::test]
async fn c27_scheme_port_and_user_are_refused_before_a_name_is_looked_up() {
    let canary = Canary::start(Manner::Greets).await;
    let asked = FixedNames::default().with("idp.test", &ips(&["2d00::1"]));
    let strict = http(Guard::default(), asked.clone());
    let port = canary.port;
    let urls = [
        "http://idp.test/",
        "http://idp.test:443/",
        "https://idp.test:80/",
        "https://idp.test:22/",
        "https://idp.test:8443/",
        &format!("https://idp.test:{port}/"),
        "https://ann@idp.test/",
        "https://ann:word@idp.test/",
        "https://:word@idp.test/",
        &format!("https://idp.test@127.0.0.1:{port}/"),
        &format!("https://idp.test:443@127.0.0.1:{port}/"),
        &format!("https://127.0.0.1:{port}\\@idp.test/"),
        &format!("https://127.0.0.1:{port}#@idp.test/"),
        &format!("https:127.0.0.1:{port}/"),
        "ftp://idp.test/",
        "gopher://idp.test/",
        "file:///etc/passwd",
        "data:text/plain,x",
        "unix:/run/x.sock",
    ];
    for url in urls {
        forbidden(&strict, url).await;
    }
    assert_eq!((canary.hits(), asked.asked("idp.test")), (0, 0));
}

#[tokio::test]
async fn c27_a_name_is_asked_once_and_the_judged_answer_is_the_one_used() {
    let canary = Canary::start(Manner::Greets).await;
    // Nobody is at 2d00::1: the range is not given out. The second answer must never be asked for.
    let flips =
        FixedNames::default().with("flips.test", &ips(&["2d00::1"])).with("flips.test", &ips(&["127.0.0.1"]));
    let address_only = http(ADDRESS_ONLY, flips.clone());
    let url = format!("http://flips.test:{}/", canary.port);
    assert!(get(&address_only, &url).await.is_err());
    assert_eq!((canary.hits(), flips.asked("flips.test")), (0, 1));
    forbidden(&address_only, &url).await;
    assert_eq!((canary.hits(), flips.asked("flips.test")), (0, 2));
}

#[tokio::test]
async fn c27_a_judged_answer_is_pinned_for_its_connection() {
    let canary = Canary::start(Manner::Greets).await;
    let flips = FixedNames::default()
        .with("flips.test", &ips(&["127.0.0.1"]))
        .with("flips.test", &ips(&["169.254.169.254"]));
    let open = http(Guard::new(&development()), flips.clone());
    let url = format!("http://flips.test:{}/", canary.port);
    assert_eq!(get(&open, &url).await.unwrap().status, 200);
    assert_eq!((canary.hits(), flips.asked("flips.test")), (1, 1));
    forbidden(&open, &url).await;
    assert_eq!(canary.hits(), 1);
}

#[tokio::test]
async fn c27_a_redirect_is_an_answer_and_not_followed() {
    let canary = Canary::start(Manner::Greets).await;
    let inside = format!("http://127.0.0.1:{}/", canary.port);
    let provider = Canary::start(Manner::Sends(format!(
        "HTTP/1.1 302 Found\r\nlocation: {inside}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )))
    .await;
    let response = get(&http(Guard::new(&development()), names()), &provider.url()).await.unwrap();
    assert_eq!(response.status, 302);
    assert_eq!((provider.hits(), canary.hits()), (1, 0));
}

#[tokio::test]
async fn c27_in_development_loopback_works_and_the_rest_of_the_inside_does_not() {
    let canary = Canary::start(Manner::Greets).await;
    let open = http(Guard::new(&development()), names());
    assert_eq!(get(&open, &canary.url()).await.unwrap().body, b"hello");
    let by_name = format!("http://localhost:{}/", canary.port);
    assert_eq!(get(&open, &by_name).await.unwrap().body, b"hello");
    assert_eq!(canary.hits(), 2);
    let outside_loopback = [
        "10.0.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "[::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "private.test",
        "metadata.test",
        "mapped.test",
        "zero.test",
    ];
    for host in outside_loopback {
        forbidden(&open, &format!("http://{host}:{}/", canary.port)).await;
    }
    forbidden(&open, &format!("http://ann@127.0.0.1:{}/", canary.port)).await;
    assert_eq!(canary.hits(), 2);
}

#[tokio::test]
async fn c27_open_closed_and_silent_ports_look_alike() {
    let open = http(Guard::new(&development()), names());
    let closed = format!("http://127.0.0.1:{}/", free_port());
    let silent = Canary::start(Manner::Silent).await;
    let hangs_up = Canary::start(Manner::Sends(String::new())).await;
    let banner = Canary::start(Manner::Sends("SSH-2.0-x\r\n\r\n".into())).await;
    let no_tls = Canary::start(Manner::Sends("HTTP/1.1 400 Bad Request\r\n\r\n".into())).await;
    let unknown = "http://unknown.test/".to_owned();
    let inside = "http://10.0.0.1/".to_owned();
    let tls = no_tls.url().replace("http:", "https:");
    let urls = [closed, silent.url(), hangs_up.url(), banner.url(), tls, unknown, inside];
    let mut reasons = Vec::new();
    for url in urls {
        let error = open.send(hurried(&url)).await.unwrap_err();
        assert_eq!(error.to_string(), EgressError::Timeout.public());
        assert_eq!(error.public(), EgressError::Timeout.public());
        reasons.push(error.reason());
    }
    let expected = ["connect", "timeout", "protocol", "protocol", "tls", "unresolvable", "forbidden"];
    assert_eq!(reasons, expected);
}

#[tokio::test]
async fn h20_hostile_bodies_are_cut() {
    let open = http(Guard::new(&development()), names());
    let endless = Canary::start(Manner::Endless).await;
    assert!(matches!(get(&open, &endless.url()).await, Err(EgressError::TooLarge)));
    let drip = Canary::start(Manner::Drip).await;
    assert!(matches!(open.send(hurried(&drip.url())).await, Err(EgressError::Timeout)));
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n";
    let announced = Canary::start(Manner::Sends(announced.into())).await;
    assert!(matches!(get(&open, &announced.url()).await, Err(EgressError::TooLarge)));
    let headers = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(1000));
    let headers = Canary::start(Manner::Sends(headers)).await;
    assert!(matches!(get(&open, &headers.url()).await, Err(EgressError::Protocol(_))));
    let packed = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f__\x08";
    let packed = Canary::start(Manner::Sends(packed.into())).await;
    assert_eq!(get(&open, &packed.url()).await.unwrap().body, b"\x1f__\x08");
}

#[tokio::test]
async fn h20_the_limit_of_a_body_is_exact() {
    let open = http(Guard::new(&development()), names());
    let server = Canary::start(Manner::Greets).await;
    let url = Url::parse(&server.url()).unwrap();
    assert_eq!(open.send(Request::get(url.clone()).limit(5)).await.unwrap().body, b"hello");
    assert!(matches!(open.send(Request::get(url).limit(4)).await, Err(EgressError::TooLarge)));
}

#[tokio::test]
async fn c27_the_openid_client_is_guarded_and_the_operator_is_not() {
    let canary = Canary::start(Manner::Greets).await;
    let strict = http(Guard::default(), names());
    let request = http::Request::get(canary.url()).body(Vec::new()).unwrap();
    let refused = strict.call(request).await.unwrap_err();
    assert!(matches!(refused, EgressError::Forbidden(_)));
    assert_eq!(canary.hits(), 0);
    let operators = Request::get(Url::parse(&canary.url()).unwrap()).to(Destination::Operator);
    assert_eq!(strict.send(operators).await.unwrap().status, 200);
    let collector = behalf::egress::collector::Collector(strict);
    let trace = http::Request::post(canary.url()).body(bytes::Bytes::from_static(b"spans")).unwrap();
    let answer = opentelemetry_http::HttpClient::send_bytes(&collector, trace).await.unwrap();
    assert_eq!(answer.body().as_ref(), b"hello");
    assert_eq!(canary.hits(), 2);
}

#[tokio::test]
async fn m09_an_error_tells_nothing_of_the_request_or_of_the_answer() {
    let open = http(Guard::new(&development()), names());
    let server = Canary::start(Manner::Sends("hunter2 hunter2\r\n\r\n".into())).await;
    let url = Url::parse(&format!("{}?code=hunter2", server.url())).unwrap();
    let error = open.send(Request::post_form(url, &[("secret", "hunter2")])).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

fn development() -> config::Egress {
    config::Egress { allow_loopback_and_http: true, connect_timeout: 2, ..Default::default() }
}

fn http(guard: Guard, names: FixedNames) -> Http {
    Http::guarded(&development(), guard, Names::Fixed(names)).unwrap()
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn names() -> FixedNames {
    NAMES.iter().fold(FixedNames::default(), |names, (name, answer)| names.with(name, &ips(answer)))
}

async fn get(http: &Http, url: &str) -> Result<behalf::egress::http::Response, EgressError> {
    http.send(Request::get(Url::parse(url).unwrap())).await
}

/// A request that waits for a second at most.
fn hurried(url: &str) -> Request {
    Request::get(Url::parse(url).unwrap()).timeout(Duration::from_secs(1))
}

/// Refused by the guard, with the words that everybody hears; or not even an address.
async fn forbidden(http: &Http, url: &str) {
    let Ok(parsed) = Url::parse(url) else { return };
    let error = http.send(Request::get(parsed)).await.expect_err(url);
    assert!(matches!(error, EgressError::Forbidden(_)), "{url}: {error:?}");
    assert_eq!(error.to_string(), EgressError::Timeout.public());
}

/// How a server inside behaves.
#[derive(Clone)]
enum Manner {
    Greets,
    Sends(String),
    Silent,
    Endless,
    Drip,
}

/// A server on loopback that counts every connection, whatever comes over it.
struct Canary {
    port: u16,
    hits: Arc<AtomicUsize>,
}

impl Canary {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let hits = Arc::new(AtomicUsize::new(0));
        serve(listener, manner.clone(), hits.clone());
        // The same port at loopback's other address, where the machine has it.
        if let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            serve(listener, manner, hits.clone());
        }
        Self { port, hits }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

fn serve(listener: TcpListener, manner: Manner, hits: Arc<AtomicUsize>) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            hits.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(behave(stream, manner.clone()));
        }
    });
}

async fn behave(mut stream: TcpStream, manner: Manner) -> std::io::Result<()> {
    let _ = stream.read(&mut [0; 4096]).await?;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    match manner {
        Manner::Greets => stream.write_all(format!("{head}content-length: 5\r\n\r\nhello").as_bytes()).await,
        Manner::Sends(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await?;
            // Closing with something unread would reset the connection before the text is read.
            while stream.read(&mut [0; 4096]).await? > 0 {}
            Ok(())
        }
        Manner::Silent => std::future::pending().await,
        Manner::Endless => {
            stream.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await?;
            loop {
                stream.write_all(format!("10000\r\n{}\r\n", "x".repeat(0x10000)).as_bytes()).await?;
            }
        }
        Manner::Drip => {
            stream.write_all(format!("{head}\r\n").as_bytes()).await?;
            let mut drops = tokio::time::interval(Duration::from_millis(100));
            loop {
                drops.tick().await;
                stream.write_all(b"x").await?;
            }
        }
    }
}
