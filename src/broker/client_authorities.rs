//! Who may vouch for the certificates of clients (RFC 8705, section 2.1): the authorities of a file of the operator's, and
//! nobody else.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::foundation::clock::Moment;

/// Without a file: nobody.
#[derive(Clone, Debug, Default)]
pub struct ClientAuthorities(Option<Arc<dyn ClientCertVerifier>>);

/// Why a file names no authorities.
#[derive(Debug, thiserror::Error)]
#[error("client_certificates.authorities: {path}: {why}")]
pub struct AuthoritiesError {
    path: String,
    why: String,
}

impl ClientAuthorities {
    /// Reads certificates in PEM; each must be one that can vouch.
    pub fn open(file: Option<&Path>) -> Result<Self, AuthoritiesError> {
        let Some(path) = file else { return Ok(Self::default()) };
        let failed = |why: String| AuthoritiesError { path: path.display().to_string(), why };
        let mut roots = RootCertStore::empty();
        let read = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
        for certificate in read {
            let certificate = certificate.map_err(|error| failed(error.to_string()))?;
            roots.add(certificate).map_err(|error| failed(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(failed("holds no certificate in PEM".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self(Some(verifier.map_err(|error| failed(error.to_string()))?)))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether one of them vouches for a client by this certificate now: chain, validity, and purpose.
    pub fn vouch_for(&self, certificate: &[u8], chain: &[Vec<u8>], now: Moment) -> bool {
        let Some(verifier) = &self.0 else { return false };
        let chain: Vec<_> = chain.iter().map(|one| CertificateDer::from(one.as_slice())).collect();
        let seconds = Duration::from_secs(u64::try_from(now.seconds()).unwrap_or(0));
        let now = UnixTime::since_unix_epoch(seconds);
        verifier.verify_client_cert(&CertificateDer::from(certificate), &chain, now).is_ok()
    }
}
