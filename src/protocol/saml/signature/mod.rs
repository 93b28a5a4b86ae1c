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

use super::keys::KeyError;
use super::xml::Malformed;

/// The namespace of XML Signature.
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// Exclusive canonicalization without comments, which is also its namespace.
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
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
    #[error(
        "the signature does not use exclusive canonicalization and the enveloped transform, and nothing else"
    )]
    Transforms,
    #[error("the signature or digest method is not supported")]
    Algorithm,
    #[error("the signature or digest value is not base64 in a single text")]
    Base64,
    #[error("the signature is of another element")]
    Reference,
    #[error("none of the keys made the signature")]
    Signature,
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

#[cfg(test)]
mod tests;
