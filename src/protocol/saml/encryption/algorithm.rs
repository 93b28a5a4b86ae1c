use aws_lc_rs::aead;
use aws_lc_rs::cipher;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512, OaepAlgorithm,
};

use super::{DSIG, Undecryptable, XENC, XENC11};
use crate::protocol::saml::xml::Element;

/// An algorithm that is not used here, known by its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    #[error("the key is encrypted by RSA PKCS#1 1.5, which is unsafe; set the identity provider to RSA-OAEP")]
    Rsa15,
    #[error("the key is encrypted by something other than RSA-OAEP")]
    KeyTransport,
    #[error(
        "RSA-OAEP with different digests for the label and the mask is not supported; set the identity provider to \
         the same for both, or to rsa-oaep-mgf1p with SHA-1"
    )]
    UnequalDigests,
    #[error("RSA-OAEP with a digest or mask other than SHA-1, SHA-256, SHA-384 and SHA-512 is not supported")]
    Digest,
    #[error("the content is encrypted by triple DES, which is unsafe; set the identity provider to AES-GCM")]
    TripleDes,
    #[error(
        "AES-CBC in a response that is not signed is unsafe; set the identity provider to AES-GCM, or to sign the \
         response (AD FS: Set-AdfsRelyingPartyTrust -SamlResponseSignature MessageAndAssertion)"
    )]
    Cbc,
    #[error("the content is encrypted by something other than AES-GCM or AES-CBC")]
    Content,
    #[error("the encryption has parameters that are not supported")]
    Parameters,
}

/// The ciphers that a caller may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ciphers {
    Gcm,
    /// Only where a signature over the ciphertext was verified.
    GcmAndCbc,
}

/// How the content is encrypted (XML Encryption 1.1, sections 5.2.2 and 5.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    Aes128Gcm,
    Aes192Gcm,
    Aes256Gcm,
    Aes128Cbc,
    Aes192Cbc,
    Aes256Cbc,
}

pub(super) enum Mode {
    Gcm(&'static aead::Algorithm),
    Cbc(&'static cipher::Algorithm),
}

impl Cipher {
    pub const ALL: [Self; 6] = [
        Self::Aes128Gcm,
        Self::Aes192Gcm,
        Self::Aes256Gcm,
        Self::Aes128Cbc,
        Self::Aes192Cbc,
        Self::Aes256Cbc,
    ];

    pub fn uri(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "http://www.w3.org/2009/xmlenc11#aes128-gcm",
            Self::Aes192Gcm => "http://www.w3.org/2009/xmlenc11#aes192-gcm",
            Self::Aes256Gcm => "http://www.w3.org/2009/xmlenc11#aes256-gcm",
            Self::Aes128Cbc => "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
            Self::Aes192Cbc => "http://www.w3.org/2001/04/xmlenc#aes192-cbc",
            Self::Aes256Cbc => "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
        }
    }

    pub(super) fn key_bytes(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Cbc => 16,
            Self::Aes192Gcm | Self::Aes192Cbc => 24,
            Self::Aes256Gcm | Self::Aes256Cbc => 32,
        }
    }

    pub(super) fn mode(self) -> Mode {
        match self {
            Self::Aes128Gcm => Mode::Gcm(&aead::AES_128_GCM),
            Self::Aes192Gcm => Mode::Gcm(&aead::AES_192_GCM),
            Self::Aes256Gcm => Mode::Gcm(&aead::AES_256_GCM),
            Self::Aes128Cbc => Mode::Cbc(&cipher::AES_128),
            Self::Aes192Cbc => Mode::Cbc(&cipher::AES_192),
            Self::Aes256Cbc => Mode::Cbc(&cipher::AES_256),
        }
    }

    /// Reads the `xenc:EncryptionMethod` of an `xenc:EncryptedData`.
    pub(super) fn read(method: Element<'_>, allowed: Ciphers) -> Result<Self, Undecryptable> {
        let uri = method.attr("Algorithm").unwrap_or_default();
        if uri == "http://www.w3.org/2001/04/xmlenc#tripledes-cbc" {
            return Err(Unsupported::TripleDes.into());
        }
        let cipher = Self::ALL.into_iter().find(|cipher| cipher.uri() == uri).ok_or(Unsupported::Content)?;
        if matches!(cipher.mode(), Mode::Cbc(_)) && allowed == Ciphers::Gcm {
            return Err(Unsupported::Cbc.into());
        }
        // The identifier says the size of the key already; it may be said again.
        let bits = (cipher.key_bytes() * 8).to_string();
        for parameter in method.only_elements()? {
            if !parameter.is(XENC, "KeySize") || parameter.text()?.trim() != bits {
                return Err(Unsupported::Parameters.into());
            }
        }
        Ok(cipher)
    }
}

/// How RSA-OAEP encrypts the content's key (XML Encryption 1.1, sections 5.5.2 and 5.5.3). The mask (MGF1) has the
/// same digest as the label: the cryptographic library knows no other pairs. SHA-1 is safe here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oaep {
    /// `rsa-oaep-mgf1p`, with SHA-1 for both.
    Mgf1p,
    /// `rsa-oaep` of version 1.1, with this one for both.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// Each digest as `ds:DigestMethod` and as `xenc11:MGF` name it.
const DIGESTS: [(Oaep, &str, &str); 4] = [
    (Oaep::Sha1, "http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2009/xmlenc11#mgf1sha1"),
    (Oaep::Sha256, "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2009/xmlenc11#mgf1sha256"),
    (
        Oaep::Sha384,
        "http://www.w3.org/2001/04/xmldsig-more#sha384",
        "http://www.w3.org/2009/xmlenc11#mgf1sha384",
    ),
    (Oaep::Sha512, "http://www.w3.org/2001/04/xmlenc#sha512", "http://www.w3.org/2009/xmlenc11#mgf1sha512"),
];
const RSA_OAEP_MGF1P: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
const RSA_OAEP: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";

impl Oaep {
    pub const ALL: [Self; 5] = [Self::Mgf1p, Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    pub(super) fn algorithm(self) -> &'static OaepAlgorithm {
        match self {
            Self::Mgf1p | Self::Sha1 => &OAEP_SHA1_MGF1SHA1,
            Self::Sha256 => &OAEP_SHA256_MGF1SHA256,
            Self::Sha384 => &OAEP_SHA384_MGF1SHA384,
            Self::Sha512 => &OAEP_SHA512_MGF1SHA512,
        }
    }

    pub(super) fn uri(self) -> &'static str {
        match self {
            Self::Mgf1p => RSA_OAEP_MGF1P,
            Self::Sha1 | Self::Sha256 | Self::Sha384 | Self::Sha512 => RSA_OAEP,
        }
    }

    /// The identifiers of the digest and of the mask. `rsa-oaep-mgf1p` implies its mask, so it is not written.
    pub(super) fn parameters(self) -> (&'static str, Option<&'static str>) {
        let [sha1, ..] = DIGESTS;
        let (found, digest, mask) = DIGESTS.into_iter().find(|row| row.0 == self).unwrap_or(sha1);
        (digest, (found == self).then_some(mask))
    }

    /// Reads the `xenc:EncryptionMethod` of an `xenc:EncryptedKey`.
    pub(super) fn read(method: Element<'_>) -> Result<Self, Undecryptable> {
        let uri = method.attr("Algorithm").unwrap_or_default();
        match uri {
            RSA_OAEP | RSA_OAEP_MGF1P => {}
            "http://www.w3.org/2001/04/xmlenc#rsa-1_5" => return Err(Unsupported::Rsa15.into()),
            _ => return Err(Unsupported::KeyTransport.into()),
        }
        // A label (OAEPparams) is among what is refused: nobody sends one, and it would have to be agreed upon.
        let known = |element: &Element<'_>| element.is(DSIG, "DigestMethod") || element.is(XENC11, "MGF");
        if !method.only_elements()?.all(|parameter| known(&parameter)) {
            return Err(Unsupported::Parameters.into());
        }
        let named = |parameter: Option<Element<'_>>,
                     name: fn(&(Self, &'static str, &'static str)) -> &'static str| {
            let Some(parameter) = parameter else { return Ok(Self::Sha1) };
            let uri = parameter.attr("Algorithm").unwrap_or_default();
            DIGESTS.iter().find(|row| name(row) == uri).map(|row| row.0).ok_or(Unsupported::Digest)
        };
        let digest = named(method.child(DSIG, "DigestMethod")?, |row| row.1)?;
        let mask = named(method.child(XENC11, "MGF")?, |row| row.2)?;
        match (digest == mask, uri == RSA_OAEP, digest) {
            (false, _, _) => Err(Unsupported::UnequalDigests.into()),
            (true, true, digest) => Ok(digest),
            (true, false, Self::Sha1) => Ok(Self::Mgf1p),
            // `rsa-oaep-mgf1p` has the mask of SHA-1, whatever else is said.
            (true, false, _) => Err(Unsupported::UnequalDigests.into()),
        }
    }
}
