//! Base64 as XML and HTML forms carry it.

use std::borrow::Cow;

use data_encoding::BASE64;

/// The bytes of `text`: the standard alphabet, padded, with white space anywhere (RFC 2045 breaks its lines), and
/// nothing else. `None` as well if there are more than `max` of them, or more white space than text.
pub(super) fn decode(text: &str, max: usize) -> Option<Vec<u8>> {
    let encoded = length(max);
    if text.len() > encoded.saturating_mul(2) {
        return None;
    }
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let dense: Cow<'_, [u8]> = match text.bytes().any(|byte| blank(&byte)) {
        true => text.bytes().filter(|byte| !blank(byte)).collect(),
        false => text.as_bytes().into(),
    };
    if dense.len() > encoded {
        return None;
    }
    // The library would read several padded texts in a row as one.
    let text = dense.len().saturating_sub(2);
    if dense.get(..text).is_some_and(|text| text.contains(&b'=')) {
        return None;
    }
    BASE64.decode(&dense).ok().filter(|bytes| bytes.len() <= max)
}

/// The length of the base64 of so many bytes.
pub(super) fn length(bytes: usize) -> usize {
    BASE64.encode_len(bytes)
}

pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_standard_alphabet_padded_and_with_white_space_is_read() {
        assert_eq!(decode("aGVs\r\n\tbG8 = ", 5).as_deref(), Some(b"hello".as_slice()));
        assert_eq!(decode("", 5).as_deref(), Some(b"".as_slice()));
        for wrong in
            ["aGVsbG8", "aGVsbG8==", "aGVsbG9=", "aGVs_-8=", "aGVsbG8=aGVsbG8=", "aGVs\u{a0}bG8=", "%", "="]
        {
            assert_eq!(decode(wrong, 50), None, "{wrong}");
        }
        assert_eq!(decode("aGVsbG8=", 4), None);
        assert_eq!(decode(&" ".repeat(100), 4), None);
    }
}
