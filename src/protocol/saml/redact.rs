//! What of a message its connection's administrators are told. It is kept in a trail from which nothing is ever taken, so
//! one rule holds for the redacted XML and for what a check has found: of what may name a person, the length, and of an
//! address its domain. No first letters and no digest: whoever knows the company could try its people one by one. Who needs
//! the values themselves tries the connection, or inspects a captured message.

use data_encoding::HEXLOWER;

use super::certificate::Certificate;
use super::names;
use super::xml::{Document, Element, Limits};

/// Elements whose text is shown, without addresses in it: names of providers and of classes, and the provider's own words
/// about a failure. Of all others only the length is, and the domain of an address; of digests and signatures, too, by which
/// a guess at what is hidden could be held against the whole.
const TEXTS: [(&str, &str); 8] = [
    (names::ASSERTION, "Issuer"),
    (names::ASSERTION, "Audience"),
    (names::ASSERTION, "AuthnContextClassRef"),
    (names::ASSERTION, "AuthnContextDeclRef"),
    (names::ASSERTION, "AuthenticatingAuthority"),
    (names::PROTOCOL, "StatusMessage"),
    (names::PROTOCOL, "RequesterID"),
    (names::SIGNATURE, "X509SerialNumber"),
];

/// Elements of which not even the shape is shown: what is in them is a person's, or anything at all.
const CLOSED: [&str; 4] = ["NameID", "AttributeValue", "BaseID", "CipherValue"];

/// Elements in which there may be anything, by names that mean something elsewhere.
const OPEN: [&str; 3] = ["Extensions", "StatusDetail", "Advice"];

const KNOWN: [&str; 5] =
    [names::ASSERTION, names::PROTOCOL, names::SIGNATURE, names::ENCRYPTION, names::ENCRYPTION_11];

/// Attributes that are shown as they are; of others only the length.
const SHOWN: [&str; 22] = [
    "Algorithm",
    "AuthnInstant",
    "Comparison",
    "Destination",
    "ForceAuthn",
    "Format",
    "FriendlyName",
    "ID",
    "Id",
    "InResponseTo",
    "IsPassive",
    "IssueInstant",
    "Method",
    "Name",
    "NameFormat",
    "NotBefore",
    "NotOnOrAfter",
    "PrefixList",
    "Recipient",
    "SessionNotOnOrAfter",
    "URI",
    "Value",
];

/// The message with all other texts replaced by their length, and by the domain where it is an address. `None` where it
/// cannot even be read.
pub fn redacted(xml: &[u8]) -> Option<String> {
    let document = Document::parse(xml, &Limits::MESSAGE).ok()?;
    let mut shown = String::with_capacity(xml.len());
    write(document.root(), 0, true, &mut shown);
    Some(shown)
}

/// `is_ours`: what stands around it is all SAML's own.
fn write(element: Element<'_>, depth: usize, is_ours: bool, shown: &mut String) {
    let is_ours = is_ours && KNOWN.contains(&element.namespace());
    let (indent, local) = ("  ".repeat(depth), element.local());
    shown.push_str(&format!("{indent}<{local}"));
    for (name, value) in element.plain_attributes() {
        let is_shown = is_ours && (SHOWN.contains(&name) || name == "Version");
        let value = escaped(&if is_shown { without_addresses(value) } else { hidden(value) });
        shown.push_str(&format!(" {name}=\"{value}\""));
    }
    if CLOSED.contains(&local) {
        let texts = element.descendants().filter_map(|inner| inner.text().ok());
        let text: String = texts.collect();
        shown.push_str(&format!(">{}</{local}>\n", escaped(&hidden(text.trim()))));
        return;
    }
    if element.children().next().is_some() {
        shown.push_str(">\n");
        for child in element.children() {
            write(child, depth + 1, is_ours && !OPEN.contains(&local), shown);
        }
        shown.push_str(&format!("{indent}</{local}>\n"));
        return;
    }
    let text = element.text().unwrap_or_default();
    let text = match text.trim() {
        "" => String::new(),
        text if is_ours && TEXTS.contains(&(element.namespace(), local)) => without_addresses(text),
        // No secret, and the first question after a change of keys.
        text if is_ours && local == "X509Certificate" => match Certificate::from_base64(text) {
            Ok(certificate) => format!("[SHA-256 {}]", HEXLOWER.encode(&certificate.fingerprint())),
            Err(_) => hidden(text),
        },
        text => hidden(text),
    };
    shown.push_str(&format!(">{}</{local}>\n", escaped(&text)));
}

/// A value that may name a person, as far as it is told.
pub fn hidden(text: &str) -> String {
    let length = text.chars().count();
    match text.rsplit_once('@') {
        Some((_, domain)) if (1..=100).contains(&domain.len()) && !domain.contains(char::is_whitespace) => {
            format!("[{length} characters, at {domain}]")
        }
        _ => format!("[{length} characters]"),
    }
}

/// A text in which addresses may stand, with each of them as far as it is told.
pub fn without_addresses(text: &str) -> String {
    let is_edge = |c: char| c.is_whitespace() || "'\"<>()[]{},;".contains(c);
    let word = |word: &str| if word.contains('@') { hidden(word) } else { word.to_owned() };
    let each = text.split_inclusive(is_edge).map(|piece| match piece.char_indices().next_back() {
        Some((at, edge)) if is_edge(edge) => word(&piece[..at]) + &piece[at..],
        _ => word(piece),
    });
    each.collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn m09_nobody_is_named() {
        let xml = format!(
            "<Response xmlns=\"{}\" ID=\"_1\"><Extensions><x:Person xmlns:x=\"urn:x\" Name=\"Ann\">Ann</x:Person>\
             <Issuer xmlns=\"{saml}\">Ann</Issuer></Extensions>\
             <Assertion xmlns=\"{saml}\"><Subject><NameID>ann@a.test</NameID></Subject>\
             <AttributeValue>Ann &amp; Co</AttributeValue><AttributeValue><Mail>ann@a.test</Mail></AttributeValue>\
             <SubjectConfirmationData Address=\"192.0.2.7\" Recipient=\"https://x.test/acs\"/>\
             <Audience>https://x.test</Audience><Nickname>Annie</Nickname><SessionIndex>Ann</SessionIndex>\
             <Audience xmlns=\"urn:x\">Ann</Audience></Assertion></Response>",
            names::PROTOCOL,
            saml = names::ASSERTION
        );
        let shown = redacted(xml.as_bytes()).unwrap();
        assert!(shown.contains("<NameID>[10 characters, at a.test]</NameID>"), "{shown}");
        assert!(shown.contains("<AttributeValue>[8 characters]</AttributeValue>"), "{shown}");
        assert!(
            shown.contains("<Audience>https://x.test</Audience>") && shown.contains("ID=\"_1\""),
            "{shown}"
        );
        assert!(
            shown.contains("Recipient=\"https://x.test/acs\"") && !shown.contains("192.0.2.7"),
            "{shown}"
        );
        assert!(shown.contains("<Nickname>[5 characters]</Nickname>"), "{shown}");
        assert!(shown.contains("<Person Name=\"[3 characters]\">[3 characters]</Person>"), "{shown}");
        assert!(!shown.contains("ann") && !shown.contains("Ann"), "{shown}");
        assert_eq!(redacted(b"<Response"), None);
    }

    #[test]
    fn m09_a_text_names_nobody_by_an_address() {
        for (text, shown) in [
            ("User 'ann@a.test' is not assigned.", "User '[10 characters, at a.test]' is not assigned."),
            ("ann@a.test, <bob@b.test>", "[10 characters, at a.test], <[10 characters, at b.test]>"),
            ("mailto:ann@", "[11 characters]"),
            ("[10 characters, at a.test]", "[10 characters, at a.test]"),
            ("https://idp.test/metadata", "https://idp.test/metadata"),
            ("", ""),
        ] {
            assert_eq!(without_addresses(text), shown);
        }
        let xml = format!(
            "<Response xmlns=\"{}\"><Status><StatusMessage>no ann@a.test</StatusMessage></Status>\
             <Signature xmlns=\"{}\"><DigestValue>AAAA</DigestValue><SignatureValue>BBBB</SignatureValue></Signature>\
             </Response>",
            names::PROTOCOL,
            names::SIGNATURE
        );
        let shown = redacted(xml.as_bytes()).unwrap();
        assert!(shown.contains("no [10 characters, at a.test]"), "{shown}");
        assert!(!shown.contains("AAAA") && !shown.contains("BBBB"), "{shown}");
    }
}
