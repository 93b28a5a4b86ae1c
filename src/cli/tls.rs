//! TLS by file: what the server speaks it with, and how a renewed certificate takes the place of the one before.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::certified;
use crate::broker::Broker;
use crate::config::Config;
use crate::foundation::clock::Moment;
use crate::protocol::oauth::client_certificate::ClientCertificate;

/// What ends within this time is told of.
pub const SOON: Duration = Duration::from_secs(14 * 86_400);

/// The certificate and key of the settings, as they were last read.
#[derive(Clone)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    /// Whether clients are asked for a certificate of theirs.
    asks: bool,
    pub config: RustlsConfig,
}

impl Tls {
    /// Nothing, where the server speaks no TLS itself.
    ///
    /// # Errors
    /// Which of the two settings is wrong, with its file; where they do not go together, both.
    pub async fn open(config: &Config) -> Result<Option<Self>, String> {
        let asks = config.client_certificates.at_handshake;
        let (Some(certificate), Some(key)) = (&config.server.tls_certificate, &config.server.tls_key) else {
            return Ok(None);
        };
        let config = read(certificate, key, asks).await?;
        Ok(Some(Self { certificate: certificate.clone(), key: key.clone(), asks, config }))
    }

    /// Reads both files again; from now on connections begin with what is there. If it cannot be used, with what was there
    /// before.
    ///
    /// # Errors
    /// As [`Self::open`].
    async fn read_again(&self) -> Result<(), String> {
        let read = read(&self.certificate, &self.key, self.asks).await?;
        self.config.reload_from_config(read.get_inner());
        Ok(())
    }

    /// The certificate that the server shows.
    pub fn certificate(&self) -> Option<ClientCertificate> {
        ClientCertificate::from_der(&first(&self.certificate)?)
    }

    /// Whether browsers that come by this host take the certificate for its.
    pub fn is_for(&self, host: &str) -> bool {
        let name = ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']').to_owned());
        let (Ok(name), Some(certificate)) = (name, first(&self.certificate)) else { return false };
        ParsedCertificate::try_from(&certificate)
            .is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }
}

fn first(path: &Path) -> Option<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).ok()?.next()?.ok()
}

async fn read(certificate: &Path, key: &Path, asks: bool) -> Result<RustlsConfig, String> {
    let (of_certificate, of_key) = (
        format!("server.tls_certificate: {}", certificate.display()),
        format!("server.tls_key: {}", key.display()),
    );
    let text =
        |path: &Path, of: &str| std::fs::read_to_string(path).map_err(|error| format!("{of}: {error}"));
    if !text(certificate, &of_certificate)?.contains("-----BEGIN CERTIFICATE-----") {
        return Err(format!("{of_certificate}: holds no certificate in PEM"));
    }
    if !text(key, &of_key)?.contains("PRIVATE KEY-----") {
        return Err(format!("{of_key}: holds no private key in PEM"));
    }
    let loaded = match asks {
        true => certified::asking(certificate, key),
        false => RustlsConfig::from_pem_file(certificate, key).await.map_err(|error| error.to_string()),
    };
    loaded.map_err(|error| format!("{of_certificate}, {of_key}: they cannot be used together: {error}"))
}

/// Hears SIGHUP from now on, which would end the process otherwise.
///
/// # Errors
/// Signals cannot be heard.
pub fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Whenever the operator asks for it by SIGHUP: reads again what they may have renewed, and says what came of it. Nothing
/// else changes, and nobody who is connected notices.
pub async fn renew(broker: Broker, tls: Option<Tls>, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        match &tls {
            Some(tls) => told(tls.read_again().await, "TLS certificate and key"),
            None => {
                tracing::info!("SIGHUP: there is no TLS certificate to read again; settings take a restart")
            }
        }
        expiry(&broker, tls.as_ref());
        let authorities = &broker.client_authorities;
        if !authorities.is_empty() {
            told(authorities.read_again().map_err(|error| error.to_string()), "authorities of clients");
        }
    }
}

fn told(outcome: Result<(), String>, what: &str) {
    match outcome {
        Ok(()) => tracing::info!("SIGHUP: {what} were read again and are in use"),
        Err(why) => tracing::error!(why, "SIGHUP: {what} cannot be used; those before stay in use"),
    }
}

/// Says in the log of a certificate that browsers refuse, or will soon.
pub fn expiry(broker: &Broker, tls: Option<&Tls>) {
    let Some(until) = tls.and_then(Tls::certificate).map(|certificate| certificate.not_after()) else {
        return;
    };
    if let Some(told) = ending(until, broker.now()) {
        tracing::warn!("server.tls_certificate {told}");
    }
}

/// What is to be told of a certificate that ends then, if anything.
pub fn ending(until: Moment, now: Moment) -> Option<String> {
    let renew = "put its successor in its place and send the server a SIGHUP";
    if until <= now {
        Some(format!("expired {}: {renew}", until.rfc3339()))
    } else if until <= now.plus(SOON) {
        Some(format!("is valid until {} only: {renew}", until.rfc3339()))
    } else {
        None
    }
}
