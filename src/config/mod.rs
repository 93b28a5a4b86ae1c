//! As the operator writes it -> as the house uses it.
//!
//! Three sources, the later before the earlier: the defaults (`sections`), a TOML file and the
//! environment (`sources`). What they add up to must obey every rule in `rules`, or nothing starts.
//! `examples/behalf.toml` shows every setting with its default, and a test proves that the two agree.

mod describe;
mod error;
mod names;
mod rules;
mod sections;
mod sources;
mod written;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};
use url::Url;

pub use describe::Described;
pub use error::{ConfigError, Fault, Origin, Problem};
pub use names::{every_key, variable_of};
pub use sections::{
    CertificateForm, ClientCertificates, Database, Dns, Egress, Keys, LogFormat, Login, Mail, MailSecurity,
    Manage, Pages, Server, Telemetry, Tokens,
};

/// Everything an operator can set. Durations are in seconds, sizes in bytes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: Server,
    pub client_certificates: ClientCertificates,
    pub database: Database,
    pub keys: Keys,
    pub login: Login,
    pub tokens: Tokens,
    pub dns: Dns,
    pub egress: Egress,
    pub mail: Mail,
    pub pages: Pages,
    pub manage: Manage,
    pub telemetry: Telemetry,
    /// Where each setting that is not at its default came from, by key (`server.listen`).
    #[serde(skip)]
    pub origins: BTreeMap<String, Origin>,
}

impl Config {
    /// Reads `file` (else the file that `BEHALF_CONFIG` names, else `behalf.toml` in the working
    /// directory if there is one), then the environment, and holds the sum against every rule.
    ///
    /// # Errors
    /// Everything that is wrong, at once and each with its place; the values of secrets are not told.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        sources::load(Path::new(""), file, environment)
    }

    /// The address people and applications use; its path is `/`.
    pub fn public_url(&self) -> Url {
        self.server.public_url.clone().unwrap_or_else(|| self.listening_url())
    }

    /// The same as an origin (RFC 6454, section 6.2): no slash at the end, as issuers are built from it.
    pub fn public_origin(&self) -> String {
        self.public_url().origin().ascii_serialization()
    }

    /// The origin to which clients with a certificate come, if it is another one.
    pub fn certified_origin(&self) -> Option<String> {
        let url = self.client_certificates.public_url.as_ref()?;
        Some(url.origin().ascii_serialization())
    }

    fn listening_url(&self) -> Url {
        let scheme = if self.server.tls_certificate.is_some() { "https" } else { "http" };
        // Without an IPv6 scope, which a URL cannot say.
        let address = SocketAddr::new(self.server.listen.ip(), self.server.listen.port());
        Url::parse(&format!("{scheme}://{address}")).expect("every socket address is an authority")
    }
}
