use std::collections::HashSet;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::Digest;

use super::form::Form;
use super::{DS, MAX_SIGNED_INFO, SignatureError, SignatureMethod, Verified};
use crate::protocol::saml::keys::VerifyingKey;
use crate::protocol::saml::xml::{Element, canonical};

/// The canonical bytes of `element`, without its signature, if one of `keys` signed them.
///
/// The signature must be a child of the element and refer to it by its `ID`, which no other element of the document
/// may bear (threat C04). The order is that of trust: nothing is computed from what the signature refers to before
/// the signature itself is known to be by one of the keys. What the signature says about its key is not read.
pub fn verify_enveloped(
    element: Element<'_>,
    keys: &[VerifyingKey],
) -> Result<Verified<Vec<u8>>, SignatureError> {
    if keys.is_empty() {
        return Err(SignatureError::NoKeys);
    }
    let id = id_of(element)?;
    check_ids(element.root())?;
    let signature = element.child(DS, "Signature")?.ok_or(SignatureError::Missing)?;
    let form = Form::read(signature)?;
    form.reference.check(id)?;
    check_signature(&form, keys)?;
    digest_of(&form, element, signature).map(Verified)
}

/// Nothing that could be taken for an XPointer or an escaped URI.
pub(super) fn id_of(element: Element<'_>) -> Result<&str, SignatureError> {
    let is_plain = |id: &&str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte));
    element.attr("ID").filter(|id| !id.is_empty()).filter(is_plain).ok_or(SignatureError::NoId)
}

/// Whatever the attribute is called, no two elements have the same identifier, and none is in a namespace.
pub(super) fn check_ids(root: Element<'_>) -> Result<(), SignatureError> {
    let mut known = HashSet::new();
    match root.descendants().flat_map(|element| element.ids()).all(|(id, hidden)| !hidden && known.insert(id))
    {
        true => Ok(()),
        false => Err(SignatureError::AmbiguousId),
    }
}

/// The canonical bytes that a key signs.
pub(super) fn signed_info(form: &Form<'_>) -> Result<Vec<u8>, SignatureError> {
    let bytes = canonical(form.signed_info, &form.prefixes, None).map_err(SignatureError::Canonical)?;
    if bytes.len() > MAX_SIGNED_INFO { Err(SignatureError::TooLarge(bytes.len())) } else { Ok(bytes) }
}

fn check_signature(form: &Form<'_>, keys: &[VerifyingKey]) -> Result<(), SignatureError> {
    let digest = form.method.digest().digest(&signed_info(form)?);
    made_by_one(keys, form.method, &digest, &form.value)
}

/// Whether one of the keys made the signature over what has this digest; if none could have, that is said.
pub(super) fn made_by_one(
    keys: &[VerifyingKey],
    method: SignatureMethod,
    digest: &Digest,
    signature: &[u8],
) -> Result<(), SignatureError> {
    if keys.iter().any(|key| key.verify(method, digest, signature)) {
        return Ok(());
    }
    if keys.iter().any(|key| key.signs_by(method)) {
        return Err(SignatureError::Signature);
    }
    let mut kinds: Vec<_> = keys.iter().map(VerifyingKey::kind).collect();
    kinds.sort();
    kinds.dedup();
    Err(SignatureError::Method { method: method.word(), kinds: kinds.join(", ") })
}

/// The canonical bytes, if they are those that the digest was taken of.
pub(super) fn digest_of(
    form: &Form<'_>,
    element: Element<'_>,
    signature: Element<'_>,
) -> Result<Vec<u8>, SignatureError> {
    let reference = &form.reference;
    let bytes =
        canonical(element, &reference.prefixes, Some(signature)).map_err(SignatureError::Canonical)?;
    let digest = reference.method.digest(&bytes);
    match verify_slices_are_equal(digest.as_ref(), &reference.digest) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(SignatureError::Digest),
    }
}
