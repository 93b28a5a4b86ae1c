//! Keys that a customer wants us to have towards their SAML identity provider, instead of the project's.

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use crate::foundation::secret::Secret;
use crate::protocol::saml::keys::{DecryptingKey, SigningKey};

/// PKCS#8 in PEM. As one text it is the connection's secret, and sealed like any other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brought {
    pub signing: Option<Secret>,
    pub decryption: Option<Secret>,
}

#[derive(Serialize)]
struct Written<'s> {
    signing: Option<&'s str>,
    decryption: Option<&'s str>,
}

impl Brought {
    /// As it is sealed; nothing, if there is nothing.
    pub fn secret(&self) -> Option<Secret> {
        if self.signing.is_none() && self.decryption.is_none() {
            return None;
        }
        let written = Written {
            signing: self.signing.as_ref().map(Secret::expose),
            decryption: self.decryption.as_ref().map(Secret::expose),
        };
        serde_json::to_string(&written).ok().map(Secret::new)
    }

    pub fn parse(secret: &Secret) -> Option<Self> {
        serde_json::from_str(secret.expose()).ok()
    }
}

/// RSA of 2048 bits, P-256 or P-384.
pub fn signing_key(pem: &Secret) -> Option<SigningKey> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
    SigningKey::from_pkcs8(der.secret_pkcs8_der()).ok()
}

/// RSA of 2048 bits.
pub fn decrypting_key(pem: &Secret) -> Option<DecryptingKey> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
    DecryptingKey::from_pkcs8(der.secret_pkcs8_der()).ok()
}
