//! The HTTP POST binding (SAML 2.0 Bindings, section 3.5): a message is base64 in a field of a form.

use super::BindingError;
use crate::protocol::saml::base64;
use crate::protocol::saml::xml::Limits;

/// The message in a `SAMLRequest` or `SAMLResponse` field: at most 512 KiB; line breaks and blanks are allowed.
pub fn decode(field: &str) -> Result<Vec<u8>, BindingError> {
    let message = base64::decode(field, Limits::MESSAGE.bytes);
    message.ok_or(if field.len() >= base64::length(Limits::MESSAGE.bytes) {
        BindingError::TooLarge
    } else {
        BindingError::Base64("SAMLRequest or SAMLResponse")
    })
}

/// The field that carries a message, in one line.
pub fn encode(xml: &str) -> String {
    base64::encode(xml.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_into_a_form_is_read_from_it() {
        assert_eq!(decode(&encode("<a>ä</a>")).as_deref(), Ok("<a>ä</a>".as_bytes()));
        assert_eq!(decode("PGE+\r\n PC9h\tPg==\n").as_deref(), Ok(b"<a></a>".as_slice()));
        for wrong in ["PGE-", "PGE+P", "PGE+*C9hPg==", "PGE%2BPC9hPg%3D%3D", "PGE+PC9hPg==="] {
            assert_eq!(decode(wrong), Err(BindingError::Base64("SAMLRequest or SAMLResponse")));
        }
    }

    #[test]
    fn h13_a_form_carries_half_a_mebibyte() {
        let most = "x".repeat(Limits::MESSAGE.bytes);
        assert_eq!(decode(&encode(&most)).map(|bytes| bytes.len()), Ok(Limits::MESSAGE.bytes));
        assert_eq!(decode(&encode(&(most + "x"))), Err(BindingError::TooLarge));
        assert_eq!(decode(&" ".repeat(1 << 22)), Err(BindingError::TooLarge));
    }
}
