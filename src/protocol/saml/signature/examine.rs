use super::form::Form;
use super::verify::{check_ids, digest_of, id_of, signed_info};
use super::{DS, DigestMethod, SignatureError, SignatureMethod};
use crate::protocol::saml::xml::Element;

/// What a signature says of itself, for somebody who looks for a mistake. It proves nothing: no key was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    pub method: SignatureMethod,
    pub digest_method: DigestMethod,
    /// Whether the element is what it was when the digest was taken.
    pub digest_fits: bool,
}

/// Looks at the one enveloped signature of `element` as [`super::verify_enveloped`] does, but for the key.
pub fn examine_enveloped(element: Element<'_>) -> Result<Examined, SignatureError> {
    let id = id_of(element)?;
    check_ids(element.root())?;
    let signature = element.child(DS, "Signature")?.ok_or(SignatureError::Missing)?;
    let form = Form::read(signature)?;
    form.reference.check(id)?;
    signed_info(&form)?;
    let digest_fits = match digest_of(&form, element, signature) {
        Ok(_) => true,
        Err(SignatureError::Digest) => false,
        Err(error) => return Err(error),
    };
    Ok(Examined { method: form.method, digest_method: form.reference.method, digest_fits })
}
