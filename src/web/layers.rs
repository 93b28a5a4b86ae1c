//! What is done around every request.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use tracing::Instrument;
use url::{Host, Url};

use super::front::Front;
use super::lost::{self, Told};
use super::reply;
use super::templates::Problem;
use super::visitor::{ProjectSlug, RequestTag, client_address};
use crate::foundation::id::RequestId;
use crate::protocol::oidc::discovery;
use crate::telemetry;

const WATCHED: [&str; 3] = ["/metrics", "/healthz", "/readyz"];
const METADATA: &str = "/.well-known/oauth-authorization-server/p/";

/// Takes `/p/<slug>` off the path, before the router sees it.
pub fn project_from_path<B>(mut request: http::Request<B>) -> http::Request<B> {
    let path = request.uri().path();
    // RFC 8414, section 3.1, puts the well-known part before the issuer's path.
    let (rest, of_issuer) = match (path.strip_prefix("/p/"), path.strip_prefix(METADATA)) {
        (Some(rest), _) => (rest, None),
        (None, Some(rest)) => (rest, Some("/.well-known/oauth-authorization-server")),
        (None, None) => return request,
    };
    let (slug, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let path = of_issuer.unwrap_or(path);
    // What watches over the whole house is no project's, and a proxy that closes it must not be gone around.
    if WATCHED.contains(&path) {
        return request;
    }
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let Ok(address) = format!("{path}{query}").parse() else { return request };
    // Over HTTP/2 the address also says, in the place of a `Host` header, as whom we were asked (RFC 9113, 8.3.1).
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(address);
    let Ok(uri) = Uri::from_parts(parts) else { return request };
    let slug = ProjectSlug(slug.to_owned());
    *request.uri_mut() = uri;
    request.extensions_mut().insert(slug);
    request
}

/// What is done around every request, in one layer: each more is a copy of all that is within it, for every request.
/// Outermost is the count, so that what timed out or panicked is counted, and answered with the same headers, too.
pub async fn around(State(front): State<Front>, request: Request, next: Next) -> Response {
    observed(&front, request, next).await
}

/// Gives the request an id, a span and its place in the metrics.
async fn observed(front: &Front, mut request: Request, next: Next) -> Response {
    let id = RequestId::new(&front.broker.random, front.broker.now());
    request.extensions_mut().insert(RequestTag(id));
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let method = request.method().clone();
    let span = telemetry::request_span(method.as_str(), route, &id.to_string());
    let started = front.broker.clock.now();
    let _running = front.broker.runs();
    let mut response = to_an_end(front, request, next).instrument(span.clone()).await;
    let status = response.status().as_u16();
    telemetry::answered(&span, status);
    let took = front.broker.clock.now().since(started);
    telemetry::names::http_request(method.as_str(), route, status, took);
    let headers = response.headers_mut();
    for (name, value) in reply::COMMON_HEADERS {
        headers.entry(name).or_insert(value);
    }
    if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        // Whoever counts by the hour or the day says so; everything else counts by the minute.
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("60"));
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert("x-request-id", value);
    }
    if front.broker.origin.starts_with("https:") {
        let hsts = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts);
    }
    response
}

/// Gives up a request that takes too long, whoever is slow: the sender of its body, or we. No input should make us panic; if
/// one does, only its own request fails.
async fn to_an_end(front: &Front, request: Request, next: Next) -> Response {
    let head = head(&request);
    let most = Duration::from_secs(front.broker.config.server.request_timeout);
    let done = AssertUnwindSafe(short_head(front, request, next)).catch_unwind();
    match tokio::time::timeout(most, done).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => lost::panicked(front, &head),
        Err(_) => lost::too_slow(front, &head),
    }
}

/// All of a request that is looked at to say that it came to nothing.
fn head(request: &Request) -> Parts {
    let (mut head, ()) = axum::http::Request::new(()).into_parts();
    head.method = request.method().clone();
    head.uri = request.uri().clone();
    head.headers = request.headers().clone();
    if let Some(tag) = request.extensions().get::<RequestTag>() {
        head.extensions.insert(*tag);
    }
    head
}

/// Longer addresses are no honest ones.
const LONGEST_URI: usize = 8 * 1024;

/// At the one door to which a signed message comes in the address itself: a logout request whose name is encrypted to a
/// key of 4096 bits, with the certificates that providers put beside it, and signed by such a key, has 7 to 11 KiB.
const LONGEST_MESSAGE_URI: usize = 16 * 1024;

/// Request line and headers of one request, in bytes. The server reads no more than this ahead either, but one read
/// of the network may bring more.
pub const LARGEST_HEAD: usize = 40 * 1024;

fn longest_uri(path: &str) -> usize {
    let is_of_logout_messages = path.starts_with("/saml/") && path.ends_with("/slo");
    if is_of_logout_messages { LONGEST_MESSAGE_URI } else { LONGEST_URI }
}

/// Refuses an address that nobody should have to read, headers that are longer than all honest ones together, and a
/// request for two hosts (RFC 9112, section 3.2): of two readers each may take another one.
async fn short_head(front: &Front, request: Request, next: Next) -> Response {
    let uri = request.uri();
    let told =
        |status, (code, title), detail| Told { status, problem: Problem::BadRequest, code, title, detail };
    if uri.path_and_query().is_some_and(|address| address.as_str().len() > longest_uri(uri.path())) {
        let told = told(
            StatusCode::URI_TOO_LONG,
            ("uri_too_long", "The address is too long"),
            "the address is too long",
        );
        return lost::answer(front, &request.into_parts().0, told);
    }
    // As they were written: `name: value`, and the end of the line.
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers + length(uri) > LARGEST_HEAD {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let told =
            told(status, ("headers_too_large", "The headers are too long"), "the headers are too long");
        return lost::answer(front, &request.into_parts().0, told);
    }
    if request.headers().get_all(header::HOST).iter().count() > 1 {
        let code = ("invalid_request", "The request is for more than one host");
        let told = told(StatusCode::BAD_REQUEST, code, "there is more than one Host header");
        return lost::answer(front, &request.into_parts().0, told);
    }
    next.run(request).await
}

/// Of an address as it was written.
fn length(uri: &Uri) -> usize {
    let origin = uri.authority().map_or(0, |authority| authority.as_str().len());
    let scheme = uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    scheme + origin + uri.path_and_query().map_or(0, |address| address.as_str().len())
}

/// Answers only to the configured name (threats C24): no page, link or issuer is ever made from another.
pub async fn own_name(State(front): State<Front>, request: Request, next: Next) -> Response {
    let ours = front.broker.origin.split_once("://").map_or("", |(_, authority)| authority);
    let default_port = if front.broker.origin.starts_with("https:") { ":443" } else { ":80" };
    match named(&request) {
        Some(name) if name.strip_suffix(default_port).unwrap_or(name).eq_ignore_ascii_case(ours) => {
            next.run(request).await
        }
        Some(name) if is_certified_door(&front, name, request.uri().path()) => next.run(request).await,
        _ => {
            let told = Told {
                status: StatusCode::MISDIRECTED_REQUEST,
                problem: Problem::WrongAddress,
                code: "misdirected_request",
                title: "This server answers by another name",
                detail: &format!("this server answers as {}", front.broker.origin),
            };
            lost::answer(&front, &request.into_parts().0, told)
        }
    }
}

/// Whether clients with a certificate come to this door by this name (RFC 8705, section 5). No other door is there: its
/// pages and cookies are those of the public name.
fn is_certified_door(front: &Front, name: &str, path: &str) -> bool {
    let Some(origin) = &front.broker.certified_origin else { return false };
    let (scheme, ours) = origin.split_once("://").unwrap_or_default();
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let is_ours = name.strip_suffix(default_port).unwrap_or(name).eq_ignore_ascii_case(ours);
    is_ours && discovery::ALIASED.iter().any(|(_, door)| *door == path)
}

/// As whom we were asked: what the request line names counts, whatever stands beside it (RFC 9112, section 3.2.2).
fn named(request: &Request) -> Option<&str> {
    let host = || request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    request.uri().authority().map(http::uri::Authority::as_str).or_else(host)
}

/// Whether this is how somebody inside calls us. From this machine: by a loopback address or localhost, as a proxy on
/// it looks like one of us. From elsewhere: by any name but the public one.
fn is_inner_name(name: &str, peer: Option<IpAddr>, origin: &str) -> bool {
    let Ok(called) = Url::parse(&format!("http://{name}")) else { return false };
    let loopback = match called.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let public = Url::parse(origin).ok().and_then(|url| url.host_str().map(str::to_owned));
    let from_here = peer.is_none_or(|peer| peer.is_loopback());
    loopback || (!from_here && called.host_str().map(str::to_owned) != public)
}

/// What proxies add to a request that they pass on.
const MARKS_OF_PROXIES: [&str; 7] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-client-ip",
];

/// Lets in only the networks that may read metrics. A request that went through somebody's proxy shows by its
/// header that its own address is not known; and if the proxy adds none, by the name that it came for: who reads
/// metrics comes by an address of this machine, never by the name that people use.
pub async fn metrics_readers(State(front): State<Front>, request: Request, next: Next) -> Response {
    let config = &front.broker.config;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let address = client_address(peer, request.headers(), &config.server.trusted_proxies);
    let forwarded = MARKS_OF_PROXIES.iter().any(|name| request.headers().contains_key(*name));
    let hidden = forwarded && peer.is_none_or(|peer| address == peer);
    let inside = named(&request).is_some_and(|name| is_inner_name(name, peer, &front.broker.origin));
    if !hidden && inside && config.telemetry.metrics_networks.iter().any(|network| network.contains(&address))
    {
        next.run(request).await
    } else {
        reply::problem(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_by_an_inner_name_alone() {
        let origin = "https://login.example.com";
        let (here, there) = (Some(IpAddr::from([127, 0, 0, 1])), Some(IpAddr::from([10, 0, 0, 9])));
        for (name, peer, inner) in [
            ("127.0.0.1:8080", here, true),
            ("[::1]:8080", here, true),
            ("localhost:8080", here, true),
            ("login.example.com", here, false),
            ("LOGIN.example.com:443", here, false),
            ("other.example.com", here, false),
            ("10.0.0.3:8080", there, true),
            ("behalf:8080", there, true),
            ("login.example.com", there, false),
            ("Login.Example.com:8080", there, false),
            ("", there, false),
            ("127.0.0.1@evil.test", here, false),
        ] {
            assert_eq!(is_inner_name(name, peer, origin), inner, "{name} {peer:?}");
        }
        assert!(is_inner_name("127.0.0.1:8080", here, "http://127.0.0.1:8080"));
    }
}
