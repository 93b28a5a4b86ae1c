//! Keys, certificates and messages that other tools made (OpenSSL, Python's `cryptography`, `xmlsec1`), for tests.

#![allow(clippy::unwrap_used)]

use super::base64;
use super::keys::{DecryptingKey, SigningKey};
use crate::foundation::random::Random;

/// One of the files beside this one.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/protocol/saml/fixtures/", $name))
    };
}
pub(super) use fixture;

pub(super) const RSA_2048: &str = fixture!("rsa2048.key");
pub(super) const OTHER_2048: &str = fixture!("other2048.key");
pub(super) const P256: &str = fixture!("p256.key");
pub(super) const P384: &str = fixture!("p384.key");

pub(super) fn der(base64: &str) -> Vec<u8> {
    base64::decode(base64, 1 << 20).unwrap()
}

pub(super) fn signing(key: &str) -> SigningKey {
    SigningKey::from_pkcs8(&der(key)).unwrap()
}

pub(super) fn decrypting(key: &str) -> DecryptingKey {
    DecryptingKey::from_pkcs8(&der(key)).unwrap()
}

/// `bytes` with one to four small accidents: a byte changed, removed or doubled, the end cut off.
pub(super) fn mutant(random: &Random, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.bytes::<1>()[0] % 4 {
        if bytes.is_empty() {
            return bytes;
        }
        let [kind, value, high, low] = random.bytes();
        let at = usize::from(u16::from_be_bytes([high, low])) % bytes.len();
        match kind % 8 {
            0..=3 => bytes[at] = value,
            4 => bytes[at] ^= 1 << (value % 8),
            5 => drop(bytes.remove(at)),
            6 => bytes.insert(at, value),
            _ => bytes.truncate(at),
        }
    }
    bytes
}
