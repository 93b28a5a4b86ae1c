//! XML Signature 1.1 in one strict profile: enveloped, exclusive canonicalization, pinned keys.

mod algorithm;
mod sign;
mod verify;

pub use algorithm::{DigestMethod, SignatureMethod};
pub use sign::sign_enveloped;
pub use verify::verify_enveloped;

use super::xml::Malformed;

/// Something that was signed, and nothing else. Only [`verify_enveloped`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub fn get(&self) -> &T {
        &self.0
    }

    pub fn into_inner(self) -> T {
        self.0
    }

    /// What is read from a verified value, and from nothing else, is verified. `read` must not capture anything of
    /// the document that the value was found in: it is a function of the signed bytes and of what we expect.
    pub fn try_map<U, E>(self, read: impl FnOnce(&T) -> Result<U, E>) -> Result<Verified<U>, E> {
        read(&self.0).map(Verified)
    }
}

/// Why there is no verified value, or no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("there is no key to verify the signature by")]
    NoKeys,
    #[error("the element is not signed")]
    Missing,
    #[error("the signature is malformed: {0}")]
    Malformed(#[from] Malformed),
}
