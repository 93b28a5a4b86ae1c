//! The certificate by which a client is known in TLS (RFC 8705), as it comes: from the handshake, or in the header of a proxy
//! that made it.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64, BASE64_MIME_PERMISSIVE, BASE64URL_NOPAD};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::distinguished_name::DistinguishedName;
use crate::foundation::clock::Moment;

/// Bytes of a certificate.
const LARGEST: usize = 16 * 1024;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Which certificate is a client's, by one name that its subject has (RFC 8705, section 2.1.2). The words are those of
/// client metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CertificateSubject {
    #[serde(rename = "tls_client_auth_subject_dn")]
    Name(String),
    #[serde(rename = "tls_client_auth_san_dns")]
    Dns(String),
    #[serde(rename = "tls_client_auth_san_uri")]
    Uri(String),
    #[serde(rename = "tls_client_auth_san_ip")]
    Ip(IpAddr),
    #[serde(rename = "tls_client_auth_san_email")]
    Email(String),
}

impl CertificateSubject {
    /// The keys by which one is given.
    pub const KEYS: [&'static str; 5] = [
        "tls_client_auth_subject_dn",
        "tls_client_auth_san_dns",
        "tls_client_auth_san_uri",
        "tls_client_auth_san_ip",
        "tls_client_auth_san_email",
    ];

    /// From the text under one of [`Self::KEYS`].
    ///
    /// # Errors
    /// Why no certificate can have this name.
    pub fn read(key: &str, text: &str) -> Result<Self, &'static str> {
        let is_plain =
            !text.is_empty() && text.len() <= 1_000 && text.bytes().all(|byte| byte.is_ascii_graphic());
        match key {
            "tls_client_auth_subject_dn" => match DistinguishedName::parse(text) {
                Some(_) => Ok(Self::Name(text.to_owned())),
                None => Err("must be a name such as CN=batch,O=Acme (RFC 4514)"),
            },
            "tls_client_auth_san_ip" => {
                text.parse().map(Self::Ip).map_err(|_| "must be the address of one host")
            }
            _ if !is_plain => Err("must be visible ASCII characters"),
            "tls_client_auth_san_dns" => Ok(Self::Dns(text.to_owned())),
            "tls_client_auth_san_uri" => Ok(Self::Uri(text.to_owned())),
            "tls_client_auth_san_email" => Ok(Self::Email(text.to_owned())),
            _ => Err("is no name of a certificate's subject"),
        }
    }

    /// As it was given: its key and its text.
    pub fn shown(&self) -> (&'static str, String) {
        match self {
            Self::Name(text) => (Self::KEYS[0], text.clone()),
            Self::Dns(text) => (Self::KEYS[1], text.clone()),
            Self::Uri(text) => (Self::KEYS[2], text.clone()),
            Self::Ip(address) => (Self::KEYS[3], address.to_string()),
            Self::Email(text) => (Self::KEYS[4], text.clone()),
        }
    }
}

/// How a proxy writes a certificate into a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A byte sequence of a structured field (RFC 9440, section 2.1).
    Rfc9440,
    /// PEM, percent-encoded: what nginx calls `$ssl_client_escaped_cert` and Envoy `%DOWNSTREAM_PEER_CERT%`.
    Pem,
}

/// The DER of the certificate in a header. Nothing: there is none that could be read.
pub fn read_header(text: &str, form: Form) -> Option<Vec<u8>> {
    if text.len() > 3 * LARGEST {
        return None;
    }
    match form {
        Form::Rfc9440 => {
            let body = text.trim_matches(' ').strip_prefix(':')?.strip_suffix(':')?;
            BASE64.decode(body.as_bytes()).ok()
        }
        Form::Pem => {
            // nginx leaves a plus as it is; here none stands for a space.
            let pem = percent_decode_str(text).decode_utf8().ok()?;
            let body = pem.trim_ascii().strip_prefix(BEGIN)?.strip_suffix(END)?;
            // One certificate: what follows it could be read otherwise by others.
            if body.contains('-') {
                return None;
            }
            BASE64_MIME_PERMISSIVE.decode(body.as_bytes()).ok()
        }
    }
}

/// A certificate that a client has shown, with its private key; nobody has vouched for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    der: Vec<u8>,
    not_before: Moment,
    not_after: Moment,
    subject: Option<DistinguishedName>,
    names: Vec<CertificateSubject>,
}

impl ClientCertificate {
    /// Nothing: it is no certificate, or more than one.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        if der.len() > LARGEST {
            return None;
        }
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let alternatives = parsed.subject_alternative_name().ok()?;
        let names = alternatives.iter().flat_map(|names| &names.value.general_names).filter_map(name);
        Some(Self {
            names: names.collect(),
            not_before: Moment::from_seconds(parsed.validity().not_before.timestamp()),
            not_after: Moment::from_seconds(parsed.validity().not_after.timestamp()),
            subject: DistinguishedName::of(parsed.subject()),
            der: der.to_vec(),
        })
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// `x5t#S256` (section 3.1).
    pub fn thumbprint(&self) -> String {
        BASE64URL_NOPAD.encode(digest(&SHA256, &self.der).as_ref())
    }

    pub fn not_after(&self) -> Moment {
        self.not_after
    }

    pub fn is_valid_at(&self, now: Moment) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// Whether its subject has this name.
    pub fn is_of(&self, subject: &CertificateSubject) -> bool {
        match subject {
            CertificateSubject::Name(text) => {
                self.subject.is_some() && DistinguishedName::parse(text) == self.subject
            }
            CertificateSubject::Dns(wanted) => self
                .names
                .iter()
                .any(|name| matches!(name, CertificateSubject::Dns(own) if own.eq_ignore_ascii_case(wanted))),
            other => self.names.contains(other),
        }
    }

    /// Whether it is the certificate of a key in a client's JWK Set (section 2.2.2): the first one of `x5c`.
    pub fn is_in(&self, jwks: &serde_json::Value) -> bool {
        let keys = jwks.get("keys").and_then(|keys| keys.as_array());
        keys.is_some_and(|keys| keys.iter().filter_map(certificate_of).any(|der| der == self.der))
    }
}

/// Whether a JWK Set holds a certificate that somebody could be known by.
pub fn holds_certificate(jwks: &serde_json::Value) -> bool {
    let keys = jwks.get("keys").and_then(|keys| keys.as_array());
    keys.is_some_and(|keys| {
        keys.iter().filter_map(certificate_of).any(|der| ClientCertificate::from_der(&der).is_some())
    })
}

fn certificate_of(key: &serde_json::Value) -> Option<Vec<u8>> {
    let text = key.get("x5c")?.get(0)?.as_str()?;
    BASE64.decode(text.as_bytes()).ok()
}

fn name(name: &GeneralName<'_>) -> Option<CertificateSubject> {
    match name {
        GeneralName::DNSName(text) => Some(CertificateSubject::Dns((*text).to_owned())),
        GeneralName::URI(text) => Some(CertificateSubject::Uri((*text).to_owned())),
        GeneralName::RFC822Name(text) => Some(CertificateSubject::Email((*text).to_owned())),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(CertificateSubject::Ip)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn made(names: &[&str]) -> rcgen::CertifiedKey<rcgen::KeyPair> {
        rcgen::generate_simple_self_signed(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
            .unwrap()
    }

    #[test]
    fn m07_a_header_holds_one_certificate_or_none() {
        let made = made(&["batch.test", "10.0.0.7"]);
        let der = made.cert.der().to_vec();
        let base64 = BASE64.encode(&der);
        let pem = format!("{BEGIN}\n{}\n{END}\n", base64);
        let escaped = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        assert_eq!(read_header(&format!(":{base64}:"), Form::Rfc9440), Some(der.clone()));
        assert_eq!(read_header(&escaped(&pem), Form::Pem), Some(der.clone()));
        for (text, form) in [
            (base64.clone(), Form::Rfc9440),
            (format!(":{base64}"), Form::Rfc9440),
            (format!(":{base64}:, :{base64}:"), Form::Rfc9440),
            (escaped(&pem), Form::Rfc9440),
            (format!(":{base64}:"), Form::Pem),
            (escaped(&format!("{pem}{pem}")), Form::Pem),
            (escaped(&base64), Form::Pem),
            (String::new(), Form::Pem),
            (String::new(), Form::Rfc9440),
        ] {
            assert_eq!(read_header(&text, form), None, "{text}");
        }
        let certificate = ClientCertificate::from_der(&der).unwrap();
        let subject = |key: &str, text: &str| CertificateSubject::read(key, text).unwrap();
        assert!(certificate.is_of(&subject("tls_client_auth_san_dns", "BATCH.test")));
        assert!(certificate.is_of(&subject("tls_client_auth_san_ip", "10.0.0.7")));
        assert!(certificate.is_of(&subject("tls_client_auth_subject_dn", "CN=rcgen self signed cert")));
        for (key, text) in [
            ("tls_client_auth_san_dns", "atch.test"),
            ("tls_client_auth_san_dns", "*.test"),
            ("tls_client_auth_san_dns", "10.0.0.7"),
            ("tls_client_auth_san_uri", "batch.test"),
            ("tls_client_auth_san_email", "batch.test"),
            ("tls_client_auth_san_ip", "10.0.0.8"),
            ("tls_client_auth_subject_dn", "CN=batch.test"),
        ] {
            assert!(!certificate.is_of(&subject(key, text)), "{key} {text}");
        }
        let jwks = serde_json::json!({ "keys": [{ "kty": "EC" }, { "kty": "EC", "x5c": [base64, "x"] }] });
        assert!(certificate.is_in(&jwks));
        let jwks = serde_json::json!({ "keys": [{ "x5c": ["x", BASE64.encode(&der)] }, { "x5c": [7] }, { "x5c": {} }] });
        assert!(!certificate.is_in(&jwks) && !certificate.is_in(&serde_json::json!({})));
        assert_eq!(ClientCertificate::from_der(&der[1..]), None);
        assert_eq!(ClientCertificate::from_der(&[der.as_slice(), &[0]].concat()), None);
    }
}
