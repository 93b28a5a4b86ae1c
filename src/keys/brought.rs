//! Keys that a customer wants us to have towards their SAML identity provider, instead of the project's.

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use crate::foundation::secret::Secret;
use crate::protocol::saml::keys::{DecryptingKey, SigningKey};

/// The longest RSA modulus, in bits: the work for one message grows with its cube, and anybody may send us messages.
const LONGEST_RSA: usize = 4096;

/// PKCS#8 in PEM. As one text it is the connection's secret, and sealed like any other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brought {
    pub signing: Option<Secret>,
    /// Published ahead; it signs nothing yet.
    pub next_signing: Option<Secret>,
    pub decryption: Option<Secret>,
    /// Published ahead; it opens what comes already.
    pub next_decryption: Option<Secret>,
    /// Not published any more; it still opens what comes.
    pub previous_decryption: Option<Secret>,
}

#[derive(Serialize)]
struct Written<'s> {
    signing: Option<&'s str>,
    next_signing: Option<&'s str>,
    decryption: Option<&'s str>,
    next_decryption: Option<&'s str>,
    previous_decryption: Option<&'s str>,
}

impl Brought {
    /// As it is sealed; nothing, if there is nothing.
    pub fn secret(&self) -> Option<Secret> {
        if *self == Self::default() {
            return None;
        }
        let written = Written {
            signing: text(&self.signing),
            next_signing: text(&self.next_signing),
            decryption: text(&self.decryption),
            next_decryption: text(&self.next_decryption),
            previous_decryption: text(&self.previous_decryption),
        };
        serde_json::to_string(&written).ok().map(Secret::new)
    }

    pub fn parse(secret: &Secret) -> Option<Self> {
        serde_json::from_str(secret.expose()).ok()
    }
}

fn text(secret: &Option<Secret>) -> Option<&str> {
    secret.as_ref().map(Secret::expose)
}

/// RSA of 2048 to 4096 bits, P-256 or P-384.
pub fn signing_key(pem: &Secret) -> Option<SigningKey> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
    let key = SigningKey::from_pkcs8(der.secret_pkcs8_der()).ok()?;
    key.verifying_key().rsa_bits().is_none_or(|bits| bits <= LONGEST_RSA).then_some(key)
}

/// RSA of 2048 to 4096 bits.
pub fn decrypting_key(pem: &Secret) -> Option<DecryptingKey> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
    let key = DecryptingKey::from_pkcs8(der.secret_pkcs8_der()).ok()?;
    (key.rsa_bits() <= LONGEST_RSA).then_some(key)
}
