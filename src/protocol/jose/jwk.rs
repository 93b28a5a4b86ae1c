use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::Algorithm;
use super::json::{self, JsonError};

/// A public JSON Web Key for signatures (RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2). A private
/// member is not read, so it can be neither kept nor published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    pub kid: Option<String>,
    /// The only algorithm the key may be used with, if it says.
    pub alg: Option<Algorithm>,
    pub(super) material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Material {
    /// Big-endian, without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Ec {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed25519 {
        x: Vec<u8>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
}

/// Why a key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    #[error("the key is {0}")]
    Json(#[from] JsonError),
    #[error("the key is of a kind that is not supported")]
    Kind,
    #[error("the member {0} of the key is missing or malformed")]
    Member(&'static str),
    #[error("an RSA key must have 2048 to 8192 bits and an odd exponent of at least 3")]
    Rsa,
    #[error("an RSA key must have at most 4096 bits here")]
    Huge,
    #[error("the key does not lie on its curve")]
    Point,
    #[error("the key names an algorithm that is not supported or not for its kind")]
    Algorithm,
    #[error("the key is not for verifying signatures")]
    Use,
}

pub(super) const MAX_KID_BYTES: usize = 256;

impl Curve {
    fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }
    fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

impl Material {
    /// The algorithms that a key of this kind can verify: the key decides, never the token (RFC 8725, section 3.1).
    pub(super) fn algorithms(&self) -> &'static [Algorithm] {
        use Algorithm::*;
        match self {
            Self::Rsa { .. } => &[RS256, RS384, RS512, PS256],
            Self::Ec { curve: Curve::P256, .. } => &[ES256],
            Self::Ec { curve: Curve::P384, .. } => &[ES384],
            Self::Ed25519 { .. } => &[EdDSA],
        }
    }

    /// The required members in the order of their names, as a thumbprint wants them (RFC 7638, section 3.2).
    fn members(&self) -> Vec<(&'static str, String)> {
        let text = |bytes: &Vec<u8>| BASE64URL_NOPAD.encode(bytes);
        match self {
            Self::Rsa { n, e } => vec![("e", text(e)), ("kty", "RSA".into()), ("n", text(n))],
            Self::Ec { curve, x, y } => {
                vec![("crv", curve.name().into()), ("kty", "EC".into()), ("x", text(x)), ("y", text(y))]
            }
            Self::Ed25519 { x } => vec![("crv", "Ed25519".into()), ("kty", "OKP".into()), ("x", text(x))],
        }
    }
}

impl Jwk {
    /// Reads one key. `use`, `key_ops` and `alg` are obeyed; `oct` keys and unknown kinds are errors.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwkError> {
        Self::from_members(&json::object(bytes)?)
    }

    pub(super) fn from_members(members: &Map<String, Value>) -> Result<Self, JwkError> {
        let material = read_material(members)?;
        check_use(members)?;
        Ok(Self { kid: read_kid(members)?, alg: read_algorithm(members, &material)?, material })
    }

    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> + use<'_> {
        self.material
            .algorithms()
            .iter()
            .copied()
            .filter(|algorithm| self.alg.is_none_or(|only| only == *algorithm))
    }

    /// Whether verifying by it costs more than a stranger may ask of us: an RSA key of more than 4096 bits.
    pub(super) fn is_huge(&self) -> bool {
        matches!(&self.material, Material::Rsa { n, .. } if n.len() > 4096 / 8)
    }

    /// The SHA-256 thumbprint (RFC 7638) as 43 base64url characters.
    pub fn thumbprint(&self) -> String {
        // Values are base64url or fixed names, so nothing needs escaping.
        let members: Vec<String> =
            self.material.members().iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        let text = format!("{{{}}}", members.join(","));
        BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.material.members() {
            map.serialize_entry(name, &value)?;
        }
        map.serialize_entry("use", "sig")?;
        if let Some(alg) = self.alg {
            map.serialize_entry("alg", alg.name())?;
        }
        if let Some(kid) = &self.kid {
            map.serialize_entry("kid", kid)?;
        }
        map.end()
    }
}

fn read_material(members: &Map<String, Value>) -> Result<Material, JwkError> {
    let curve = members.get("crv").and_then(Value::as_str);
    match (members.get("kty").and_then(Value::as_str), curve) {
        (Some("RSA"), _) => read_rsa(members),
        (Some("EC"), Some("P-256")) => read_point(members, Curve::P256),
        (Some("EC"), Some("P-384")) => read_point(members, Curve::P384),
        (Some("OKP"), Some("Ed25519")) => Ok(Material::Ed25519 { x: read_exactly(members, "x", 32)? }),
        _ => Err(JwkError::Kind),
    }
}

fn read_rsa(members: &Map<String, Value>) -> Result<Material, JwkError> {
    let (n, e) = (read_number(members, "n")?, read_number(members, "e")?);
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let fits = (2048..=8192).contains(&bits) && is_odd(&n) && e.len() <= 4 && is_odd(&e) && e != [1];
    if fits { Ok(Material::Rsa { n, e }) } else { Err(JwkError::Rsa) }
}

fn read_point(members: &Map<String, Value>, curve: Curve) -> Result<Material, JwkError> {
    let bytes = curve.coordinate_bytes();
    Ok(Material::Ec { curve, x: read_exactly(members, "x", bytes)?, y: read_exactly(members, "y", bytes)? })
}

fn read_bytes(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    let text = members.get(name).and_then(Value::as_str).ok_or(JwkError::Member(name))?;
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| JwkError::Member(name))
}

fn read_exactly(
    members: &Map<String, Value>,
    name: &'static str,
    length: usize,
) -> Result<Vec<u8>, JwkError> {
    Some(read_bytes(members, name)?).filter(|bytes| bytes.len() == length).ok_or(JwkError::Member(name))
}

/// Leading zeros, which some providers send against RFC 7518 (section 6.3.1.1), are dropped.
fn read_number(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    Ok(read_bytes(members, name)?.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn read_kid(members: &Map<String, Value>) -> Result<Option<String>, JwkError> {
    match members.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if kid.len() <= MAX_KID_BYTES => Ok(Some(kid.clone())),
        Some(_) => Err(JwkError::Member("kid")),
    }
}

fn read_algorithm(members: &Map<String, Value>, material: &Material) -> Result<Option<Algorithm>, JwkError> {
    let Some(value) = members.get("alg") else { return Ok(None) };
    let named = value.as_str().and_then(Algorithm::from_name);
    named.filter(|algorithm| material.algorithms().contains(algorithm)).map(Some).ok_or(JwkError::Algorithm)
}

/// RFC 7517, sections 4.2 and 4.3.
fn check_use(members: &Map<String, Value>) -> Result<(), JwkError> {
    let signs = members.get("use").is_none_or(|purpose| purpose == "sig");
    let verifies = members.get("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|list| list.iter().any(|operation| operation == "verify"))
    });
    if signs && verifies { Ok(()) } else { Err(JwkError::Use) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{JwkSet, JwkSetError, SigningKey, VerifyingKey};
    use super::*;
    use serde_json::json;

    fn read(value: &Value) -> Result<VerifyingKey, JwkError> {
        Jwk::parse(value.to_string().as_bytes()).and_then(VerifyingKey::from_jwk)
    }

    fn rsa(bits: usize) -> Value {
        let mut n = vec![0xff; bits / 8];
        n[0] = 0x80;
        json!({"kty": "RSA", "n": BASE64URL_NOPAD.encode(&n), "e": "AQAB"})
    }

    fn with(mut key: Value, name: &str, value: impl Into<Value>) -> Value {
        key[name] = value.into();
        key
    }

    #[test]
    fn c13_a_key_serves_only_the_algorithms_of_its_kind_and_purpose() {
        use Algorithm::*;
        let served = |key: &Value| read(key).map(|key| key.jwk().algorithms().collect::<Vec<_>>());
        assert_eq!(served(&rsa(2048)).unwrap(), [RS256, RS384, RS512, PS256]);
        assert_eq!(served(&with(rsa(2048), "alg", "PS256")).unwrap(), [PS256]);
        assert_eq!(served(&with(rsa(2048), "use", "sig")).unwrap().len(), 4);
        assert_eq!(served(&with(rsa(2048), "key_ops", json!(["sign", "verify"]))).unwrap().len(), 4);
        assert_eq!(read(&with(rsa(2048), "alg", "ES256")).unwrap_err(), JwkError::Algorithm);
        assert_eq!(read(&with(rsa(2048), "alg", "HS256")).unwrap_err(), JwkError::Algorithm);
        assert_eq!(read(&with(rsa(2048), "alg", "none")).unwrap_err(), JwkError::Algorithm);
        assert_eq!(read(&with(rsa(2048), "alg", 1)).unwrap_err(), JwkError::Algorithm);
        assert_eq!(read(&with(rsa(2048), "use", "enc")).unwrap_err(), JwkError::Use);
        assert_eq!(read(&with(rsa(2048), "use", json!(["sig"]))).unwrap_err(), JwkError::Use);
        assert_eq!(read(&with(rsa(2048), "key_ops", json!(["encrypt"]))).unwrap_err(), JwkError::Use);
        assert_eq!(read(&with(rsa(2048), "key_ops", "verify")).unwrap_err(), JwkError::Use);
    }

    #[test]
    fn a_weak_or_malformed_key_is_refused() {
        let es256 = SigningKey::generate(Algorithm::ES256, "k").unwrap();
        let ec = serde_json::to_value(es256.public_jwk()).unwrap();
        let other =
            serde_json::to_value(SigningKey::generate(Algorithm::ES256, "k").unwrap().public_jwk()).unwrap();
        assert!(read(&rsa(2048)).is_ok() && read(&rsa(8192)).is_ok() && read(&ec).is_ok());
        let padded = BASE64URL_NOPAD.encode(&[&[0, 0x80][..], &[0xff; 255]].concat());
        assert_eq!(read(&with(rsa(2048), "n", padded)).unwrap().jwk(), read(&rsa(2048)).unwrap().jwk());
        let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"});
        for (key, error) in [
            (rsa(1024), JwkError::Rsa),
            (rsa(2040), JwkError::Rsa),
            (rsa(8200), JwkError::Rsa),
            (with(rsa(2048), "e", "AQ"), JwkError::Rsa),
            (with(rsa(2048), "e", "Ag"), JwkError::Rsa),
            (with(rsa(2048), "e", ""), JwkError::Rsa),
            (with(rsa(2048), "e", "AAAA"), JwkError::Rsa),
            (with(rsa(2048), "e", "AQAAAAE"), JwkError::Rsa),
            (with(rsa(2048), "n", ""), JwkError::Rsa),
            (with(rsa(2048), "n", "a+b/"), JwkError::Member("n")),
            (with(rsa(2048), "e", "AQAB="), JwkError::Member("e")),
            (with(rsa(2048), "e", 65537), JwkError::Member("e")),
            (with(rsa(2048), "kid", 1), JwkError::Member("kid")),
            (with(rsa(2048), "kid", "k".repeat(257)), JwkError::Member("kid")),
            (with(ec.clone(), "y", other["y"].clone()), JwkError::Point),
            (with(ec.clone(), "x", "AA"), JwkError::Member("x")),
            (with(ec.clone(), "crv", "P-384"), JwkError::Member("x")),
            (with(ec.clone(), "crv", "secp256k1"), JwkError::Kind),
            (with(ec.clone(), "kty", "OKP"), JwkError::Kind),
            (with(ec, "kty", "rsa"), JwkError::Kind),
            (symmetric, JwkError::Kind),
            (json!({}), JwkError::Kind),
        ] {
            assert_eq!(read(&key).unwrap_err(), error, "{key}");
        }
    }

    #[test]
    fn a_set_leaves_out_what_it_cannot_use() {
        let private = with(rsa(2048), "d", "c2VjcmV0");
        let text = json!({"keys": [
            with(private, "kid", "a"), with(rsa(3072), "kid", "a"), {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
            {"kty": "AKP", "alg": "ML-DSA-44"}, with(rsa(1024), "kid", "a"), with(rsa(2048), "alg", "RSA-OAEP"), 7, null,
        ], "extra": 1});
        let set = JwkSet::parse(text.to_string().as_bytes()).unwrap();
        assert_eq!(set.keys().len(), 2);
        assert_eq!(set.candidates(Some("a"), Algorithm::RS256).count(), 2);
        assert_eq!(set.candidates(None, Algorithm::PS256).count(), 2);
        assert_eq!(set.candidates(Some("b"), Algorithm::RS256).count(), 0);
        assert_eq!(set.candidates(Some("a"), Algorithm::ES256).count(), 0);
        let published = serde_json::to_string(&set).unwrap();
        assert!(!published.contains("\"d\"") && !published.contains("c2VjcmV0"), "{published}");
        assert_eq!(JwkSet::parse(published.as_bytes()).unwrap().keys().len(), 2);
    }

    #[test]
    fn a_document_that_is_no_set_is_refused() {
        let many = json!({"keys": vec![rsa(2048); 101]}).to_string();
        assert_eq!(JwkSet::parse(many.as_bytes()).unwrap_err(), JwkSetError::TooMany);
        for text in ["{}", r#"{"keys":{}}"#, r#"{"keys":null}"#] {
            assert_eq!(JwkSet::parse(text.as_bytes()).unwrap_err(), JwkSetError::NoKeys);
        }
        for text in ["", "[]", "<html>"] {
            assert_eq!(JwkSet::parse(text.as_bytes()).unwrap_err(), JwkSetError::Json(JsonError::Malformed));
        }
        let twice = br#"{"keys":[{"kty":"oct","kty":"RSA"}]}"#;
        assert_eq!(JwkSet::parse(twice).unwrap_err(), JwkSetError::Json(JsonError::DuplicateMember));
    }
}
