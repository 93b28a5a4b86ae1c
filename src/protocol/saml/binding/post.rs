//! The HTTP POST binding (SAML 2.0 Bindings, section 3.5): a message is base64 in a field of a form.

use super::BindingError;
use crate::protocol::saml::base64;
use crate::protocol::saml::xml::Limits;

/// The message in a `SAMLRequest` or `SAMLResponse` field: at most 512 KiB; line breaks and blanks are allowed.
pub fn decode(field: &str) -> Result<Vec<u8>, BindingError> {
    let message = base64::decode(field, Limits::MESSAGE.bytes);
    message.ok_or(if field.len() > base64::length(Limits::MESSAGE.bytes) {
        BindingError::TooLarge
    } else {
        BindingError::Base64("SAMLRequest or SAMLResponse")
    })
}

/// The field that carries a message, in one line.
pub fn encode(xml: &str) -> String {
    base64::encode(xml.as_bytes())
}
