//! Who may vouch for the certificates of clients (RFC 8705, section 2.1): the authorities of a file of the operator's, and
//! nobody else.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::foundation::clock::Moment;

/// Without a file: nobody.
#[derive(Clone, Debug, Default)]
pub struct ClientAuthorities(Option<Arc<Listed>>);

#[derive(Debug)]
struct Listed {
    file: PathBuf,
    verifier: RwLock<Arc<dyn ClientCertVerifier>>,
}

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
        let verifier = RwLock::new(verifier(path)?);
        Ok(Self(Some(Arc::new(Listed { file: path.to_owned(), verifier }))))
    }

    /// Reads the file again: from now on its authorities count. If they cannot be used, those before do.
    pub fn read_again(&self) -> Result<(), AuthoritiesError> {
        if let Some(listed) = &self.0 {
            let read = verifier(&listed.file)?;
            *listed.verifier.write().unwrap_or_else(PoisonError::into_inner) = read;
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether one of them vouches for a client by this certificate now: chain, validity, and purpose.
    pub fn vouch_for(&self, certificate: &[u8], chain: &[Vec<u8>], now: Moment) -> bool {
        let Some(listed) = &self.0 else { return false };
        let verifier = Arc::clone(&listed.verifier.read().unwrap_or_else(PoisonError::into_inner));
        let chain: Vec<_> = chain.iter().map(|one| CertificateDer::from(one.as_slice())).collect();
        let seconds = Duration::from_secs(u64::try_from(now.seconds()).unwrap_or(0));
        let now = UnixTime::since_unix_epoch(seconds);
        verifier.verify_client_cert(&CertificateDer::from(certificate), &chain, now).is_ok()
    }
}

/// The certificates of a file in DER, as they stand there.
pub fn listed(path: &Path) -> Result<Vec<Vec<u8>>, AuthoritiesError> {
    let failed = |why: String| AuthoritiesError { path: path.display().to_string(), why };
    let read = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let read: Result<Vec<_>, _> = read.map(|one| one.map(|der| der.to_vec())).collect();
    read.map_err(|error| failed(error.to_string()))
}

fn verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, AuthoritiesError> {
    let failed = |why: String| AuthoritiesError { path: path.display().to_string(), why };
    let mut roots = RootCertStore::empty();
    for certificate in listed(path)? {
        let certificate = CertificateDer::from(certificate);
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("holds no certificate in PEM".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier
        .map_err(|error| failed(error.to_string()))
        .map(|verifier| verifier as Arc<dyn ClientCertVerifier>)
}
