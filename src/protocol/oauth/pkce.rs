//! Proof Key for Code Exchange (RFC 7636); only S256, as RFC 9700 asks.

use data_encoding::BASE64URL_NOPAD;

use crate::foundation::secret::Digest;

/// Whether a text can be an S256 challenge: 43 base64url characters of 32 bytes.
pub fn is_challenge(text: &str) -> bool {
    BASE64URL_NOPAD.decode(text.as_bytes()).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether a text can be a verifier (RFC 7636, section 4.1).
fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

/// The challenge of a verifier.
pub fn challenge(verifier: &str) -> String {
    Digest::of(verifier.as_bytes()).text()
}

/// Whether the verifier is the one that the challenge was made from.
pub fn matches(challenge: &str, verifier: &str) -> bool {
    let Ok(bytes) = BASE64URL_NOPAD.decode(challenge.as_bytes()) else { return false };
    is_verifier(verifier) && Digest::from_slice(&bytes).is_some_and(|digest| digest.matches(verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_matches() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let expected = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(challenge(verifier), expected);
        assert!(matches(expected, verifier));
    }

    #[test]
    fn h22_a_short_a_long_or_another_verifier_does_not_match() {
        let expected = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        for verifier in
            ["", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX", &"a".repeat(43), &"a".repeat(129), expected]
        {
            assert!(!matches(expected, verifier), "{verifier}");
        }
        assert!(!is_challenge("plain") && is_challenge(expected));
    }
}
