//! JSON Web Signatures and Keys: RFC 7515, 7517, 7518, 7638, 8037, with the advice of RFC 8725.
//!
//! A token becomes [`Claims`] in one way only: [`Jws::parse`] reads it, [`Jws::verify`] checks it against keys
//! that were pinned beforehand, and the result is [`Verified`]. Nothing the token says about its own key (`jwk`,
//! `jku`, `x5u`, `x5c`) is read, and `kid` is a map key, nothing more (threats C13, C14). Only what proves nothing but
//! that somebody holds a key brings it along: [`verify_by_brought_key`].

mod algorithm;
mod brought_key;
mod claims;
pub mod json;
mod jwk;
mod jws;
mod signing;
mod verifying;

pub use algorithm::Algorithm;
pub use brought_key::verify_by_brought_key;
pub use claims::{ClaimError, Claims};
pub use json::JsonError;
pub use jwk::{Jwk, JwkError};
pub use jws::{DEFAULT_MAX_BYTES, JoseError, Jws, Typ, Verified};
pub use signing::{SignError, SigningKey};
pub use verifying::{JwkSet, JwkSetError, VerifyingKey};

#[cfg(test)]
mod confusion_tests;
#[cfg(test)]
mod vector_tests;
