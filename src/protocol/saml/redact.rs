//! A message as an administrator may see it: its shape, and nothing that names a person.

use super::xml::{Document, Element, Limits};

/// Elements whose text says who somebody is, or is long and tells nothing.
const HIDDEN: [&str; 6] =
    ["NameID", "AttributeValue", "CipherValue", "X509Certificate", "Modulus", "SessionIndex"];

/// The message with such texts replaced by their length, and by the domain where it is an address. `None` where it
/// cannot even be read.
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
        shown.push_str(&format!(" {name}=\"{}\"", escaped(value)));
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
    let text = if HIDDEN.contains(&element.local()) { hidden(text.trim()) } else { escaped(text.trim()) };
    shown.push_str(&format!(">{text}</{}>\n", element.local()));
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
                   <AttributeValue>Ann &amp; Co</AttributeValue><Audience>https://x.test</Audience></Assertion></Response>";
        let shown = redacted(xml.as_bytes()).unwrap();
        assert!(shown.contains("<NameID>[10 characters, at a.test]</NameID>"), "{shown}");
        assert!(shown.contains("<AttributeValue>[8 characters]</AttributeValue>"), "{shown}");
        assert!(
            shown.contains("<Audience>https://x.test</Audience>") && shown.contains("ID=\"_1\""),
            "{shown}"
        );
        assert!(!shown.contains("ann") && !shown.contains("Ann"), "{shown}");
        assert_eq!(redacted(b"<Response"), None);
    }
}
