//! A message as an administrator may see it: its shape, and nothing that names a person.

use super::xml::{Document, Element, Limits};

/// Elements of which nothing is shown but how much there is: they say who somebody is, or are long and tell nothing.
const HIDDEN: [&str; 7] =
    ["NameID", "AttributeValue", "BaseID", "CipherValue", "X509Certificate", "Modulus", "SessionIndex"];

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

/// The message with such texts replaced by their length, and by the domain where it is an address. `None` where it
/// cannot even be read. A `StatusMessage` is the provider's own words and is shown.
pub fn redacted(xml: &[u8]) -> Option<String> {
    let document = Document::parse(xml, &Limits::MESSAGE).ok()?;
    let mut shown = String::with_capacity(xml.len());
    write(document.root(), 0, &mut shown);
    Some(shown)
}

fn write(element: Element<'_>, depth: usize, shown: &mut String) {
    let indent = "  ".repeat(depth);
    shown.push_str(&format!("{indent}<{}", element.local()));
    for (name, value) in element.plain_attributes() {
        let value = if SHOWN.contains(&name) || name == "Version" { escaped(value) } else { hidden(value) };
        shown.push_str(&format!(" {name}=\"{value}\""));
    }
    if HIDDEN.contains(&element.local()) {
        let texts = element.descendants().filter_map(|inner| inner.text().ok());
        let text: String = texts.collect();
        shown.push_str(&format!(">{}</{}>\n", hidden(text.trim()), element.local()));
        return;
    }
    if element.children().next().is_some() {
        shown.push_str(">\n");
        for child in element.children() {
            write(child, depth + 1, shown);
        }
        shown.push_str(&format!("{indent}</{}>\n", element.local()));
        return;
    }
    let text = element.text().unwrap_or_default();
    shown.push_str(&format!(">{}</{}>\n", escaped(text.trim()), element.local()));
}

fn hidden(text: &str) -> String {
    let length = text.chars().count();
    match text.rsplit_once('@') {
        Some((_, domain)) if domain.len() <= 100 && !domain.contains(char::is_whitespace) => {
            format!("[{length} characters, at {}]", escaped(domain))
        }
        _ => format!("[{length} characters]"),
    }
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
        let xml = "<Response ID=\"_1\"><Assertion><Subject><NameID>ann@a.test</NameID></Subject>\
                   <AttributeValue>Ann &amp; Co</AttributeValue><AttributeValue><Mail>ann@a.test</Mail></AttributeValue>\
                   <SubjectConfirmationData Address=\"192.0.2.7\" Recipient=\"https://x.test/acs\"/><Audience>https://x.test</Audience></Assertion></Response>";
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
        assert!(!shown.contains("ann") && !shown.contains("Ann"), "{shown}");
        assert_eq!(redacted(b"<Response"), None);
    }
}
