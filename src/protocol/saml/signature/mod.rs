//! XML Signature 1.1 in one strict profile: one enveloped signature of one element, under exclusive canonicalization,
//! by keys that were pinned beforehand (SAML 2.0 Core, section 5.4; threats C04, C05, C08, C09, H16).
//!
//! [`verify_enveloped`] gives back the bytes that were signed. Whoever wants to believe something parses those, and
//! reads it there: where in the document a signed element stood, and what stood around it, is then no longer there to be
//! confused with.

mod algorithm;
mod detached;
mod examine;
mod form;
mod sign;
mod verify;

pub use algorithm::{DigestMethod, SignatureMethod};
pub use detached::verify_detached;
pub use examine::{Examined, examine_enveloped};
pub use sign::sign_enveloped;
pub use verify::verify_enveloped;

use std::borrow::Cow;

use super::keys::KeyError;
use super::xml::Malformed;

/// The namespace of XML Signature.
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// Exclusive canonicalization without comments, which is also its namespace.
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// The most bytes of a canonical SignedInfo. With its prefixes an honest one has some 2 kB; every key of a connection is
/// tried on it, before anybody is known to have signed it.
const MAX_SIGNED_INFO: usize = 16 * 1024;
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Something that was signed, and nothing else. Only [`verify_enveloped`] and [`verify_detached`] make one.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub fn get(&self) -> &T {
        &self.0
    }

    pub fn into_inner(self) -> T {
        self.0
    }

    /// What is read from a verified value is verified as well. `read` gets nothing else to read from: it must not
    /// capture anything of the document that the value was found in, only what we expect of it.
    pub fn try_map<U, E>(self, read: impl FnOnce(&T) -> Result<U, E>) -> Result<Verified<U>, E> {
        read(&self.0).map(Verified)
    }
}

/// Why there is nothing verified, or nothing signed; for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("there is no key to verify the signature by")]
    NoKeys,
    #[error("the element is not signed")]
    Missing,
    #[error("the element has no ID that can be referred to")]
    NoId,
    #[error("an identifier is there twice, or is hidden in a namespace")]
    AmbiguousId,
    #[error("the signature is not of the one form that is accepted: {0}")]
    Form(#[from] Malformed),
    /// Which there are instead.
    #[error("unsupported {0}")]
    Transforms(String),
    /// Which there is instead.
    #[error("unsupported {0}")]
    Algorithm(String),
    #[error("a SignedInfo of {0} bytes in its canonical form")]
    TooLarge(usize),
    #[error("the signature or digest value is not base64 in a single text")]
    Base64,
    /// What it says instead.
    #[error("a Reference to something else: {0}")]
    Reference(String),
    #[error("none of the keys made the signature")]
    Signature,
    /// None of the keys is of the kind that signs so.
    #[error("a signature by {method}, by which no key signs that is {kinds}")]
    Method { method: &'static str, kinds: String },
    #[error("what was signed has been changed")]
    Digest,
    #[error("the canonical form failed: {0}")]
    Canonical(Malformed),
    #[error("the element is signed already")]
    Signed,
    #[error("there is no element of that ID, or it is empty")]
    Place,
    #[error("the signature cannot be made: {0}")]
    Key(#[from] KeyError),
}

impl SignatureError {
    /// What would have been accepted in the place of what was found.
    pub fn expected(&self) -> Cow<'static, str> {
        let text = match self {
            Self::Algorithm(_) => {
                "RSA or ECDSA with SHA-256, SHA-384 or SHA-512, and a digest by one of these"
            }
            Self::Transforms(_) => {
                "canonicalization by xml-exc-c14n#, the transforms enveloped-signature and xml-exc-c14n#, and a \
                 PrefixList of 16 prefixes at most"
            }
            Self::Reference(_) => "one Reference to the element that the signature stands in, by its ID",
            Self::TooLarge(_) => {
                return format!("a SignedInfo of {MAX_SIGNED_INFO} bytes at most in its canonical form")
                    .into();
            }
            Self::Form(_) => {
                "a signature of SignedInfo, SignatureValue and perhaps KeyInfo, with nothing that does not belong there"
            }
            Self::NoId => "an ID on what is signed, of letters, digits and _-.:",
            Self::AmbiguousId => "identifiers that are there once, and in no namespace",
            Self::Base64 => "a signature value and a digest value in base64",
            Self::Digest => "what was signed, unchanged",
            _ => "a signature by a key of this connection",
        };
        text.into()
    }
}

#[cfg(test)]
mod tests;
