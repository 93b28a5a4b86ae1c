//! The public keys of a client.

use crate::protocol::jose::{JwkSet, JwkSetError};

/// Why a text is not the public keys of a client.
#[derive(Debug, thiserror::Error)]
pub enum PublicKeysError {
    #[error(transparent)]
    Unreadable(#[from] JwkSetError),
    #[error("the key set holds a private key: give us the public ones only")]
    Private,
    #[error("the key set holds no key that can verify a signature")]
    Unusable,
}

/// A JWK Set of public keys that can verify (RFC 7517, section 5).
pub fn public_key_set(text: &[u8]) -> Result<serde_json::Value, PublicKeysError> {
    let usable = JwkSet::parse(text)?;
    let value: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    let private = |key: &serde_json::Value| key.get("d").is_some() || key.get("k").is_some();
    let keys = value.get("keys").and_then(serde_json::Value::as_array);
    if keys.is_some_and(|keys| keys.iter().any(private)) {
        return Err(PublicKeysError::Private);
    }
    if usable.keys().is_empty() { Err(PublicKeysError::Unusable) } else { Ok(value) }
}
