use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use zeroize::Zeroizing;

use super::jwk::{Curve, Material};
use super::{Algorithm, Jwk};

/// A private key of ours with its `kid`, parsed once and kept. Shared freely between threads.
///
/// The library that holds the key draws its chance itself, from the same source as `foundation::random`; it
/// accepts no other.
pub struct SigningKey {
    pair: Pair,
    jwk: Jwk,
    algorithm: Algorithm,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why there is no key or no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("Behalf signs by RS256, ES256 and EdDSA, not by {}", .0.name())]
    Algorithm(Algorithm),
    #[error("the private key is malformed or not for its algorithm")]
    Key,
    #[error("the claims cannot be written as JSON")]
    Claims,
    #[error("the cryptographic library failed")]
    Crypto,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
}

impl SigningKey {
    /// A new key: RSA of 2048 bits for RS256, P-256 for ES256, Ed25519 for EdDSA.
    pub fn generate(algorithm: Algorithm, kid: impl Into<String>) -> Result<Self, SignError> {
        let pair = match algorithm {
            Algorithm::RS256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Algorithm::ES256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Ec),
            Algorithm::EdDSA => Ed25519KeyPair::generate().map(Pair::Ed25519),
            other => return Err(SignError::Algorithm(other)),
        };
        Self::new(pair.map_err(|_| SignError::Crypto)?, algorithm, kid.into())
    }

    /// From an unencrypted PKCS#8 document (RFC 5958).
    pub fn from_pkcs8(algorithm: Algorithm, kid: impl Into<String>, der: &[u8]) -> Result<Self, SignError> {
        let pair = match algorithm {
            Algorithm::RS256 => RsaKeyPair::from_pkcs8(der).map(Pair::Rsa),
            Algorithm::ES256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Pair::Ec),
            Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8(der).map(Pair::Ed25519),
            other => return Err(SignError::Algorithm(other)),
        };
        Self::new(pair.map_err(|_| SignError::Key)?, algorithm, kid.into())
    }

    fn new(pair: Pair, algorithm: Algorithm, kid: String) -> Result<Self, SignError> {
        let material = pair.public().ok_or(SignError::Key)?;
        Ok(Self { pair, algorithm, jwk: Jwk { kid: Some(kid), alg: Some(algorithm), material } })
    }

    /// As a PKCS#8 version 1 document, to be sealed at once.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, SignError> {
        let der = match &self.pair {
            Pair::Rsa(pair) => {
                AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|der| Zeroizing::new(der.as_ref().to_vec()))
            }
            Pair::Ec(pair) => pair.to_pkcs8v1().map(|der| Zeroizing::new(der.as_ref().to_vec())),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map(|der| Zeroizing::new(der.as_ref().to_vec())),
        };
        der.map_err(|_| SignError::Crypto)
    }

    /// The same key under another `kid`.
    #[must_use]
    pub fn named(mut self, kid: String) -> Self {
        self.jwk.kid = Some(kid);
        self
    }

    pub fn kid(&self) -> &str {
        self.jwk.kid.as_deref().unwrap_or_default()
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn public_jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// A JWT in compact form (RFC 7519, section 7.1) whose header says `alg`, `kid` and `typ`.
    pub fn sign_jwt(&self, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
        let payload = serde_json::to_vec(claims).map_err(|_| SignError::Claims)?;
        self.sign_jws(typ, &payload)
    }

    #[cfg(test)]
    pub(super) fn signature_text(&self, message: &[u8]) -> Result<String, SignError> {
        Ok(BASE64URL_NOPAD.encode(self.pair.sign(message, &mut [0; MAX_SIGNATURE_BYTES])?))
    }

    /// A JWS in compact form (RFC 7515, section 7.1) over any bytes.
    pub fn sign_jws(&self, typ: &str, payload: &[u8]) -> Result<String, SignError> {
        let header = Header { alg: self.algorithm.name(), kid: self.kid(), typ };
        let header = serde_json::to_vec(&header).map_err(|_| SignError::Claims)?;
        let mut token = String::with_capacity((header.len() + payload.len()) * 4 / 3 + 512);
        BASE64URL_NOPAD.encode_append(&header, &mut token);
        token.push('.');
        BASE64URL_NOPAD.encode_append(payload, &mut token);
        let mut space = [0; MAX_SIGNATURE_BYTES];
        let signature = self.pair.sign(token.as_bytes(), &mut space)?;
        token.push('.');
        BASE64URL_NOPAD.encode_append(signature, &mut token);
        Ok(token)
    }
}

/// That of RSA with 8192 bits.
const MAX_SIGNATURE_BYTES: usize = 1024;

impl Pair {
    fn sign<'a>(
        &self,
        message: &[u8],
        space: &'a mut [u8; MAX_SIGNATURE_BYTES],
    ) -> Result<&'a [u8], SignError> {
        let made = match self {
            Self::Rsa(pair) => {
                let signature = space.get_mut(..pair.public_modulus_len()).ok_or(SignError::Key)?;
                pair.sign_digest(&RSA_PKCS1_SHA256, &digest(&SHA256, message), signature)
                    .map_err(|_| SignError::Crypto)?;
                return Ok(signature);
            }
            Self::Ec(pair) => pair.sign_digest(&digest(&SHA256, message)),
            Self::Ed25519(pair) => pair.try_sign(message),
        };
        let made = made.map_err(|_| SignError::Crypto)?;
        let signature = space.get_mut(..made.as_ref().len()).ok_or(SignError::Crypto)?;
        signature.copy_from_slice(made.as_ref());
        Ok(signature)
    }

    fn public(&self) -> Option<Material> {
        match self {
            Self::Rsa(pair) => {
                let key = pair.public_key();
                let n = key.modulus().big_endian_without_leading_zero().to_vec();
                let e = key.exponent().big_endian_without_leading_zero().to_vec();
                // PKCS#8 may bring any size; ours verify from 2048 bits only.
                (n.len() >= 256).then_some(Material::Rsa { n, e })
            }
            Self::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref().strip_prefix(&[4])?.split_at_checked(32)?;
                Some(Material::Ec { curve: Curve::P256, x: x.to_vec(), y: y.to_vec() })
            }
            Self::Ed25519(pair) => Some(Material::Ed25519 { x: pair.public_key().as_ref().to_vec() }),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.algorithm.name(), self.kid())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{JwkSet, Jws, Typ, VerifyingKey};
    use super::*;

    #[test]
    fn c29_a_key_comes_back_from_its_document_and_is_not_printed() {
        fn shared<T: Send + Sync>(_: &T) {}
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            let key = SigningKey::generate(algorithm, "k1").unwrap();
            shared(&key);
            let der = key.to_pkcs8().unwrap();
            let again = SigningKey::from_pkcs8(algorithm, "k1", &der).unwrap();
            assert_eq!(again.public_jwk(), key.public_jwk());
            assert_eq!(format!("{key:?}"), format!("SigningKey({}, k1)", algorithm.name()));
            let set = JwkSet::new(vec![VerifyingKey::from_signing_key(&key).unwrap()]);
            let token = again.sign_jwt("JWT", &serde_json::json!({"sub": "ann"})).unwrap();
            assert!(Jws::parse(&token).unwrap().verify(&set, &[algorithm], Typ::Jwt).is_ok());
            for other in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
                assert_eq!(SigningKey::from_pkcs8(other, "k1", &der).is_ok(), other == algorithm);
            }
            assert_eq!(SigningKey::from_pkcs8(algorithm, "k1", &der[1..]).unwrap_err(), SignError::Key);
        }
    }

    #[test]
    fn a_kid_or_type_is_written_as_json_whatever_it_holds() {
        let key = SigningKey::generate(Algorithm::EdDSA, "k\",\"alg\":\"none").unwrap();
        let set = JwkSet::new(vec![VerifyingKey::from_signing_key(&key).unwrap()]);
        let token = key.sign_jws("JWT", b"{}").unwrap();
        assert!(Jws::parse(&token).unwrap().verify(&set, &[Algorithm::EdDSA], Typ::Jwt).is_ok());
    }

    #[test]
    fn behalf_does_not_sign_by_what_it_only_verifies() {
        for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::ES384] {
            assert_eq!(SigningKey::generate(algorithm, "k").unwrap_err(), SignError::Algorithm(algorithm));
        }
    }
}
