//! What is done around every request.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::front::Front;
use super::reply;
use super::visitor::{ProjectSlug, RequestTag, client_address};
use crate::foundation::id::RequestId;
use crate::telemetry;

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

/// Gives the request an id, a span and its place in the metrics.
pub async fn observed(State(front): State<Front>, mut request: Request, next: Next) -> Response {
    let id = RequestId::new(&front.broker.random, front.broker.now());
    request.extensions_mut().insert(RequestTag(id));
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let span = telemetry::request_span(method.as_str(), route.as_deref(), &id.to_string());
    let started = front.broker.clock.now();
    let _running = front.broker.runs();
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    telemetry::answered(&span, status);
    let took = front.broker.clock.now().since(started);
    telemetry::names::http_request(method.as_str(), route.as_deref(), status, took);
    let headers = response.headers_mut();
    for (name, value) in reply::COMMON_HEADERS {
        headers.entry(name).or_insert(value);
    }
    if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        // Every limit counts by the minute.
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

/// Longer addresses are no honest ones.
const LONGEST_URI: usize = 8 * 1024;

/// Refuses an address that nobody should have to read.
pub async fn short_address(request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|address| address.as_str().len() > LONGEST_URI) {
        return reply::problem(StatusCode::URI_TOO_LONG, "uri_too_long", "the address is too long");
    }
    next.run(request).await
}

/// Answers only to the configured name (threats C24): no page, link or issuer is ever made from another.
pub async fn own_name(State(front): State<Front>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let named = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    let ours = front.broker.origin.split_once("://").map_or("", |(_, authority)| authority);
    let default_port = if front.broker.origin.starts_with("https:") { ":443" } else { ":80" };
    match named {
        Some(name) if name.strip_suffix(default_port).unwrap_or(name).eq_ignore_ascii_case(ours) => {
            next.run(request).await
        }
        _ => {
            let detail = format!("this server answers as {}", front.broker.origin);
            reply::problem(StatusCode::MISDIRECTED_REQUEST, "misdirected_request", &detail)
        }
    }
}

/// Lets in only the networks that may read metrics. A request that went through somebody's proxy shows by its
/// header that its own address is not known.
pub async fn metrics_readers(State(front): State<Front>, request: Request, next: Next) -> Response {
    let config = &front.broker.config;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let address = client_address(peer, request.headers(), &config.server.trusted_proxies);
    let forwarded = ["x-forwarded-for", "forwarded"].iter().any(|name| request.headers().contains_key(*name));
    let hidden = forwarded && peer.is_none_or(|peer| address == peer);
    if !hidden && config.telemetry.metrics_networks.iter().any(|network| network.contains(&address)) {
        next.run(request).await
    } else {
        reply::problem(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
    }
}
