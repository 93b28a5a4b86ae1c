use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RsaParameters,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::json::{self, JsonError};
use super::jwk::{Curve, Material};
use super::{Algorithm, Jwk, JwkError, SigningKey};

/// A public key, parsed once for every algorithm it may be used with.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    jwk: Jwk,
    parsed: Vec<(Algorithm, ParsedPublicKey)>,
}

impl VerifyingKey {
    pub fn from_jwk(jwk: Jwk) -> Result<Self, JwkError> {
        let parsed = jwk
            .algorithms()
            .map(|algorithm| Ok((algorithm, parse_key(&jwk.material, algorithm)?)))
            .collect::<Result<_, JwkError>>()?;
        Ok(Self { jwk, parsed })
    }

    pub fn from_signing_key(key: &SigningKey) -> Result<Self, JwkError> {
        Self::from_jwk(key.public_jwk().clone())
    }

    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    pub fn serves(&self, algorithm: Algorithm) -> bool {
        self.parsed.iter().any(|(own, _)| *own == algorithm)
    }

    /// Whether the key made `signature` over `message` by `algorithm`; never for an algorithm it does not serve.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let key = self.parsed.iter().find(|(own, _)| *own == algorithm);
        key.is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
    }
}

fn parse_key(material: &Material, algorithm: Algorithm) -> Result<ParsedPublicKey, JwkError> {
    match material {
        Material::Rsa { n, e } => {
            let parameters = rsa_parameters(algorithm).ok_or(JwkError::Algorithm)?;
            PublicKeyComponents { n, e }.to_parsed_public_key(parameters).map_err(|_| JwkError::Rsa)
        }
        Material::Ec { curve, x, y } => {
            let parameters = match curve {
                Curve::P256 => &ECDSA_P256_SHA256_FIXED,
                Curve::P384 => &ECDSA_P384_SHA384_FIXED,
            };
            // The uncompressed form (SEC 1, section 2.3.3); reading it checks the curve's equation.
            let point = [&[4], x.as_slice(), y].concat();
            ParsedPublicKey::new(parameters, point).map_err(|_| JwkError::Point)
        }
        Material::Ed25519 { x } => ParsedPublicKey::new(&ED25519, x).map_err(|_| JwkError::Point),
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => None,
    }
}

/// A JWK Set (RFC 7517, section 5): the keys that were pinned for one issuer.
#[derive(Clone, Debug, Default)]
pub struct JwkSet {
    keys: Vec<VerifyingKey>,
}

/// Why a document is not a JWK Set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkSetError {
    #[error("the key set is {0}")]
    Json(#[from] JsonError),
    #[error("the key set has no list named keys")]
    NoKeys,
    #[error("the key set holds more than {} keys", JwkSet::MAX_KEYS)]
    TooMany,
}

impl JwkSet {
    pub const MAX_KEYS: usize = 100;

    pub fn new(keys: Vec<VerifyingKey>) -> Self {
        Self { keys }
    }

    /// Reads a set and leaves out what cannot be used: unknown kinds and algorithms, keys for encryption, `oct`
    /// keys, malformed and weak ones. One `kid` may name several keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwkSetError> {
        let document = json::object(bytes)?;
        let list = document.get("keys").and_then(Value::as_array).ok_or(JwkSetError::NoKeys)?;
        if list.len() > Self::MAX_KEYS {
            return Err(JwkSetError::TooMany);
        }
        let jwks = list.iter().filter_map(|entry| Jwk::from_members(entry.as_object()?).ok());
        Ok(Self { keys: jwks.filter_map(|jwk| VerifyingKey::from_jwk(jwk).ok()).collect() })
    }

    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// The keys that may have signed: those of exactly this `kid`, or all if the token names none, as far as they
    /// serve the algorithm.
    pub fn candidates<'a>(
        &'a self,
        kid: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a VerifyingKey> {
        let named = move |key: &&VerifyingKey| kid.is_none() || key.jwk.kid.as_deref() == kid;
        self.keys.iter().filter(named).filter(move |key| key.serves(algorithm))
    }
}

impl Serialize for JwkSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keys: Vec<&Jwk> = self.keys.iter().map(VerifyingKey::jwk).collect();
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("keys", &keys)?;
        map.end()
    }
}
