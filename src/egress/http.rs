//! The one HTTP client. A customer's address passes the [`Guard`], no redirect is followed, no proxy of the
//! environment is used, and time and size are limited.

use std::error::Error as _;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::guard::{Guard, Refusal};
use super::names::Names;
use crate::config;
use crate::foundation::secret::Secret;

/// What anybody but the operator is told, whatever went wrong: open, closed and filtered ports look alike.
const PUBLIC: &str = "the address could not be used";

/// Addresses of one name that are tried; all of them are judged.
const ADDRESSES: usize = 8;

/// Sends requests to customers' servers and to the operator's. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    /// Two pools, so that a customer's request never travels on a connection that was not judged.
    tenant: reqwest::Client,
    operator: reqwest::Client,
    names: Checked,
    guard: Guard,
    total_timeout: Duration,
    max_response: usize,
}

impl Http {
    /// Fails if `egress.extra_ca` is not a readable PEM file of certificates, or if neither it nor the
    /// machine has any certificate authority.
    pub fn new(settings: &config::Egress) -> Result<Self, EgressError> {
        Self::guarded(settings, Guard::new(settings), Names::system())
    }

    /// As [`Http::new`], with a guard and names of the caller's own: for tests of one layer at a time.
    pub fn guarded(settings: &config::Egress, guard: Guard, names: Names) -> Result<Self, EgressError> {
        let timeout = Duration::from_secs(settings.connect_timeout.max(1));
        let checked = Checked { names: names.clone(), guard: Some(guard.clone()), timeout };
        let free = Checked { names, guard: None, timeout };
        Ok(Self {
            tenant: client(settings, checked.clone())?,
            operator: client(settings, free)?,
            names: checked,
            guard,
            total_timeout: Duration::from_secs(settings.total_timeout.max(1)),
            max_response: settings.max_response,
        })
    }

    /// Whether a customer's address may be asked, as far as that shows without asking: by what it says, and by where
    /// its name leads now.
    pub async fn may_ask(&self, url: &Url) -> Result<(), EgressError> {
        self.guard.check(url).map_err(EgressError::Forbidden)?;
        match url.host() {
            Some(Host::Domain(name)) => self.names.addresses(name).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Sends and reads the whole answer, whatever its status: a redirect (3xx) is an answer like any other.
    pub async fn send(&self, request: Request) -> Result<Response, EgressError> {
        let shown = format!("{request:?}");
        let result = self.within_time(request).await;
        match &result {
            Ok(response) => tracing::debug!(request = shown, status = response.status, "sent"),
            Err(error) => tracing::debug!(request = shown, ?error, "not sent, or not answered"),
        }
        result
    }

    async fn within_time(&self, request: Request) -> Result<Response, EgressError> {
        let client = match request.destination {
            Destination::Tenant => {
                self.guard.check(&request.url).map_err(EgressError::Forbidden)?;
                &self.tenant
            }
            Destination::Operator => &self.operator,
        };
        let timeout = request.timeout.unwrap_or(self.total_timeout);
        let limit = request.limit.unwrap_or(self.max_response);
        let exchange = async {
            let response = client.execute(request.into_reqwest()).await.map_err(EgressError::from_reqwest)?;
            read(response, limit).await
        };
        tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(EgressError::Timeout))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("guard", &self.guard).finish_non_exhaustive()
    }
}

fn client(settings: &config::Egress, resolver: Checked) -> Result<reqwest::Client, EgressError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("behalf/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .retry(reqwest::retry::never())
        .dns_resolver(resolver)
        .connect_timeout(Duration::from_secs(settings.connect_timeout.max(1)))
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(4)
        .http1_max_headers(100)
        .http2_max_header_list_size(16 * 1024);
    if let Some(path) = &settings.extra_ca {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    builder.build().map_err(|error| EgressError::TrustStore(root_cause(&error)))
}

fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, EgressError> {
    let bad = |why: String| EgressError::ExtraCa { path: path.to_owned(), why };
    let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let found = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| bad(root_cause(&error)))?;
    if found.is_empty() {
        return Err(bad("holds no PEM certificate".into()));
    }
    Ok(found)
}

/// Reads the body as it came: nothing is unpacked, so a small answer cannot become a large one.
async fn read(mut response: reqwest::Response, limit: usize) -> Result<Response, EgressError> {
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(EgressError::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(EgressError::from_reqwest)? {
        if chunk.len() > limit - body.len() {
            return Err(EgressError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let headers = std::mem::take(response.headers_mut());
    Ok(Response { status: response.status().as_u16(), headers, body })
}

/// Resolves a name, judges every address, and hands over the very addresses it has judged: there is no
/// second question whose answer could differ (DNS rebinding).
#[derive(Clone)]
struct Checked {
    names: Names,
    guard: Option<Guard>,
    timeout: Duration,
}

impl Checked {
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, EgressError> {
        let found = tokio::time::timeout(self.timeout, self.names.addresses(name)).await;
        let mut found = found.map_err(|_| EgressError::Unresolvable)?;
        if found.is_empty() {
            return Err(EgressError::Unresolvable);
        }
        if self.guard.as_ref().is_some_and(|guard| !guard.allows_all(&found)) {
            return Err(EgressError::Forbidden(Refusal::Address));
        }
        found.truncate(ADDRESSES);
        Ok(found)
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let found = this.addresses(name.as_str()).await?;
            // Port 0 stands for the port of the URL.
            Ok(Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

/// Who wrote the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// A customer: guarded.
    #[default]
    Tenant,
    /// The operator, in the configuration: may be private and at plain `http`.
    Operator,
}

/// A request to be sent once. Its `Debug` shows neither query, headers nor body.
pub struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
    destination: Destination,
    limit: Option<usize>,
    timeout: Option<Duration>,
}

impl Request {
    pub fn new(method: Method, url: Url) -> Self {
        let headers = HeaderMap::new();
        let destination = Destination::default();
        Self { method, url, headers, body: Vec::new(), destination, limit: None, timeout: None }
    }

    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// `application/x-www-form-urlencoded`.
    pub fn post_form(url: Url, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::post(url, HeaderValue::from_static("application/x-www-form-urlencoded"), body)
    }

    pub fn post(url: Url, content_type: HeaderValue, body: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::new(Method::POST, url).header(CONTENT_TYPE, content_type);
        request.body = body.into();
        request
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// RFC 6750, section 2.1. A token that no header can carry is left out, and the server refuses.
    #[must_use]
    pub fn bearer(mut self, token: &Secret) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose())) {
            value.set_sensitive(true);
            self.headers.insert(AUTHORIZATION, value);
        }
        self
    }

    #[must_use]
    pub fn to(mut self, destination: Destination) -> Self {
        self.destination = destination;
        self
    }

    /// Largest body that is read, in bytes; otherwise `egress.max_response`.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Longest time in all, from the name's resolution to the last byte; otherwise `egress.total_timeout`.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(super) fn from_http(
        request: http::Request<Vec<u8>>,
        destination: Destination,
    ) -> Result<Self, EgressError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| EgressError::Forbidden(Refusal::Host))?;
        let mut made = Self::new(parts.method, url).to(destination);
        made.headers = parts.headers;
        made.body = body;
        Ok(made)
    }

    fn into_reqwest(self) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method, self.url);
        *request.headers_mut() = self.headers;
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if !self.body.is_empty() {
            *request.body_mut() = Some(self.body.into());
        }
        request
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.url.origin().ascii_serialization();
        write!(f, "{} {origin}{}", self.method, self.url.path())
    }
}

/// An answer, whole. Its `Debug` shows the status only.
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Response {
    pub(super) fn into_http(self) -> http::Response<Vec<u8>> {
        let mut response = http::Response::new(self.body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_GATEWAY);
        *response.headers_mut() = self.headers;
        response
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why there is no answer. `Display` is what a customer may read and the same for everything that a
/// request can meet; `Debug` is for the log and holds no part of the request or of the answer.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    #[error("{PUBLIC}")]
    Forbidden(Refusal),
    #[error("{PUBLIC}")]
    Unresolvable,
    #[error("{PUBLIC}")]
    Connect(String),
    #[error("{PUBLIC}")]
    Tls(String),
    #[error("{PUBLIC}")]
    Timeout,
    #[error("{PUBLIC}")]
    TooLarge,
    /// The answer is not HTTP, or broke off.
    #[error("{PUBLIC}")]
    Protocol(String),
    /// A fault of the configuration, met at the start.
    #[error("egress.extra_ca: {}: {why}", path.display())]
    ExtraCa { path: PathBuf, why: String },
    /// A fault of the machine, met at the start.
    #[error("no certificate authorities to trust (install ca-certificates or set egress.extra_ca): {0}")]
    TrustStore(String),
}

impl EgressError {
    /// What a customer is told.
    pub fn public(&self) -> &'static str {
        PUBLIC
    }

    /// What the operator is told, who asks about the house's own connections: never a customer, nor a visitor.
    pub fn explained(&self) -> String {
        match self {
            Self::Forbidden(refusal) => format!("not allowed: {refusal}"),
            Self::Unresolvable => "the name of its host cannot be resolved".into(),
            Self::Connect(why) => format!("no connection: {why}"),
            Self::Tls(why) => explained_tls(why),
            Self::Timeout => "no answer in time".into(),
            Self::TooLarge => "the answer is too large".into(),
            Self::Protocol(why) => format!("the answer is no HTTP, or broke off: {why}"),
            Self::ExtraCa { .. } | Self::TrustStore(_) => self.to_string(),
        }
    }

    /// A word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "forbidden",
            Self::Unresolvable => "unresolvable",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Protocol(_) => "protocol",
            Self::ExtraCa { .. } | Self::TrustStore(_) => "settings",
        }
    }

    fn from_reqwest(error: reqwest::Error) -> Self {
        let why = root_cause(&error);
        match in_chain(&error) {
            Some(Cause::Forbidden(refusal)) => Self::Forbidden(refusal),
            Some(Cause::Unresolvable) => Self::Unresolvable,
            Some(Cause::Tls) => Self::Tls(why),
            None if error.is_timeout() => Self::Timeout,
            None if error.is_connect() => Self::Connect(why),
            None => Self::Protocol(why),
        }
    }
}

/// With what can be done about it.
fn explained_tls(why: &str) -> String {
    let hints = [
        (
            "UnknownIssuer",
            "its certificate is not of an authority that we trust; name that one in egress.extra_ca",
        ),
        ("not valid for", "its certificate is for another name"),
        ("NotValidForName", "its certificate is for another name"),
        ("expired", "its certificate has expired"),
        ("InvalidContentType", "what listens there does not speak TLS"),
    ];
    let lower = why.to_lowercase();
    let hint = hints.into_iter().find(|(sign, _)| lower.contains(&sign.to_lowercase()));
    hint.map_or_else(|| format!("TLS: {why}"), |(_, hint)| format!("TLS: {hint} ({why})"))
}

enum Cause {
    Forbidden(Refusal),
    Unresolvable,
    Tls,
}

/// Looks for our own resolver's word, or a fault of TLS, inside the client's error.
fn in_chain(error: &reqwest::Error) -> Option<Cause> {
    chain(error).find_map(|error| match error.downcast_ref::<EgressError>() {
        Some(EgressError::Forbidden(refusal)) => Some(Cause::Forbidden(*refusal)),
        Some(_) => Some(Cause::Unresolvable),
        None => error.is::<rustls::Error>().then_some(Cause::Tls),
    })
}

/// The innermost error's text: unlike the outer ones it never holds the URL.
fn root_cause(error: &reqwest::Error) -> String {
    chain(error).last().map_or_else(|| "request failed".into(), ToString::to_string)
}

type Inner<'a> = &'a (dyn std::error::Error + 'static);

/// The errors inside this one, from the outermost to the innermost.
fn chain(error: &reqwest::Error) -> impl Iterator<Item = Inner<'_>> {
    std::iter::successors(error.source(), |error| within(*error))
}

/// An I/O error's `source` skips the error it was made from; that one is wanted too.
fn within(error: Inner<'_>) -> Option<Inner<'_>> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn m09_a_request_shows_no_query_header_or_body() {
        let url = Url::parse("https://ann:pw@idp.test/token?code=hunter2#hunter2").unwrap();
        let request =
            Request::post_form(url, &[("client_secret", "hunter2")]).bearer(&Secret::new("hunter2"));
        assert_eq!(format!("{request:?}"), "POST https://idp.test/token");
    }

    #[test]
    fn a_file_of_authorities_must_be_readable_and_hold_some() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.pem");
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "no certificate").unwrap();
        let broken = folder.path().join("broken.pem");
        std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        for path in [missing, empty, broken] {
            let settings = config::Egress { extra_ca: Some(path.clone()), ..Default::default() };
            assert!(Http::new(&settings).is_err(), "{} was taken", path.display());
        }
    }
}
