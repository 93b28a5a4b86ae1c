//! The sections of the operator's file: one structure each, one field per key, with its default.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::written;
use crate::foundation::secret::Secret;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where to listen. `BEHALF_LISTEN`.
    #[serde(deserialize_with = "written::listen")]
    pub listen: SocketAddr,
    /// The address people and applications use; every link and issuer is built from it, never from a
    /// request. Absent: the listening address, if that is loopback. `BEHALF_PUBLIC_URL`.
    pub public_url: Option<url::Url>,
    /// Proxies whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "written::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// PEM files, to speak TLS without a proxy. Both or neither.
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// How long a request may take in all.
    pub request_timeout: u64,
    /// How long the headers of a request may take to arrive, and the first request of a connection, with its TLS
    /// handshake; also how often a waiting HTTP/2 connection is asked whether anybody is there.
    pub header_timeout: u64,
    /// How long running logins, then running requests, may go on after a stop was asked for, in all.
    pub shutdown_timeout: u64,
    /// Largest request body.
    pub max_body: usize,
    /// Most connections at once; further ones are closed.
    pub max_connections: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            trusted_proxies: Vec::new(),
            tls_certificate: None,
            tls_key: None,
            request_timeout: 30,
            header_timeout: 10,
            shutdown_timeout: 20,
            max_body: 65_536,
            max_connections: 10_000,
        }
    }
}

/// The certificates by which clients are known (RFC 8705): who shows them to us, and who vouches for them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientCertificates {
    /// The header in which a proxy tells of the certificate that a client has shown it.
    pub header: String,
    pub format: CertificateForm,
    /// The proxies that are believed; each must remove the header from what clients send. Without any, it says nothing.
    #[serde(deserialize_with = "written::networks")]
    pub proxies: Vec<IpNet>,
    /// Whether the server that speaks TLS itself asks clients for a certificate.
    pub at_handshake: bool,
    /// PEM file of the authorities that may vouch for clients.
    pub authorities: Option<PathBuf>,
    /// Where clients with a certificate come, if not to `server.public_url`.
    pub public_url: Option<url::Url>,
}

impl Default for ClientCertificates {
    fn default() -> Self {
        Self {
            header: "Client-Cert".to_owned(),
            format: CertificateForm::default(),
            proxies: Vec::new(),
            at_handshake: false,
            authorities: None,
            public_url: None,
        }
    }
}

impl ClientCertificates {
    /// Whether anybody could show one at all.
    pub fn are_shown(&self) -> bool {
        !self.proxies.is_empty() || self.at_handshake
    }
}

/// How a proxy writes a certificate into a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateForm {
    /// As RFC 9440 has it.
    #[default]
    Rfc9440,
    /// PEM, percent-encoded.
    Pem,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://…`. `BEHALF_DATABASE_URL`.
    pub url: String,
    /// Connections that read (SQLite) or in all (PostgreSQL).
    pub connections: usize,
    /// How long one statement may take (PostgreSQL) or wait for its turn (SQLite).
    pub statement_timeout: u64,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "sqlite:behalf.db".into(), connections: 8, statement_timeout: 5 }
    }
}

// The URL may carry a password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("url", &super::describe::masked(&self.url))
            .field("connections", &self.connections)
            .field("statement_timeout", &self.statement_timeout)
            .finish()
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// Holds `master.key`, 64 hexadecimal digits, mode 0600. Made on the first start. The environment's
    /// `BEHALF_MASTER_KEY` comes before it.
    pub folder: PathBuf,
    /// How long a signing key is used.
    pub signing_key_lifetime: u64,
    /// How long a signing key is published before it is used.
    pub publish_ahead: u64,
    /// `BEHALF_MASTER_KEY`, from the environment alone: never in the file, never written out.
    #[serde(skip)]
    pub master_key: Option<Secret>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            folder: "keys".into(),
            signing_key_lifetime: 90 * 86_400,
            publish_ahead: 86_400,
            master_key: None,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Login {
    /// How long a person may take from the application and back.
    pub flow_lifetime: u64,
    /// How long a browser stays signed in.
    pub session_lifetime: u64,
    /// Logins that one network (IPv4 /24, IPv6 /56; four times as many an IPv6 /48) may begin in a minute and leave
    /// waiting for a page.
    pub flows_per_minute: u64,
    /// How often to look for applications that are to be told of sessions that ended.
    pub notice_interval: u64,
}

impl Default for Login {
    fn default() -> Self {
        Self { flow_lifetime: 1_800, session_lifetime: 43_200, flows_per_minute: 600, notice_interval: 1 }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// Lifetime of an authorization code; at most 60.
    pub code_lifetime: u64,
    /// Lifetime of an access token; at most 3600.
    pub access_token_lifetime: u64,
    /// Lifetime of an ID token; at most 3600.
    pub id_token_lifetime: u64,
    /// How long a sign-in may be refreshed, however often that is done; at most a year.
    pub refresh_token_lifetime: u64,
    /// Lifetime of a refresh token that nobody uses; at most a year.
    pub refresh_token_idle_lifetime: u64,
    /// How long whoever has used a refresh token may ask again, because the answer got lost; at most 60, 0: never.
    pub refresh_grace: u64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            code_lifetime: 60,
            access_token_lifetime: 300,
            id_token_lifetime: 300,
            refresh_token_lifetime: 7_776_000,
            refresh_token_idle_lifetime: 1_209_600,
            refresh_grace: 10,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Resolvers to ask about domain proofs, all of which must agree. Empty: the machine's own.
    #[serde(deserialize_with = "written::resolvers")]
    pub resolvers: Vec<SocketAddr>,
    /// How long one question may take.
    pub timeout: u64,
    /// How often domains are looked up again.
    pub recheck_interval: u64,
}

impl Default for Dns {
    fn default() -> Self {
        Self { resolvers: Vec::new(), timeout: 5, recheck_interval: 60 }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Egress {
    /// For development: identity providers may be at plain `http` and at loopback addresses.
    pub allow_loopback_and_http: bool,
    /// PEM file of certificate authorities to trust besides the usual ones.
    pub extra_ca: Option<PathBuf>,
    /// The ports at which identity providers may be, and what applications have asked.
    pub ports: Vec<u16>,
    /// How long a connection may take to open.
    pub connect_timeout: u64,
    /// How long a request and its answer may take in all.
    pub total_timeout: u64,
    /// Largest answer that is read.
    pub max_response: usize,
}

impl Default for Egress {
    fn default() -> Self {
        Self {
            allow_loopback_and_http: false,
            extra_ca: None,
            ports: vec![443],
            connect_timeout: 5,
            total_timeout: 9,
            max_response: 1_048_576,
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pages {
    /// A folder whose files come before the templates and messages that are built in.
    pub templates: Option<PathBuf>,
}

/// Where mails are handed over. Without a server none is sent.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// The name of the mail server; its certificate must be for it.
    pub server: Option<String>,
    pub port: u64,
    pub security: MailSecurity,
    /// Who we are at the server. With a password, or not at all.
    pub username: Option<String>,
    /// A file that holds the password and nothing else. The environment's `BEHALF_MAIL_PASSWORD` is the other way.
    pub password_file: Option<PathBuf>,
    /// The address that mails come from.
    pub from: Option<String>,
    /// How long handing over one mail may take in all.
    pub timeout: u64,
    /// How often to look for mails that wait.
    pub interval: u64,
    /// `BEHALF_MAIL_PASSWORD`, from the environment alone.
    #[serde(skip)]
    pub password: Option<Secret>,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            server: None,
            port: 587,
            security: MailSecurity::Starttls,
            username: None,
            password_file: None,
            from: None,
            timeout: 30,
            interval: 5,
            password: None,
        }
    }
}

/// How the line to the mail server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MailSecurity {
    /// By TLS after a greeting in the clear (RFC 3207); a server that does not offer it is sent nothing.
    Starttls,
    /// By TLS from the first byte (RFC 8314).
    Tls,
    /// Not at all: on this machine, or for development.
    None,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manage {
    /// The organization, by id or slug, that an operator means who names none.
    pub default_organization: Option<String>,
    /// How long a deleted organization can be restored, in seconds.
    pub deletion_grace: u64,
}

impl Default for Manage {
    fn default() -> Self {
        Self { default_organization: None, deletion_grace: 30 * 86_400 }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// As in `RUST_LOG`, for example `info,behalf=debug`.
    pub log_filter: String,
    /// Who may read `/metrics`.
    #[serde(deserialize_with = "written::networks")]
    pub metrics_networks: Vec<IpNet>,
    /// Where to send traces: the base URL of an OpenTelemetry collector (OTLP over HTTP).
    pub otlp_endpoint: Option<url::Url>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Text,
            log_filter: "info,refinery_core=warn,tower_sessions=error".into(),
            metrics_networks: vec![
                IpNet::from(std::net::IpAddr::from([127, 0, 0, 1])),
                IpNet::from(std::net::IpAddr::from(std::net::Ipv6Addr::LOCALHOST)),
            ],
            otlp_endpoint: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}
