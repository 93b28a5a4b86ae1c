//! Keys and certificates.

use super::signature::SignatureMethod;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key cannot be used")]
pub struct KeyError;

pub struct VerifyingKey(());

impl VerifyingKey {
    pub fn from_spki(_der: &[u8]) -> Result<Self, KeyError> {
        Err(KeyError)
    }

    pub fn verify(&self, _method: SignatureMethod, _message: &[u8], _signature: &[u8]) -> bool {
        false
    }
}

pub struct SigningKey(());

impl SigningKey {
    pub fn method(&self) -> SignatureMethod {
        SignatureMethod::RsaSha256
    }

    pub fn sign(&self, _method: SignatureMethod, _message: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(KeyError)
    }

    pub fn verifying_key(&self) -> Result<VerifyingKey, KeyError> {
        Err(KeyError)
    }
}

pub struct Certificate(());

impl Certificate {
    pub fn der(&self) -> &[u8] {
        &[]
    }
}
