//! The keys of SAML: RSA of 2048 to 8192 bits, P-256 and P-384, parsed once and kept. Nothing weaker becomes a key.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Algorithm as Digest, Digest as Hash, SHA256, SHA384, SHA512, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeySize, OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1,
    ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P384_SHA512_ASN1,
    EcdsaKeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding,
    RsaKeyPair, VerificationAlgorithm,
};
use x509_parser::der_parser::Oid;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION,
};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};
use zeroize::Zeroizing;

pub use super::certificate::{Certificate, self_signed};
use super::signature::SignatureMethod;

/// The fewest bits of an RSA modulus that we trust (threat H16), and the most that we care to compute with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why there is no key, no certificate or no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the public key is malformed")]
    Public,
    #[error(
        "the private key is not an unencrypted PKCS#8 document of an RSA key of 2048 to 8192 bits, or of a P-256 or \
         P-384 key"
    )]
    Private,
    #[error("the key is neither RSA nor on the curve P-256 or P-384")]
    Kind,
    #[error("the RSA key has {0} bits; fewer than 2048 are too weak")]
    Weak(usize),
    #[error("the RSA key has {0} bits; more than 8192 are not supported")]
    Huge(usize),
    #[error("the RSA key has a public exponent below 65537, which is too weak")]
    Exponent,
    #[error("only an RSA key can decrypt")]
    NotRsa,
    #[error("the key does not sign by this method")]
    Method,
    #[error("not an X.509 certificate in PEM, base64 or DER")]
    Certificate,
    #[error("there is more than one certificate, or something after it")]
    Trailing,
    #[error("the certificate is larger than {} bytes", Certificate::MAX_BYTES)]
    TooLarge,
    #[error("a certificate cannot be made of this name, serial number or validity")]
    Inputs,
    #[error("the cryptographic library failed")]
    Crypto,
}

/// A public key that signatures are verified by, parsed once for each method it serves.
///
/// Equal if the SubjectPublicKeyInfo is.
#[derive(Clone)]
pub struct VerifyingKey {
    kind: PublicKind,
    parsed: Vec<(SignatureMethod, ParsedPublicKey)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PublicKind {
    Rsa { bits: usize },
    P256,
    P384,
}

impl VerifyingKey {
    /// From a DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let (rest, spki) = SubjectPublicKeyInfo::from_der(der).map_err(|_| KeyError::Public)?;
        if !rest.is_empty() {
            return Err(KeyError::Trailing);
        }
        let kind = kind_of(&spki)?;
        let parse = |(method, algorithm): (SignatureMethod, &'static dyn VerificationAlgorithm)| {
            Ok((method, ParsedPublicKey::new(algorithm, der).map_err(|_| KeyError::Public)?))
        };
        let parsed = kind.algorithms().into_iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { kind, parsed })
    }

    /// Whether this key made `signature` by `method` over what has this digest: of several keys that are tried, none
    /// takes it anew. An ECDSA signature is `r ‖ s` (RFC 9231, section 2.3.6). Never for a method that is not of this
    /// kind of key, nor for a digest that is not of this method.
    pub fn verify(&self, method: SignatureMethod, digest: &Hash, signature: &[u8]) -> bool {
        let Some((_, key)) = self.parsed.iter().find(|(own, _)| *own == method) else { return false };
        match self.kind.bytes_in_asn1(method) {
            Some(bytes) => {
                as_asn1(signature, bytes).is_some_and(|asn1| key.verify_digest_sig(digest, &asn1).is_ok())
            }
            None => key.verify_digest_sig(digest, signature).is_ok(),
        }
    }

    /// Whether keys of this kind sign by it.
    pub fn signs_by(&self, method: SignatureMethod) -> bool {
        self.parsed.iter().any(|(own, _)| *own == method)
    }

    /// The DER SubjectPublicKeyInfo that it was read from.
    pub fn spki(&self) -> &[u8] {
        self.parsed.first().map_or(&[], |(_, key)| key.as_ref())
    }

    /// The length of an RSA modulus, in bits.
    pub fn rsa_bits(&self) -> Option<usize> {
        match self.kind {
            PublicKind::Rsa { bits } => Some(bits),
            PublicKind::P256 | PublicKind::P384 => None,
        }
    }

    /// About what it costs to find that a signature is not this key's, in those of RSA with 2048 bits: the work for RSA
    /// grows with the square of its length.
    pub fn effort(&self) -> usize {
        match self.kind {
            PublicKind::Rsa { bits } => (bits * bits).div_ceil(2048 * 2048),
            PublicKind::P256 => 2,
            PublicKind::P384 => 8,
        }
    }

    /// For show: `RSA 2048`, `P-256`.
    pub fn kind(&self) -> String {
        match self.kind {
            PublicKind::Rsa { bits } => format!("RSA {bits}"),
            PublicKind::P256 => "P-256".to_owned(),
            PublicKind::P384 => "P-384".to_owned(),
        }
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki() == other.spki()
    }
}

impl Eq for VerifyingKey {}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.kind())
    }
}

impl PublicKind {
    /// The only methods of this kind of key, each bound to its one digest.
    fn algorithms(self) -> Vec<(SignatureMethod, &'static dyn VerificationAlgorithm)> {
        match self {
            Self::Rsa { .. } => vec![
                (SignatureMethod::RsaSha256, &RSA_PKCS1_2048_8192_SHA256),
                (SignatureMethod::RsaSha384, &RSA_PKCS1_2048_8192_SHA384),
                (SignatureMethod::RsaSha512, &RSA_PKCS1_2048_8192_SHA512),
            ],
            Self::P256 => vec![
                (SignatureMethod::EcdsaSha256, &ECDSA_P256_SHA256_FIXED),
                (SignatureMethod::EcdsaSha384, &ECDSA_P256_SHA384_ASN1),
                (SignatureMethod::EcdsaSha512, &ECDSA_P256_SHA512_ASN1),
            ],
            Self::P384 => vec![
                (SignatureMethod::EcdsaSha256, &ECDSA_P384_SHA256_ASN1),
                (SignatureMethod::EcdsaSha384, &ECDSA_P384_SHA384_FIXED),
                (SignatureMethod::EcdsaSha512, &ECDSA_P384_SHA512_ASN1),
            ],
        }
    }

    /// The bytes of a number of this curve, where the library takes the two of a signature as ASN.1 alone: XML Signature
    /// binds no digest to a curve, and the library each to its own.
    fn bytes_in_asn1(self, method: SignatureMethod) -> Option<usize> {
        match (self, method) {
            (Self::P256, SignatureMethod::EcdsaSha384 | SignatureMethod::EcdsaSha512) => Some(32),
            (Self::P384, SignatureMethod::EcdsaSha256 | SignatureMethod::EcdsaSha512) => Some(48),
            _ => None,
        }
    }
}

/// `r ‖ s` of exactly this length as the Ecdsa-Sig-Value of RFC 3279, section 2.2.3. Of 48 bytes at most each, so every
/// length takes one byte.
fn as_asn1(signature: &[u8], bytes: usize) -> Option<Vec<u8>> {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    if signature.len() != 2 * bytes {
        return None;
    }
    let mut numbers = Vec::new();
    for number in signature.chunks_exact(bytes) {
        let first = number.iter().position(|byte| *byte != 0)?;
        let number = number.get(first..)?;
        let sign = number.first().is_some_and(|byte| byte & 0x80 != 0);
        numbers.extend([INTEGER, u8::try_from(number.len() + usize::from(sign)).ok()?]);
        numbers.extend(sign.then_some(0));
        numbers.extend_from_slice(number);
    }
    let mut asn1 = vec![SEQUENCE, u8::try_from(numbers.len()).ok()?];
    asn1.append(&mut numbers);
    Some(asn1)
}

fn kind_of(spki: &SubjectPublicKeyInfo<'_>) -> Result<PublicKind, KeyError> {
    let algorithm = &spki.algorithm.algorithm;
    if *algorithm == OID_PKCS1_RSAENCRYPTION {
        let (_, key) = RSAPublicKey::from_der(&spki.subject_public_key.data).map_err(|_| KeyError::Public)?;
        let bits = strong(bits_of(key.modulus)?)?;
        check_exponent(key.exponent)?;
        return Ok(PublicKind::Rsa { bits });
    }
    if *algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
        return Err(KeyError::Kind);
    }
    match named_curve(&spki.algorithm).ok_or(KeyError::Kind)? {
        curve if curve == OID_EC_P256 => Ok(PublicKind::P256),
        curve if curve == OID_NIST_EC_P384 => Ok(PublicKind::P384),
        _ => Err(KeyError::Kind),
    }
}

fn named_curve<'a>(algorithm: &'a AlgorithmIdentifier<'_>) -> Option<Oid<'a>> {
    algorithm.parameters.as_ref()?.as_oid().ok()
}

fn bits_of(number: &[u8]) -> Result<usize, KeyError> {
    let first = number.iter().position(|byte| *byte != 0).ok_or(KeyError::Public)?;
    let number = number.get(first..).unwrap_or_default();
    let spare = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    Ok(number.len() * 8 - spare)
}

/// Above 2^16 and odd (FIPS 186-5, section 5.4): with 3 and its like, signatures were forged wherever padding was looked at
/// carelessly, and whoever makes such a key is careless.
fn check_exponent(exponent: &[u8]) -> Result<(), KeyError> {
    let is_odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
    if is_odd && bits_of(exponent)? > 16 { Ok(()) } else { Err(KeyError::Exponent) }
}

fn strong(bits: usize) -> Result<usize, KeyError> {
    match bits {
        bits if RSA_BITS.contains(&bits) => Ok(bits),
        bits if bits < *RSA_BITS.start() => Err(KeyError::Weak(bits)),
        bits => Err(KeyError::Huge(bits)),
    }
}

/// The keys that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Rsa2048,
    Rsa3072,
    Rsa4096,
    P256,
    P384,
}

impl KeyKind {
    fn rsa(self) -> Option<KeySize> {
        match self {
            Self::Rsa2048 => Some(KeySize::Rsa2048),
            Self::Rsa3072 => Some(KeySize::Rsa3072),
            Self::Rsa4096 => Some(KeySize::Rsa4096),
            Self::P256 | Self::P384 => None,
        }
    }
}

/// A private key of ours that signs, parsed once and kept. Shared freely between threads.
///
/// The library that holds the key draws its chance itself, from the same source as `foundation::random`; it
/// accepts no other.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Pair>,
    public: VerifyingKey,
    method: SignatureMethod,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

impl SigningKey {
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let pair = match (kind.rsa(), kind) {
            (Some(size), _) => RsaKeyPair::generate(size).map(Pair::Rsa),
            (None, KeyKind::P384) => EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Pair::P384),
            (None, _) => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::P256),
        };
        Self::new(pair.map_err(|_| KeyError::Crypto)?)
    }

    /// From an unencrypted PKCS#8 document (RFC 5958).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let p256 = || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Pair::P256);
        let p384 = || EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der).map(Pair::P384);
        let rsa = || RsaKeyPair::from_pkcs8(der).map(Pair::Rsa);
        Self::new(p256().or_else(|_| p384()).or_else(|_| rsa()).map_err(|_| KeyError::Private)?)
    }

    fn new(pair: Pair) -> Result<Self, KeyError> {
        let public = VerifyingKey::from_spki(pair.spki()?.as_ref())?;
        let method = match pair {
            Pair::Rsa(_) => SignatureMethod::RsaSha256,
            Pair::P256(_) => SignatureMethod::EcdsaSha256,
            Pair::P384(_) => SignatureMethod::EcdsaSha384,
        };
        Ok(Self { pair: Arc::new(pair), public, method })
    }

    /// The same key, signing by another method of its kind.
    pub fn by(&self, method: SignatureMethod) -> Result<Self, KeyError> {
        use SignatureMethod as By;
        let fits = matches!(
            (&*self.pair, method),
            (Pair::Rsa(_), By::RsaSha256 | By::RsaSha384 | By::RsaSha512)
                | (Pair::P256(_), By::EcdsaSha256)
                | (Pair::P384(_), By::EcdsaSha384)
        );
        if fits { Ok(Self { method, ..self.clone() }) } else { Err(KeyError::Method) }
    }

    /// As a PKCS#8 version 1 document, to be sealed at once.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match &*self.pair {
            Pair::Rsa(pair) => pkcs8(pair),
            Pair::P256(pair) | Pair::P384(pair) => {
                let der = pair.to_pkcs8v1().map_err(|_| KeyError::Crypto)?;
                Ok(Zeroizing::new(der.as_ref().to_vec()))
            }
        }
    }

    /// The method that this key signs by: that of its kind, or the one that was chosen.
    pub fn method(&self) -> SignatureMethod {
        self.method
    }

    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// The signature over `message`, as XML Signature and the redirect binding carry it. Fails if the method is not
    /// of this kind of key.
    pub fn sign(&self, method: SignatureMethod, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match (&*self.pair, method) {
            (Pair::Rsa(pair), SignatureMethod::RsaSha256) => {
                sign_rsa(pair, &RSA_PKCS1_SHA256, &SHA256, message)
            }
            (Pair::Rsa(pair), SignatureMethod::RsaSha384) => {
                sign_rsa(pair, &RSA_PKCS1_SHA384, &SHA384, message)
            }
            (Pair::Rsa(pair), SignatureMethod::RsaSha512) => {
                sign_rsa(pair, &RSA_PKCS1_SHA512, &SHA512, message)
            }
            (Pair::P256(pair), SignatureMethod::EcdsaSha256) => sign_ecdsa(pair, &SHA256, message),
            (Pair::P384(pair), SignatureMethod::EcdsaSha384) => sign_ecdsa(pair, &SHA384, message),
            _ => Err(KeyError::Method),
        }
    }
}

pub(super) fn sign_rsa(
    pair: &RsaKeyPair,
    encoding: &'static dyn RsaEncoding,
    by: &'static Digest,
    message: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign_digest(encoding, &digest(by, message), &mut signature).map_err(|_| KeyError::Crypto)?;
    Ok(signature)
}

/// In the form that the pair was read for: `r ‖ s`, or ASN.1 for certificates.
pub(super) fn sign_ecdsa(
    pair: &EcdsaKeyPair,
    by: &'static Digest,
    message: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let made = pair.sign_digest(&digest(by, message)).map_err(|_| KeyError::Crypto)?;
    Ok(made.as_ref().to_vec())
}

impl Pair {
    fn spki(&self) -> Result<PublicKeyX509Der<'static>, KeyError> {
        let der = match self {
            Self::Rsa(pair) => pair.public_key().as_der(),
            Self::P256(pair) | Self::P384(pair) => pair.public_key().as_der(),
        };
        der.map_err(|_| KeyError::Crypto)
    }
}

fn pkcs8(key: &impl AsDer<Pkcs8V1Der<'static>>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let der = key.as_der().map_err(|_| KeyError::Crypto)?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.kind())
    }
}

/// A private RSA key of ours that opens what was encrypted to us: a key of its own, never one that signs.
pub struct DecryptingKey {
    key: PrivateDecryptingKey,
    oaep: OaepPrivateDecryptingKey,
    public: EncryptingKey,
}

impl DecryptingKey {
    /// A new RSA key; of no other kind.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let size = kind.rsa().ok_or(KeyError::NotRsa)?;
        Self::new(PrivateDecryptingKey::generate(size).map_err(|_| KeyError::Crypto)?)
    }

    /// From an unencrypted PKCS#8 document (RFC 5958).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        Self::new(PrivateDecryptingKey::from_pkcs8(der).map_err(|_| KeyError::Private)?)
    }

    fn new(key: PrivateDecryptingKey) -> Result<Self, KeyError> {
        let public = EncryptingKey::new(key.public_key())?;
        let oaep = OaepPrivateDecryptingKey::new(key.clone()).map_err(|_| KeyError::Crypto)?;
        Ok(Self { key, oaep, public })
    }

    /// As a PKCS#8 version 1 document, to be sealed at once.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        pkcs8(&self.key)
    }

    pub fn encrypting_key(&self) -> &EncryptingKey {
        &self.public
    }

    /// The length of its modulus, in bits.
    pub fn rsa_bits(&self) -> usize {
        self.key.key_size_bits()
    }

    /// The length of everything that is encrypted to this key, in bytes.
    pub(super) fn ciphertext_bytes(&self) -> usize {
        self.oaep.key_size_bytes()
    }

    /// RSAES-OAEP-DECRYPT (RFC 8017, section 7.1.2) without a label.
    pub(super) fn decrypt(
        &self,
        algorithm: &'static OaepAlgorithm,
        ciphertext: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let mut plain = Zeroizing::new(vec![0; self.oaep.min_output_size()]);
        let length = self.oaep.decrypt(algorithm, ciphertext, &mut plain, None).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl fmt::Debug for DecryptingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecryptingKey(RSA {})", self.key.key_size_bits())
    }
}

/// A public RSA key that something is encrypted to.
pub struct EncryptingKey {
    key: PublicEncryptingKey,
    oaep: OaepPublicEncryptingKey,
}

impl EncryptingKey {
    pub fn from_certificate(certificate: &Certificate) -> Result<Self, KeyError> {
        let spki = certificate.verifying_key();
        match spki.kind {
            PublicKind::Rsa { .. } => {}
            PublicKind::P256 | PublicKind::P384 => return Err(KeyError::NotRsa),
        }
        Self::new(PublicEncryptingKey::from_der(spki.spki()).map_err(|_| KeyError::Public)?)
    }

    fn new(key: PublicEncryptingKey) -> Result<Self, KeyError> {
        let oaep = OaepPublicEncryptingKey::new(key.clone()).map_err(|_| KeyError::Crypto)?;
        Ok(Self { key, oaep })
    }

    /// RSAES-OAEP-ENCRYPT (RFC 8017, section 7.1.1) without a label.
    pub(super) fn encrypt(
        &self,
        algorithm: &'static OaepAlgorithm,
        plain: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let mut ciphertext = vec![0; self.oaep.ciphertext_size()];
        let length =
            self.oaep.encrypt(algorithm, plain, &mut ciphertext, None).map_err(|_| KeyError::Crypto)?.len();
        ciphertext.truncate(length);
        Ok(ciphertext)
    }
}

impl fmt::Debug for EncryptingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptingKey(RSA {})", self.key.key_size_bits())
    }
}

#[cfg(test)]
mod tests;
