//! A token that brings the key by which it is signed (RFC 7515, section 4.1.3). It proves that whoever made it holds the
//! private key, and nothing of who that is: only what asks for no more is read here.

use super::jwk::JwkError;
use super::jws::header;
use super::{Algorithm, Claims, JoseError, Jwk, JwkSet, Jws, Typ, Verified, VerifyingKey};

/// Members that only a private or a symmetric key has (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The key in the header of a token, by what the token is signed, and what it says, if it is signed by that key.
///
/// # Errors
/// As of [`Jws::verify`]; and a key that is missing, private, weak, too large, or not for the token's algorithm.
pub fn verify_by_brought_key(
    token: &str,
    max_bytes: usize,
    allowed: &[Algorithm],
    typ: Typ,
) -> Result<(Jwk, Algorithm, Verified<Claims>), JoseError> {
    let jws = Jws::parse_within(token, max_bytes)?;
    let algorithm = jws.algorithm();
    if !allowed.contains(&algorithm) {
        return Err(JoseError::AlgorithmNotAllowed(algorithm));
    }
    let header = header(token)?;
    let members = header.get("jwk").and_then(|key| key.as_object()).ok_or(JoseError::NoBroughtKey)?;
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return Err(JoseError::PrivateKey);
    }
    let mut jwk = Jwk::from_members(members)?;
    if jwk.is_huge() {
        return Err(JwkError::Huge.into());
    }
    // It is this one key, whatever the token calls it, and is parsed for this one algorithm.
    jwk.kid = jws.kid().map(str::to_owned);
    if jwk.alg.is_some_and(|only| only != algorithm) {
        return Err(JwkError::Algorithm.into());
    }
    jwk.alg = Some(algorithm);
    let key = VerifyingKey::from_jwk(jwk.clone())?;
    let claims = jws.verify(&JwkSet::new(vec![key]), allowed, typ)?;
    Ok((jwk, algorithm, claims))
}
