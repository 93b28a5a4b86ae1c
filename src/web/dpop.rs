//! How a program shows an access token, and how it is told what a bound one needs (RFC 6750, section 2.1; RFC 9449,
//! sections 7 to 9).

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::visitor::Visitor;
use crate::protocol::oauth::dpop::ALGORITHMS;
use crate::protocol::oauth::error::OAuthError;

/// The header that brings a proof.
pub const PROOF: HeaderName = HeaderName::from_static("dpop");
/// The header that hands out a nonce.
pub const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// How a token is shown: by whoever holds it, or with a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Bearer,
    Dpop,
}

/// What the `Authorization` header shows. Nothing: there is none, there is more than one, or it is of another scheme.
pub fn shown(headers: &HeaderMap) -> Option<(Scheme, &str)> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (only, None) = (all.next()?, all.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let scheme = match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
        _ if scheme.eq_ignore_ascii_case("dpop") => Scheme::Dpop,
        _ => return None,
    };
    Some((scheme, token.trim()))
}

/// Whether somebody tries to prove that they hold a key.
pub fn is_used(headers: &HeaderMap) -> bool {
    headers.contains_key(PROOF) || shown(headers).is_some_and(|(scheme, _)| scheme == Scheme::Dpop)
}

/// Hands out a nonce to who has use for it (RFC 9449, section 8.2).
pub fn hand_out(visitor: &Visitor, headers: &mut HeaderMap) {
    if !is_used(&visitor.headers) {
        return;
    }
    let nonce = visitor.broker().keyring.nonce(visitor.project.id, visitor.broker().now());
    if let Ok(nonce) = HeaderValue::from_str(&nonce) {
        headers.insert(NONCE, nonce);
    }
}

/// What a bound token needs, and what was wrong (RFC 9449, section 7.1).
pub fn challenge(error: Option<&OAuthError>) -> String {
    let names: Vec<_> = ALGORITHMS.iter().map(|algorithm| algorithm.name()).collect();
    let algorithms = format!("algs=\"{}\"", names.join(" "));
    match error {
        None => format!("DPoP {algorithms}"),
        Some(OAuthError { code, description, .. }) => {
            format!("DPoP error=\"{code}\", error_description=\"{description}\", {algorithms}")
        }
    }
}

/// One more challenge, for whoever could come by it as well.
pub fn challenge_too(headers: &mut HeaderMap, challenge: &str) {
    if let Ok(value) = HeaderValue::from_str(challenge) {
        headers.append(header::WWW_AUTHENTICATE, value);
    }
}
