//! How an application proves at the token endpoint who it is (RFC 6749, section 2.3; OpenID Connect Core,
//! section 9; RFC 7523).

use data_encoding::BASE64;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::error::OAuthError;
use super::params::Params;
use crate::foundation::secret::Secret;
use crate::protocol::jose::Algorithm;

/// `client_assertion_type` of a JWT (RFC 7523, section 2.2).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// By what a client may sign its assertions.
pub const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

/// The one method that a client has registered (`token_endpoint_auth_method`, RFC 7591).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    #[serde(rename = "client_secret_basic")]
    SecretBasic,
    #[serde(rename = "client_secret_post")]
    SecretPost,
    #[serde(rename = "private_key_jwt")]
    PrivateKeyJwt,
    /// By a certificate that an authority vouches for (RFC 8705, section 2.1).
    #[serde(rename = "tls_client_auth")]
    TlsClientAuth,
    /// By a certificate that it has registered (RFC 8705, section 2.2).
    #[serde(rename = "self_signed_tls_client_auth")]
    SelfSignedTlsClientAuth,
    /// A public client: PKCE is its only proof.
    #[serde(rename = "none")]
    None,
}

/// What a request brought to prove it.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub client_id: String,
    pub proof: Proof,
}

#[derive(Clone, Debug)]
pub enum Proof {
    SecretBasic(Secret),
    SecretPost(Secret),
    Assertion(String),
    /// Nothing in the request itself.
    Nothing,
}

impl Method {
    /// Whether the proof is the certificate that the client shows in TLS.
    pub const fn is_by_certificate(self) -> bool {
        matches!(self, Self::TlsClientAuth | Self::SelfSignedTlsClientAuth)
    }

    /// Whether it registers its public keys.
    pub const fn has_keys(self) -> bool {
        matches!(self, Self::PrivateKeyJwt | Self::SelfSignedTlsClientAuth)
    }

    /// Whether a request that brings this could prove it.
    pub fn takes(self, proof: &Proof) -> bool {
        match proof {
            Proof::SecretBasic(_) => self == Self::SecretBasic,
            Proof::SecretPost(_) => self == Self::SecretPost,
            Proof::Assertion(_) => self == Self::PrivateKeyJwt,
            Proof::Nothing => self == Self::None || self.is_by_certificate(),
        }
    }
}

/// Which check of a client's proof failed. The trail tells which; the answer only to whom the client's signature has
/// proved to be it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproved {
    UnknownClient,
    Disabled,
    Method,
    Secret,
    NoKeys,
    KeysUnpublished,
    UnknownKey,
    Signature,
    Algorithm,
    Typ,
    Claims,
    Malformed,
    Iss,
    Sub,
    Aud,
    /// Of a client that is held to FAPI 2.0.
    AudNotIssuer,
    Exp,
    ExpPassed,
    ExpTooFar,
    Times,
    Jti,
    JtiUsed,
    NoCertificate,
    CertificateNotVouchedFor,
    CertificateOfAnother,
    CertificateOver,
}

impl Unproved {
    pub const fn word(self) -> &'static str {
        match self {
            Self::UnknownClient => "unknown_client",
            Self::Disabled => "disabled",
            Self::Method => "method",
            Self::Secret => "secret",
            Self::NoKeys => "no_keys",
            Self::KeysUnpublished => "keys_unpublished",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Algorithm => "algorithm",
            Self::Typ => "typ",
            Self::Claims => "claims",
            Self::Malformed => "malformed",
            Self::Iss => "iss",
            Self::Sub => "sub",
            Self::Aud | Self::AudNotIssuer => "aud",
            Self::Exp => "exp",
            Self::ExpPassed => "exp_passed",
            Self::ExpTooFar => "exp_too_far",
            Self::Times => "times",
            Self::Jti => "jti",
            Self::JtiUsed => "jti_used",
            Self::NoCertificate => "no_certificate",
            Self::CertificateNotVouchedFor => "certificate_not_vouched_for",
            Self::CertificateOfAnother => "certificate_of_another",
            Self::CertificateOver => "certificate_over",
        }
    }

    /// What is wrong with an assertion whose signature is good, for whoever made it.
    pub const fn told(self) -> Option<&'static str> {
        match self {
            Self::Iss => Some("iss of the client assertion is not the client_id"),
            Self::Sub => Some("sub of the client assertion is not the client_id"),
            Self::Aud => Some(
                "aud of the client assertion is neither the issuer nor the token endpoint nor the one for pushed requests",
            ),
            Self::AudNotIssuer => {
                Some("aud of the client assertion must be the issuer alone, as one text (FAPI 2.0)")
            }
            Self::Exp => Some("exp of the client assertion is missing or no date"),
            Self::ExpPassed => Some("exp of the client assertion has passed"),
            Self::ExpTooFar => Some("exp of the client assertion is more than 300 seconds ahead"),
            Self::Times => Some("nbf or iat of the client assertion lies ahead or is no date"),
            Self::Jti => Some("jti of the client assertion is missing, or longer than 256 bytes"),
            Self::JtiUsed => Some("jti of the client assertion was used before"),
            _ => None,
        }
    }
}

/// Reads the credentials from the `Authorization` header and the body. More than one way at once is refused.
///
/// `issuer_of` reads the unverified `iss` of an assertion, for a request that carries no `client_id`.
pub fn read(
    authorization: Option<&str>,
    body: &Params,
    issuer_of: impl Fn(&str) -> Option<String>,
) -> Result<Credentials, OAuthError> {
    let get = |name| body.get(name).map_err(|error| OAuthError::invalid_request(error.to_string()));
    let (client_id, secret) = (get("client_id")?, get("client_secret")?);
    let (kind, assertion) = (get("client_assertion_type")?, get("client_assertion")?);
    let ways = usize::from(authorization.is_some())
        + usize::from(secret.is_some())
        + usize::from(assertion.is_some());
    if ways > 1 {
        return Err(OAuthError::invalid_request("the client authenticates in more than one way"));
    }
    let (named, proof) = if let Some(header) = authorization {
        let (id, secret) =
            basic(header).ok_or_else(|| OAuthError::invalid_client("malformed Authorization header"))?;
        (Some(id), Proof::SecretBasic(secret))
    } else if let Some(assertion) = assertion {
        if kind != Some(JWT_BEARER) {
            return Err(OAuthError::invalid_request("unknown client_assertion_type"));
        }
        (issuer_of(assertion), Proof::Assertion(assertion.into()))
    } else if let Some(secret) = secret {
        (None, Proof::SecretPost(Secret::new(secret)))
    } else {
        (None, Proof::Nothing)
    };
    match (named, client_id) {
        (Some(named), Some(id)) if named != id => {
            Err(OAuthError::invalid_request("two different client ids"))
        }
        (Some(id), _) => Ok(Credentials { client_id: id, proof }),
        (None, Some(id)) => Ok(Credentials { client_id: id.into(), proof }),
        (None, None) => Err(OAuthError::invalid_client("the client does not say who it is")),
    }
}

/// `Basic base64(urlencoded id : urlencoded secret)` (RFC 6749, section 2.3.1).
fn basic(header: &str) -> Option<(String, Secret)> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(rest.trim().as_bytes()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let unescape = |text: &str| {
        percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    Some((unescape(id)?, Secret::new(unescape(secret)?)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read_body(header: Option<&str>, body: &str) -> Result<Credentials, OAuthError> {
        read(header, &Params::parse(body.as_bytes()).unwrap(), |_| Some("rp1".into()))
    }

    #[test]
    fn m07_a_client_authenticates_in_one_way() {
        let header = format!("Basic {}", BASE64.encode(b"rp1:s%2Bcret"));
        let credentials = read_body(Some(&header), "grant_type=authorization_code").unwrap();
        assert_eq!(credentials.client_id, "rp1");
        assert!(matches!(&credentials.proof, Proof::SecretBasic(secret) if secret.expose() == "s+cret"));
        assert_eq!(read_body(Some(&header), "client_secret=x").unwrap_err().code, "invalid_request");
        assert_eq!(read_body(Some(&header), "client_id=rp2").unwrap_err().code, "invalid_request");
        assert_eq!(read_body(Some("Bearer x"), "").unwrap_err().code, "invalid_client");
        assert_eq!(read_body(None, "").unwrap_err().code, "invalid_client");
        assert!(matches!(read_body(None, "client_id=rp2").unwrap().proof, Proof::Nothing));
    }
}
