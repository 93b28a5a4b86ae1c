use super::verify::made_by_one;
use super::{SignatureError, SignatureMethod, Verified};
use crate::protocol::saml::keys::VerifyingKey;

/// Bytes whose signature came beside them, as that of a redirect's query does (SAML 2.0 Bindings, section 3.4.4.1), if
/// one of `keys` made it. What is read from them must be read from the bytes given back.
pub fn verify_detached(
    signed: Vec<u8>,
    method: SignatureMethod,
    signature: &[u8],
    keys: &[VerifyingKey],
) -> Result<Verified<Vec<u8>>, SignatureError> {
    if keys.is_empty() {
        return Err(SignatureError::NoKeys);
    }
    let digest = method.digest().digest(&signed);
    made_by_one(keys, method, &digest, signature).map(|()| Verified(signed))
}
