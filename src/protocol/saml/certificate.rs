//! Certificates as SAML uses them: an envelope for a public key. The key is pinned by metadata, so neither issuer
//! nor signature of a certificate mean anything here; its validity is for a warning.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, SHA384, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::base64;
use super::keys::{DecryptingKey, KeyError, SigningKey, VerifyingKey, sign_ecdsa, sign_rsa};
use super::signature::SignatureMethod;
use crate::foundation::clock::Moment;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
const MAX_SUBJECT_CHARS: usize = 256;

/// An X.509 certificate (RFC 5280) whose key may be used: RSA of 2048 to 8192 bits, P-256 or P-384.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    key: VerifyingKey,
    not_before: Moment,
    not_after: Moment,
    subject: String,
}

impl Certificate {
    /// The most bytes of a certificate in DER.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// From an operator's file: PEM, bare base64 or DER.
    pub fn read(bytes: &[u8]) -> Result<Self, KeyError> {
        // A DER certificate is a SEQUENCE, whose first byte is the digit 0; base64 of one begins with `M`.
        if bytes.first() == Some(&0x30) {
            return Self::from_der(bytes);
        }
        Self::from_base64(std::str::from_utf8(bytes).map_err(|_| KeyError::Certificate)?)
    }

    /// From the base64 of a `ds:X509Certificate`, white space and all, or from PEM (RFC 7468).
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        if text.len() > 2 * Self::MAX_BYTES {
            return Err(KeyError::TooLarge);
        }
        let body = match text.trim_ascii().strip_prefix(BEGIN) {
            Some(rest) => {
                let (body, after) = rest.split_once(END).ok_or(KeyError::Certificate)?;
                if !after.is_empty() {
                    return Err(KeyError::Trailing);
                }
                body
            }
            None => text,
        };
        Self::from_der(&base64::decode(body, 2 * Self::MAX_BYTES).ok_or(KeyError::Certificate)?)
    }

    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > Self::MAX_BYTES {
            return Err(KeyError::TooLarge);
        }
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| KeyError::Certificate)?;
        if !rest.is_empty() {
            return Err(KeyError::Trailing);
        }
        let validity = parsed.validity();
        Ok(Self {
            key: VerifyingKey::from_spki(parsed.public_key().raw)?,
            not_before: Moment::from_seconds(validity.not_before.timestamp()),
            not_after: Moment::from_seconds(validity.not_after.timestamp()),
            subject: for_show(&parsed.subject().to_string()),
            der: der.to_vec(),
        })
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The text of a `ds:X509Certificate`, in one line.
    pub fn base64(&self) -> String {
        base64::encode(&self.der)
    }

    /// PEM (RFC 7468).
    pub fn pem(&self) -> String {
        let text = self.base64();
        let mut pem = format!("{BEGIN}\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem + END + "\n"
    }

    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    pub fn not_before(&self) -> Moment {
        self.not_before
    }

    pub fn not_after(&self) -> Moment {
        self.not_after
    }

    /// The SHA-256 of the DER.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, &self.der).as_ref());
        bytes
    }

    /// The subject's name, for show only: it is whatever its maker wrote.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

fn for_show(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_SUBJECT_CHARS).collect()
}

/// A key of ours that a certificate can be made for.
#[derive(Clone, Copy, Debug)]
pub enum OwnKey<'k> {
    Signing(&'k SigningKey),
    Decrypting(&'k DecryptingKey),
}

impl<'k> From<&'k SigningKey> for OwnKey<'k> {
    fn from(key: &'k SigningKey) -> Self {
        Self::Signing(key)
    }
}

impl<'k> From<&'k DecryptingKey> for OwnKey<'k> {
    fn from(key: &'k DecryptingKey) -> Self {
        Self::Decrypting(key)
    }
}

/// The most bytes of a serial number (RFC 5280, section 4.1.2.2: 20 with the sign).
const MAX_SERIAL_BYTES: usize = 19;
/// RFC 5280, appendix A.1: `ub-common-name`.
const MAX_NAME_CHARS: usize = 64;

/// A certificate for a key of ours, signed by it. The serial number is 1 to 19 bytes of chance, not all zero; the
/// name has 1 to 64 characters; the moments are kept to the second and lie in 1970 to 9999.
pub fn self_signed<'k>(
    key: impl Into<OwnKey<'k>>,
    common_name: &str,
    from: Moment,
    until: Moment,
    serial: &[u8],
) -> Result<Certificate, KeyError> {
    let key = key.into();
    let named = (1..=MAX_NAME_CHARS).contains(&common_name.chars().count());
    let numbered = serial.len() <= MAX_SERIAL_BYTES && serial.iter().any(|byte| *byte != 0);
    if !(named && numbered && from < until) {
        return Err(KeyError::Inputs);
    }
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(1970, 1, 1) + since_1970(from)?;
    params.not_after = date_time_ymd(1970, 1, 1) + since_1970(until)?;
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![key.usage()];
    let made = params.self_signed(&Signer::of(key)?).map_err(|_| KeyError::Crypto)?;
    Certificate::from_der(made.der())
}

/// The start of the year 10000, in seconds since 1970.
const YEAR_10000: u64 = 253_402_300_800;

fn since_1970(moment: Moment) -> Result<Duration, KeyError> {
    let seconds = u64::try_from(moment.seconds()).map_err(|_| KeyError::Inputs)?;
    if seconds >= YEAR_10000 {
        return Err(KeyError::Inputs);
    }
    Ok(Duration::from_secs(seconds))
}

impl OwnKey<'_> {
    fn usage(self) -> KeyUsagePurpose {
        match self {
            Self::Signing(_) => KeyUsagePurpose::DigitalSignature,
            Self::Decrypting(_) => KeyUsagePurpose::KeyEncipherment,
        }
    }
}

/// Signs one certificate. X.509 wants ECDSA signatures in ASN.1, and a decrypting key does not sign otherwise, so the
/// key is read once more, for this alone.
enum Signer {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

impl Signer {
    fn of(key: OwnKey<'_>) -> Result<Self, KeyError> {
        let made = match key {
            OwnKey::Decrypting(key) => RsaKeyPair::from_pkcs8(&key.to_pkcs8()?).map(Self::Rsa),
            OwnKey::Signing(key) => {
                let der = key.to_pkcs8()?;
                match key.method() {
                    SignatureMethod::EcdsaSha256 => {
                        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).map(Self::P256)
                    }
                    SignatureMethod::EcdsaSha384 | SignatureMethod::EcdsaSha512 => {
                        EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, &der).map(Self::P384)
                    }
                    SignatureMethod::RsaSha256 | SignatureMethod::RsaSha384 | SignatureMethod::RsaSha512 => {
                        RsaKeyPair::from_pkcs8(&der).map(Self::Rsa)
                    }
                }
            }
        };
        made.map_err(|_| KeyError::Crypto)
    }
}

impl PublicKeyData for Signer {
    fn der_bytes(&self) -> &[u8] {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref(),
            Self::P256(pair) | Self::P384(pair) => pair.public_key().as_ref(),
        }
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self {
            Self::Rsa(_) => &PKCS_RSA_SHA256,
            Self::P256(_) => &PKCS_ECDSA_P256_SHA256,
            Self::P384(_) => &PKCS_ECDSA_P384_SHA384,
        }
    }
}

impl rcgen::SigningKey for Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let made = match self {
            Self::Rsa(pair) => sign_rsa(pair, &RSA_PKCS1_SHA256, &SHA256, message),
            Self::P256(pair) => sign_ecdsa(pair, &SHA256, message),
            Self::P384(pair) => sign_ecdsa(pair, &SHA384, message),
        };
        made.map_err(|_| rcgen::Error::RingUnspecified)
    }
}

#[cfg(test)]
mod tests;
