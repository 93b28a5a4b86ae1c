//! XML Encryption 1.1, as far as it is safe (threats C10, H12): RSA-OAEP carries the key, AES-GCM the content.
//!
//! Encryption proves nothing about who encrypted: what comes out is as untrusted as what came in, and has to be read
//! and verified like any other message. AES-CBC tells an attacker who may try often enough what was encrypted, so it
//! is only opened for a caller who has verified the signature over the ciphertext. RSA with PKCS#1 1.5 padding and
//! triple DES have no code here.

mod algorithm;
mod open;
mod seal;

pub use algorithm::{Cipher, Ciphers, Oaep, Unsupported};
pub use open::{decrypt, decrypt_by};
pub use seal::encrypt;

use super::xml::Malformed;

const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const ELEMENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";

/// Why an element stays encrypted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecryptable {
    /// Decided by the names of algorithms alone, before any key is used.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// Decided by the elements alone, before any key is used.
    #[error("the encrypted element is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// Everything that depends on a key or on the encrypted bytes; also what is wrong with the text, where a key opened it
    /// that several connections share. It must not say more (threat H12).
    #[error(
        "the encrypted element cannot be decrypted, or its text does not count; more is told only of what a decryption \
         key of the connection's own has opened"
    )]
    Failed,
}

#[cfg(test)]
mod tests;
