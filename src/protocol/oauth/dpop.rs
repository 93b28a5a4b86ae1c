//! Proofs that whoever sends a request holds a key (DPoP, RFC 9449): one proof for one request.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::foundation::clock::Moment;
use crate::protocol::jose::{Algorithm, Claims, JoseError, Typ, verify_by_brought_key};

/// By what a proof may be signed.
pub const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::ES256, Algorithm::EdDSA, Algorithm::PS256, Algorithm::ES384, Algorithm::RS256];
/// How far from now a proof may have been made (threats M06).
pub const WINDOW: Duration = Duration::from_secs(60);

const TYP: Typ = Typ::Exactly("dpop+jwt");
/// Bytes of a proof; one with an RSA key of 4096 bits has 2 KiB.
const LONGEST: usize = 4 * 1024;
/// Bytes of a `jti`.
const LONGEST_JTI: usize = 256;

/// The request that a proof must be for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Where we are asked, as it is configured, without query and fragment: one of these.
    pub uris: &'a [String],
    /// What the proof must be bound to as well, where it comes with one.
    pub access_token: Option<&'a str>,
    pub now: Moment,
}

/// A proof that is good for a request, as far as it can be told without knowing other proofs and our own nonces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The thumbprint of its key (RFC 7638).
    pub jkt: String,
    pub jti: String,
    /// What it is for, in its one spelling.
    pub uri: String,
    pub nonce: Option<String>,
    pub made_at: Moment,
    /// By which it is signed.
    pub algorithm: Algorithm,
}

/// Why a proof is none (section 4.3). The text is for the developer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("{0}")]
    Jose(#[from] JoseError),
    #[error("htm is not the method of this request")]
    Method,
    #[error("htu is not the address of this request")]
    Address,
    #[error("iat is missing or no date")]
    NoTime,
    #[error("iat is more than a minute ago")]
    Old,
    #[error("iat is more than a minute ahead")]
    Ahead,
    #[error("jti is missing or longer than {LONGEST_JTI} bytes")]
    Jti,
    #[error("ath is not the hash of the access token")]
    AccessToken,
    #[error("nonce is no text")]
    Nonce,
}

/// Reads a proof and holds it against the request that it came with.
pub fn read(text: &str, request: &Request<'_>) -> Result<Proof, ProofError> {
    let (key, algorithm, claims) = verify_by_brought_key(text, LONGEST, &ALGORITHMS, TYP)?;
    let is = |name: &str, wanted: &str| claims.string(name).is_ok_and(|text| text == wanted);
    if !is("htm", request.method) {
        return Err(ProofError::Method);
    }
    let uri = claims.string("htu").ok().and_then(normal).ok_or(ProofError::Address)?;
    if !request.uris.iter().any(|own| normal(own).as_ref() == Some(&uri)) {
        return Err(ProofError::Address);
    }
    if let Some(token) = request.access_token
        && !is("ath", &hash(token))
    {
        return Err(ProofError::AccessToken);
    }
    let made_at = in_time(&claims, request.now)?;
    let jti = claims.string("jti").ok().filter(|jti| jti.len() <= LONGEST_JTI).ok_or(ProofError::Jti)?;
    let nonce = claims.get().get("nonce").map(|_| claims.string("nonce")).transpose();
    Ok(Proof {
        jkt: key.thumbprint(),
        jti: jti.to_owned(),
        uri,
        nonce: nonce.map_err(|_| ProofError::Nonce)?.map(str::to_owned),
        made_at,
        algorithm,
    })
}

fn in_time(claims: &Claims, now: Moment) -> Result<Moment, ProofError> {
    let made_at = claims.iat().map_err(|_| ProofError::NoTime)?;
    match made_at {
        _ if now > made_at.plus(WINDOW) => Err(ProofError::Old),
        _ if made_at > now.plus(WINDOW) => Err(ProofError::Ahead),
        _ => Ok(made_at),
    }
}

/// The hash of an access token that `ath` holds (section 4.2).
pub fn hash(access_token: &str) -> String {
    BASE64URL_NOPAD.encode(digest(&SHA256, access_token.as_bytes()).as_ref())
}

/// Whether a text is the thumbprint of a key: 32 bytes in base64url.
pub fn is_thumbprint(text: &str) -> bool {
    BASE64URL_NOPAD.decode(text.as_bytes()).is_ok_and(|bytes| bytes.len() == 32)
}

/// Compares two thumbprints in constant time.
pub fn is_same_key(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// An address in its one spelling, without query and fragment (RFC 3986, sections 6.2.2 and 6.2.3). Nothing: it is no
/// web address.
fn normal(uri: &str) -> Option<String> {
    // What readers of addresses leave out or turn around, they do each in their own way.
    if !uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return None;
    }
    let url = Url::parse(uri).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    if !is_plain || !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let steps: Vec<String> = url.path().split('/').map(unescaped).collect();
    Some(format!("{}{}", url.origin().ascii_serialization(), steps.join("/")))
}

/// Escapes what must be, in capitals, and nothing else.
fn unescaped(step: &str) -> String {
    let mut parts = step.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        let escape = format!("%{}", digits.to_ascii_uppercase());
        let decoded: Vec<u8> = percent_decode_str(&escape).collect();
        match decoded.as_slice() {
            [byte] if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => out.push(char::from(*byte)),
            _ => out.push_str(&escape),
        }
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RFC 9449, section 4.1, figures 1 and 2.
    const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    const MADE: i64 = 1_562_262_616;

    fn read_at(uri: &str, method: &str, at: i64, access_token: Option<&str>) -> Result<Proof, ProofError> {
        let (uris, now) = ([uri.to_owned()], Moment::from_seconds(at));
        read(PROOF, &Request { method, uris: &uris, access_token, now })
    }

    const URI: &str = "https://server.example.com/token";

    #[test]
    fn the_example_of_the_specification_is_read() {
        let proof = read_at("https://SERVER.example.com:443/token", "POST", MADE, None).unwrap();
        assert_eq!(proof.jkt, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        assert_eq!((proof.jti.as_str(), proof.uri.as_str()), ("-BwC3ESc6acc2lTc", URI));
        assert_eq!(proof.nonce, None);
        assert!(is_thumbprint(&proof.jkt) && !is_thumbprint("0ZcO") && !is_thumbprint(""));
        let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
        assert_eq!(hash(token), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    }

    #[test]
    fn m06_a_proof_is_for_one_request_at_one_time() {
        let refused = |uri, method, at, token| read_at(uri, method, at, token).unwrap_err();
        assert_eq!(refused(URI, "GET", MADE, None), ProofError::Method);
        assert_eq!(refused(URI, "post", MADE, None), ProofError::Method);
        for other in [
            "https://server.example.com/token/",
            "http://server.example.com/token",
            "https://server.example.com:8443/token",
            "https://server.example.com/Token",
        ] {
            assert_eq!(refused(other, "POST", MADE, None), ProofError::Address, "{other}");
        }
        assert_eq!(refused(URI, "POST", MADE, Some("x")), ProofError::AccessToken);
        for at in [MADE - 60, MADE, MADE + 60] {
            assert!(read_at(URI, "POST", at, None).is_ok());
        }
        assert_eq!(refused(URI, "POST", MADE + 61, None), ProofError::Old);
        assert_eq!(refused(URI, "POST", MADE - 61, None), ProofError::Ahead);
    }

    #[test]
    fn m06_addresses_are_compared_in_their_one_spelling() {
        let same = |one: &str, other: &str| normal(one).is_some() && normal(one) == normal(other);
        for other in [
            "HTTPS://Server.Example.com/a/b~c",
            "https://server.example.com:443/a/b%7Ec",
            "https://server.example.com/a/./x/../b%7ec",
            "https://server.example.com/a/b~c?query#fragment",
        ] {
            assert!(same("https://server.example.com/a/b~c", other), "{other}");
        }
        assert!(same("https://server.example.com", "https://server.example.com/"));
        assert!(same("https://server.example.com/%2f", "https://server.example.com/%2F"));
        assert!(!same("https://server.example.com/%2F", "https://server.example.com//"));
        for none in [
            "",
            "/token",
            "server.example.com/token",
            "ftp://server.example.com/token",
            "https://user@server.example.com/token",
            "https://server.example.com\\token",
            "https://server.example.com/to\tken",
            " https://server.example.com/token",
            "https://s\u{e9}rver.example.com/token",
        ] {
            assert_eq!(normal(none), None, "{none}");
        }
    }
}
