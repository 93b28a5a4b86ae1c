use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::json::{self, JsonError};
use super::jwk::MAX_KID_BYTES;
use super::{Algorithm, ClaimError, Claims, JwkError, JwkSet};

/// How long a token may be unless its reader says otherwise.
pub const DEFAULT_MAX_BYTES: usize = 16 * 1024;
const MAX_HEADER_BYTES: usize = 2 * 1024;

/// Why a token is refused, for the log; whoever sent it is told less.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoseError {
    #[error("the token is too long")]
    TooLong,
    #[error("the token does not have three parts")]
    Parts,
    #[error("the {0} of the token is not canonical base64url")]
    Base64(&'static str),
    #[error("the header of the token is too long")]
    HeaderTooLong,
    #[error("the header of the token is {0}")]
    Header(JsonError),
    #[error("the header of the token demands extensions (crit)")]
    Critical,
    #[error("the payload of the token is unencoded (b64)")]
    Unencoded,
    #[error("the payload of the token is compressed (zip)")]
    Compressed,
    #[error("the header of the token names no algorithm")]
    NoAlgorithm,
    #[error("the token is signed by an algorithm that is not supported")]
    UnknownAlgorithm,
    #[error("the token is signed by {}, which is not allowed here", .0.name())]
    AlgorithmNotAllowed(Algorithm),
    #[error("the kid of the token is not a text of at most {MAX_KID_BYTES} bytes")]
    Kid,
    #[error("the token is of another type")]
    Type,
    #[error("no key fits the kid and algorithm of the token")]
    NoKey,
    #[error("the signature of the token is not valid")]
    Signature,
    #[error("the token does not bring the key that it is signed by")]
    NoBroughtKey,
    #[error("the token brings a private key")]
    PrivateKey,
    #[error("the key that the token brings cannot be used: {0}")]
    BroughtKey(#[from] JwkError),
    #[error(transparent)]
    Claims(#[from] ClaimError),
}

/// Which `typ` a token must declare, so that one kind cannot pass for another (RFC 8725, section 3.11; threat M05).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typ {
    /// Absent or `JWT`: the ID token of a stranger.
    Jwt,
    /// Absent, `JWT`, or this one: what strangers have always sent as `JWT`, and shall come to name.
    JwtOr(&'static str),
    /// This one and no other.
    Exactly(&'static str),
}

impl Typ {
    /// RFC 9068, section 2.1.
    pub const ACCESS_TOKEN: Self = Self::Exactly("at+jwt");
    /// The revision of RFC 7523, which names the type of client assertions.
    pub const CLIENT_ASSERTION: Self = Self::JwtOr("client-authentication+jwt");
    /// OpenID Connect Back-Channel Logout 1.0, section 2.4.
    pub const LOGOUT_TOKEN: Self = Self::Exactly("logout+jwt");

    /// Media types compare without case and without `application/` (RFC 7515, section 4.1.9).
    fn admits(self, typ: Option<&str>) -> bool {
        let is = |wanted: &str| {
            typ.is_some_and(|typ| {
                let short = typ.get(..12).filter(|start| start.eq_ignore_ascii_case("application/"));
                typ[short.map_or(0, str::len)..].eq_ignore_ascii_case(wanted)
            })
        };
        match self {
            Self::Jwt => typ.is_none() || is("JWT"),
            Self::JwtOr(other) => typ.is_none() || is("JWT") || is(other),
            Self::Exactly(wanted) => is(wanted),
        }
    }
}

/// Something whose signature was checked. Only [`Jws::verify`] and [`Jws::verify_bytes`] make one.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub fn get(&self) -> &T {
        &self.0
    }
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A JWS in compact form (RFC 7515, section 7.1), read but not believed: it shows which key it asks for, and
/// nothing of its payload.
pub struct Jws<'a> {
    signing_input: &'a str,
    algorithm: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Reads at most [`DEFAULT_MAX_BYTES`].
    pub fn parse(token: &'a str) -> Result<Self, JoseError> {
        Self::parse_within(token, DEFAULT_MAX_BYTES)
    }

    pub fn parse_within(token: &'a str, max_bytes: usize) -> Result<Self, JoseError> {
        if token.len() > max_bytes {
            return Err(JoseError::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JoseError::Parts)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JoseError::Parts)?;
        if payload.contains('.') {
            return Err(JoseError::Parts);
        }
        let header = read_header(header)?;
        check_extensions(&header)?;
        Ok(Self {
            signing_input,
            algorithm: read_algorithm(&header)?,
            kid: read_kid(&header)?,
            typ: read_typ(&header)?,
            payload: decode(payload, "payload")?,
            signature: decode(signature, "signature")?,
        })
    }

    /// What the token claims to be signed by; not proved.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Which key the token asks for; an opaque name of at most 256 bytes.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Checks type, algorithm and signature, and reads the claims. [`JoseError::NoKey`] tells the caller that
    /// fetching the keys again may help. Issuer, audience and times are the caller's to check.
    pub fn verify(
        self,
        keys: &JwkSet,
        allowed: &[Algorithm],
        typ: Typ,
    ) -> Result<Verified<Claims>, JoseError> {
        let payload = self.verify_bytes(keys, allowed, typ)?;
        Ok(Verified(Claims::parse(&payload.0)?))
    }

    /// As [`Jws::verify`], for a payload that is not a set of claims.
    pub fn verify_bytes(
        self,
        keys: &JwkSet,
        allowed: &[Algorithm],
        typ: Typ,
    ) -> Result<Verified<Vec<u8>>, JoseError> {
        if !allowed.contains(&self.algorithm) {
            return Err(JoseError::AlgorithmNotAllowed(self.algorithm));
        }
        if !typ.admits(self.typ.as_deref()) {
            return Err(JoseError::Type);
        }
        let mut candidates = keys.candidates(self.kid.as_deref(), self.algorithm).peekable();
        if candidates.peek().is_none() {
            return Err(JoseError::NoKey);
        }
        let signed = self.signing_input.as_bytes();
        match candidates.any(|key| key.verify(self.algorithm, signed, &self.signature)) {
            true => Ok(Verified(self.payload)),
            false => Err(JoseError::Signature),
        }
    }
}

/// One text for one value: no padding, no white space, no bits left over (RFC 7515, section 2).
fn decode(text: &str, part: &'static str) -> Result<Vec<u8>, JoseError> {
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| JoseError::Base64(part))
}

/// The header of a token that [`Jws::parse_within`] has read, not believed.
pub(super) fn header(token: &str) -> Result<Map<String, Value>, JoseError> {
    read_header(token.split('.').next().unwrap_or_default())
}

fn read_header(text: &str) -> Result<Map<String, Value>, JoseError> {
    if text.len() > MAX_HEADER_BYTES * 4 / 3 {
        return Err(JoseError::HeaderTooLong);
    }
    json::object(&decode(text, "header")?).map_err(JoseError::Header)
}

/// We know no extension, so a token that demands one is refused (RFC 7515, section 4.1.11), and so is one whose
/// payload is not what its bytes say (RFC 7797; RFC 7516, section 4.1.3).
fn check_extensions(header: &Map<String, Value>) -> Result<(), JoseError> {
    let refused =
        [("crit", JoseError::Critical), ("b64", JoseError::Unencoded), ("zip", JoseError::Compressed)];
    match refused.into_iter().find(|(name, _)| header.contains_key(*name)) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

fn read_algorithm(header: &Map<String, Value>) -> Result<Algorithm, JoseError> {
    let name = header.get("alg").and_then(Value::as_str).ok_or(JoseError::NoAlgorithm)?;
    Algorithm::from_name(name).ok_or(JoseError::UnknownAlgorithm)
}

fn read_kid(header: &Map<String, Value>) -> Result<Option<String>, JoseError> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if kid.len() <= MAX_KID_BYTES => Ok(Some(kid.clone())),
        Some(_) => Err(JoseError::Kid),
    }
}

fn read_typ(header: &Map<String, Value>) -> Result<Option<String>, JoseError> {
    match header.get("typ") {
        None => Ok(None),
        Some(Value::String(typ)) => Ok(Some(typ.clone())),
        Some(_) => Err(JoseError::Type),
    }
}
