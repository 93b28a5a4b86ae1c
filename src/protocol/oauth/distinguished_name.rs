//! The name of a certificate's subject as text (RFC 4514), to be compared with that of a certificate.

use std::collections::BTreeSet;

use x509_parser::prelude::X509Name;

/// Names of attributes that stand for their object identifiers: those of RFC 4514, section 3, and some that certificates
/// often have besides. Every other one is written by its identifier.
const NAMES: [(&str, &str); 12] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("serialNumber", "2.5.4.5"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("organizationIdentifier", "2.5.4.97"),
];

/// Identifiers and values, the most special one first. Values compare letter by letter: whoever is to be admitted is written
/// as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistinguishedName(Vec<BTreeSet<(String, String)>>);

impl DistinguishedName {
    /// From text such as `CN=batch,O=Acme GmbH,C=DE`. Nothing: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let parts = split(text, ',')?;
        let attributes = |part: &str| split(part, '+')?.into_iter().map(|one| attribute(&one)).collect();
        let name: Vec<BTreeSet<_>> = parts.iter().map(|part| attributes(part)).collect::<Option<_>>()?;
        Some(Self(name))
    }

    /// As a certificate has it, the other way round. Nothing: a value is no text.
    pub fn of(name: &X509Name<'_>) -> Option<Self> {
        let mut parts = Vec::new();
        for part in name.iter_rdn() {
            let one = part.iter().map(|attribute| {
                Some((attribute.attr_type().to_id_string(), attribute.as_str().ok()?.to_owned()))
            });
            parts.push(one.collect::<Option<BTreeSet<_>>>()?);
        }
        parts.reverse();
        Some(Self(parts))
    }
}

/// The parts between separators that are not escaped; each keeps its escapes.
fn split(text: &str, separator: char) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for letter in text.chars() {
        if letter == separator && !escaped {
            parts.push(String::new());
            continue;
        }
        parts.last_mut()?.push(letter);
        escaped = letter == '\\' && !escaped;
    }
    (!escaped).then_some(parts)
}

fn attribute(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim();
    let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, id)| *id);
    let is_id =
        || name.split('.').count() > 2 && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let id = known.or_else(|| is_id().then_some(name))?;
    Some((id.to_owned(), unescaped(value)?))
}

/// Section 2.4. A value in hexadecimal (`#…`) is not read.
fn unescaped(value: &str) -> Option<String> {
    let value = value.trim_start();
    if value.is_empty() || value.starts_with('#') {
        return None;
    }
    let mut bytes: Vec<u8> = Vec::new();
    // Up to where white space at the end begins that nobody escaped.
    let mut kept = 0;
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                push_escaped(&mut bytes, &mut letters)?;
                kept = bytes.len();
            }
            '"' | '<' | '>' | ';' | '\0' => return None,
            ' ' => bytes.push(b' '),
            letter => {
                bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                kept = bytes.len();
            }
        }
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

fn push_escaped(bytes: &mut Vec<u8>, letters: &mut std::str::Chars<'_>) -> Option<()> {
    let first = letters.next()?;
    match first.to_digit(16) {
        None if " \"#+,;<=>\\".contains(first) => bytes.push(u8::try_from(first).ok()?),
        None => return None,
        Some(high) => bytes.push(u8::try_from(high * 16 + letters.next()?.to_digit(16)?).ok()?),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn m07_one_name_in_all_its_spellings_and_no_other() {
        let name = DistinguishedName::parse("CN=Batch\\, Ltd+UID=7,O=Acme,C=DE").unwrap();
        for same in [
            "cn=Batch\\2C Ltd+uid=7,o=Acme,c=DE",
            "UID=7+CN=Batch\\, Ltd, O=Acme , C=DE",
            "2.5.4.3=Batch\\, Ltd+0.9.2342.19200300.100.1.1=7,2.5.4.10=Acme,2.5.4.6=DE",
        ] {
            assert_eq!(DistinguishedName::parse(same).as_ref(), Some(&name), "{same}");
        }
        for other in [
            "C=DE,O=Acme,CN=Batch\\, Ltd+UID=7",
            "CN=batch\\, Ltd+UID=7,O=Acme,C=DE",
            "CN=Batch\\, Ltd,O=Acme,C=DE",
        ] {
            assert_ne!(DistinguishedName::parse(other).unwrap(), name, "{other}");
        }
        for none in [
            "", "Batch", "CN=", "CN=a,", "X=a", "CN=a\\", "CN=\\zz", "CN=#0401", "CN=\"a\"", "CN=a;O=b",
            "CN=\\ff",
        ] {
            assert_eq!(DistinguishedName::parse(none), None, "{none}");
        }
        assert_eq!(DistinguishedName::parse("CN=\\C3\\A4\\ "), DistinguishedName::parse("CN=ä\\20"));
    }
}
