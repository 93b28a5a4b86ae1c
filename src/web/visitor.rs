//! A visitor: which project they came to, from where, in which language, and what their browser tells of itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;

use super::client_certificate::{self, Shown};
use super::front::Front;
use super::language::{self, Language};
use super::lost::{self, Told};
use super::reply::{self, Fault};
use super::templates::{Brand, ErrorPage, Page, Problem};
use crate::broker::Broker;
use crate::foundation::id::{ConnectionId, FlowId, OrganizationId, RequestId};
use crate::keys::keyring::KeyError;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::connection::SpAddresses;
use crate::model::project::{DEFAULT_SLUG, Project};
use crate::protocol::oauth::error::OAuthError;
use crate::store::durable::projects;
use crate::store::ephemeral::{EphemeralError, Kind};
use crate::telemetry::names;

/// Audit events that one network may cause at will in a minute.
const NOTED_A_MINUTE: u64 = 600;
/// Those of one login that was sent away from here, whatever its network causes besides.
const NOTED_OF_A_FLOW: u64 = 10;
/// Organizations that are told in a minute that a network has caused more.
const TOLD_A_MINUTE: u64 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// The project that the path named, put there by [`super::layers::project_from_path`].
#[derive(Clone, Debug)]
pub struct ProjectSlug(pub String);

/// The id under which the log knows this request.
#[derive(Clone, Copy, Debug)]
pub struct RequestTag(pub RequestId);

#[derive(Clone)]
pub struct Visitor {
    pub front: Front,
    pub project: Project,
    pub method: Method,
    /// The path that was asked for, within the project.
    pub door: String,
    pub headers: HeaderMap,
    /// Shown in TLS, to us or to a proxy of ours.
    pub certificate: Option<Arc<Shown>>,
    pub address: IpAddr,
    pub request: RequestId,
    /// The application's wish, where the address says it, or the flow to which that belongs.
    pub ui_locales: Option<String>,
}

impl Visitor {
    pub fn broker(&self) -> &Broker {
        &self.front.broker
    }

    pub fn issuer(&self) -> String {
        self.broker().issuer(&self.project)
    }

    /// What was asked for, as it may be called from outside: never as the request calls us.
    pub fn asked_uris(&self) -> Vec<String> {
        let certified = self.broker().certified_issuer(&self.project);
        let issuers = std::iter::once(self.issuer()).chain(certified);
        issuers.map(|issuer| format!("{issuer}{}", self.door)).collect()
    }

    /// Where we are for the identity provider of this connection.
    pub fn saml_addresses(&self, connection: ConnectionId) -> SpAddresses {
        SpAddresses::of(&self.issuer(), connection)
    }

    /// The network that the visitor comes from, for limits: one household or company, not one address.
    pub fn network(&self) -> String {
        match self.address {
            IpAddr::V4(address) => format!("{:x}/24", u32::from(address) >> 8),
            IpAddr::V6(address) => format!("{:x}/56", u128::from(address) >> 72),
        }
    }

    /// That network, and the larger one that it is part of where one customer of a provider may have so much: who has
    /// an IPv6 /48 has 256 of the smaller ones.
    pub fn networks(&self) -> (String, Option<String>) {
        let larger = match self.address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(format!("{:x}/48", u128::from(address) >> 80)),
        };
        (self.network(), larger)
    }

    /// A path of this project's, as seen from outside.
    pub fn path(&self, path: &str) -> String {
        self.project.path(path)
    }

    pub fn language(&self, ui_locales: Option<&str>) -> Language {
        let wish = self.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        self.front.templates.negotiate(ui_locales.or(self.ui_locales.as_deref()), wish)
    }

    /// Makes a page in the visitor's language and the project's colours.
    pub fn page(
        &self,
        status: StatusCode,
        page: &Page,
        ui_locales: Option<&str>,
        form_targets: &[String],
    ) -> Response {
        self.page_framing(status, page, ui_locales, form_targets, &[])
    }

    /// The same with the origins that it may show in frames.
    pub fn page_framing(
        &self,
        status: StatusCode,
        page: &Page,
        ui_locales: Option<&str>,
        form_targets: &[String],
        framed: &[String],
    ) -> Response {
        let (language, mut brand) = (self.language(ui_locales), Brand::of(&self.project));
        if ui_locales.or(self.ui_locales.as_deref()).is_some() {
            brand = brand.in_language(&language);
        }
        match self.front.templates.render(page, &language, &brand) {
            Ok(text) => reply::html_framing(status, text, form_targets, page.has_script(), framed),
            Err(error) => {
                tracing::error!(request = %self.request, %error, "a page could not be made");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    /// Where a form may lead that goes on to an identity provider, which may send people on to anywhere: browsers apply
    /// `form-action` to redirects as well.
    pub fn provider_targets(&self) -> Vec<String> {
        let mut targets = vec!["https:".to_owned()];
        if self.broker().config.egress.allow_loopback_and_http {
            targets.extend(["http://127.0.0.1:*".to_owned(), "http://localhost:*".to_owned()]);
        }
        targets
    }

    /// Our own failure, as a page: told under the id that the page shows.
    pub async fn fault(&self, fault: &Fault, ui_locales: Option<&str>) -> Response {
        self.fault_with(fault, ErrorPage::new(Problem::Fault), ui_locales, &[]).await
    }

    /// The same with the ways on that `page` has.
    pub async fn fault_with(
        &self,
        fault: &Fault,
        page: ErrorPage,
        ui_locales: Option<&str>,
        form_targets: &[String],
    ) -> Response {
        self.report(fault).await;
        let page = ErrorPage { id: Some(self.request.to_string()), ..page };
        self.page(StatusCode::INTERNAL_SERVER_ERROR, &Page::Error(page), ui_locales, form_targets)
    }

    /// The same for machines.
    pub async fn machine_fault(&self, fault: &Fault) -> Response {
        let error = self.faulty(fault).await;
        reply::oauth_error(StatusCode::INTERNAL_SERVER_ERROR, &error)
    }

    /// The same in the protocol's words.
    pub async fn faulty(&self, fault: &Fault) -> OAuthError {
        self.report(fault).await;
        OAuthError::server_error(format!("our own failure; quote {}", self.request))
    }

    /// Logged here, once. That a secret cannot be opened may mean that somebody has moved it about in the database, so
    /// it is written down too (threats C29).
    pub async fn report(&self, fault: &Fault) {
        tracing::error!(request = %self.request, error = %fault, "a request failed");
        let Fault::Keys(KeyError::Sealed(why)) = fault else { return };
        let event = AuditEvent::new(self.project.id, "secret.unreadable", Outcome::Refused)
            .reason("sealed_cell_unreadable")
            .request(Some(self.request))
            .with("why", why.to_string());
        let written = match self.may_be_noted().await {
            Ok(true) => self.broker().record(event).await.map_err(Fault::from),
            Ok(false) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written {
            names::audit_failed();
            tracing::error!(request = %self.request, %error, "a fault could not be written down");
        }
    }

    /// Whether one more audit event that a visitor of this network causes at will may be written down. Beyond that
    /// only the counts go up, so that nobody fills our disk by asking for nonsense.
    pub async fn may_be_noted(&self) -> Result<bool, EphemeralError> {
        let key = format!("note {}", self.network());
        let noted = self.broker().ephemeral.count(Kind::RateCounter, &key, MINUTE).await?;
        Ok(noted <= NOTED_A_MINUTE)
    }

    /// The same of what happens in a login that waits to be gone on with: it has room of its own, so that nobody else
    /// hides why it is refused.
    pub async fn may_be_noted_of(&self, flow: FlowId) -> Result<bool, EphemeralError> {
        let broker = self.broker();
        let lifetime = Duration::from_secs(broker.config.login.flow_lifetime);
        let noted = broker.ephemeral.count(Kind::RateCounter, &format!("note {flow}"), lifetime).await?;
        if noted <= NOTED_OF_A_FLOW { Ok(true) } else { self.may_be_noted().await }
    }

    /// Whether this organization has not been told yet in this minute that this network causes more than is written down.
    pub async fn may_tell_of_more(
        &self,
        organization: Option<OrganizationId>,
    ) -> Result<bool, EphemeralError> {
        let whose = organization.map_or_else(String::new, |id| id.to_string());
        let of_one = format!("note more {} {whose}", self.network());
        if self.broker().ephemeral.count(Kind::RateCounter, &of_one, MINUTE).await? > 1 {
            return Ok(false);
        }
        let of_all = format!("note more {}", self.network());
        Ok(self.broker().ephemeral.count(Kind::RateCounter, &of_all, MINUTE).await? <= TOLD_A_MINUTE)
    }

    /// Whether a form was posted from another site, as far as the browser tells (threats H24).
    pub fn is_cross_site(&self) -> bool {
        let text = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(site) = text("sec-fetch-site") {
            return !matches!(site, "same-origin" | "none");
        }
        // Older browsers send only Origin with a POST; `null` is what a privacy mode makes of our own
        // no-referrer pages, and there the form's own token decides.
        text("origin").is_some_and(|origin| origin != "null" && origin != self.broker().origin)
    }
}

impl FromRequestParts<Front> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Response> {
        let request = request_id(parts, front);
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let address = client_address(peer, &parts.headers, &front.broker.config.server.trusted_proxies);
        let slug = parts.extensions.get::<ProjectSlug>().map_or(DEFAULT_SLUG, |slug| slug.0.as_str());
        let found = projects::by_slug(&mut &front.broker.db, slug).await;
        match found {
            Ok(Some(project)) if project.disabled_at.is_none() => {
                let headers = parts.headers.clone();
                let ui_locales = language::wish(parts);
                let certificate =
                    client_certificate::of(parts, peer, &front.broker.config.client_certificates);
                let certificate = certificate.map(Arc::new);
                let (method, door) = (parts.method.clone(), parts.uri.path().to_owned());
                let front = front.clone();
                Ok(Self { front, project, method, door, headers, certificate, address, request, ui_locales })
            }
            Ok(_) => Err(lost::answer(front, parts, Told::NOT_FOUND)),
            Err(error) => {
                tracing::error!(%request, %error, "the project could not be read");
                Err(lost::failed(front, parts, request))
            }
        }
    }
}

pub fn request_id(parts: &Parts, front: &Front) -> RequestId {
    let tag = parts.extensions.get::<RequestTag>().map(|tag| tag.0);
    tag.unwrap_or_else(|| RequestId::new(&front.broker.random, front.broker.now()))
}

/// Where a request comes from. `X-Forwarded-For` is read from the right, and only as far as the configured
/// proxies wrote it (threats H31).
pub fn client_address(peer: Option<IpAddr>, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let mut address = peer.unwrap_or(IpAddr::from([0, 0, 0, 0])).to_canonical();
    let trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(&address));
    // What a stranger wrote in front of it does not make a proxy's own entry unreadable.
    let fields: Vec<_> = headers.get_all("x-forwarded-for").iter().map(|value| value.as_bytes()).collect();
    let hops: Vec<_> = fields.iter().flat_map(|field| field.split(|byte| *byte == b',')).collect();
    for hop in hops.into_iter().map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty()).rev() {
        if !trusted(address) {
            break;
        }
        match forwarded(hop) {
            Some(next) => address = next.to_canonical(),
            None => break,
        }
    }
    address
}

/// An address as proxies write it: some with a port, and one of IPv6 then in brackets.
fn forwarded(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?;
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let plain = || bare.unwrap_or(hop).parse().ok();
    plain().or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn h31_a_forwarded_address_counts_only_from_a_configured_proxy() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "9.9.9.9, 203.0.113.7".parse().unwrap());
        let peer = Some(IpAddr::from([10, 0, 0, 1]));
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        assert_eq!(client_address(peer, &headers, &[]), IpAddr::from([10, 0, 0, 1]));
        assert_eq!(client_address(peer, &headers, &proxies), IpAddr::from([203, 0, 113, 7]));
    }

    #[test]
    fn h31_a_port_an_empty_entry_and_what_a_stranger_wrote_hide_nobody() {
        let (peer, proxies) = (Some(IpAddr::from([10, 0, 0, 1])), ["10.0.0.0/8".parse().unwrap()]);
        for (field, found) in [
            (&b"9.9.9.9, 203.0.113.7:5123"[..], "203.0.113.7"),
            (b"203.0.113.7, ,", "203.0.113.7"),
            (b"\xff, 203.0.113.7", "203.0.113.7"),
            (b"[2001:db8::1]:443", "2001:db8::1"),
            (b"[2001:db8::1]", "2001:db8::1"),
            (b"2001:db8::1,10.0.0.9", "2001:db8::1"),
            // Who is not named is the last proxy that is.
            (b"203.0.113.7, unknown, 10.0.0.9", "10.0.0.9"),
            (b"203.0.113.7, \xff", "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", axum::http::HeaderValue::from_bytes(field).unwrap());
            let found: IpAddr = found.parse().unwrap();
            assert_eq!(client_address(peer, &headers, &proxies), found, "{}", field.escape_ascii());
        }
    }
}
