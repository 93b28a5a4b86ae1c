//! Exclusive XML Canonicalization 1.0, without comments (<https://www.w3.org/TR/xml-exc-c14n/>).

use super::reader::Content;
use super::{Element, Malformed, XML};

/// The canonical form of an element, leaving one element within it out. `prefixes` are the InclusiveNamespaces
/// PrefixList, in which `#default` stands for the default namespace. It is never empty.
pub fn canonical(
    element: Element<'_>,
    prefixes: &[&str],
    without: Option<Element<'_>>,
) -> Result<Vec<u8>, Malformed> {
    let out = Vec::with_capacity(element.range().len());
    let mut form = Form { out, rendered: Vec::new(), top: element, prefixes, without };
    form.element(element);
    match form.out.is_empty() {
        true => Err(element.malformed("the canonical form is empty")),
        false => Ok(form.out),
    }
}

struct Form<'d> {
    out: Vec<u8>,
    /// The namespaces that the open elements of the output have declared, the innermost last.
    rendered: Vec<(&'d str, &'d str)>,
    top: Element<'d>,
    prefixes: &'d [&'d str],
    without: Option<Element<'d>>,
}

impl<'d> Form<'d> {
    /// As deep as the document, which its limits bound.
    fn element(&mut self, element: Element<'d>) {
        if self.without == Some(element) {
            return;
        }
        let outer = self.rendered.len();
        self.out.push(b'<');
        self.name(element.prefix(), element.local());
        self.namespaces(element);
        self.attributes(element);
        self.out.push(b'>');
        for content in element.content() {
            match content {
                Content::Element(child) => self.element(child),
                Content::Text(text) => self.text(text),
            }
        }
        self.out.extend(b"</");
        self.name(element.prefix(), element.local());
        self.out.push(b'>');
        self.rendered.truncate(outer);
    }

    fn name(&mut self, prefix: &str, local: &str) {
        if !prefix.is_empty() {
            self.out.extend(prefix.as_bytes());
            self.out.push(b':');
        }
        self.out.extend(local.as_bytes());
    }

    /// Section 3: what the element and its attributes use, and what is on the list, unless the output has said so
    /// already. Sorted by prefix, the default namespace first.
    fn namespaces(&mut self, element: Element<'d>) {
        let mut used = vec![(element.prefix(), element.namespace())];
        used.extend(
            element.attributes().filter_map(|attribute| Some((attribute.prefix, attribute.namespace?))),
        );
        // Where nothing is declared, the parent has said what is on the list.
        if element == self.top || element.declares() {
            let listed = self.prefixes.iter().map(|prefix| if *prefix == "#default" { "" } else { *prefix });
            used.extend(listed.filter_map(|prefix| Some((prefix, element.meaning(prefix)?))));
        }
        used.retain(|(_, uri)| *uri != XML);
        used.sort_unstable();
        used.dedup();
        for (prefix, uri) in used {
            if self.said(prefix) != uri {
                self.declare(prefix, uri);
            }
        }
    }

    /// What the output means by a prefix so far. The default namespace is none until it is declared, and no other
    /// prefix can be declared as none, so that empty stands for both.
    fn said(&self, prefix: &str) -> &'d str {
        self.rendered.iter().rev().find(|(said, _)| *said == prefix).map_or("", |(_, uri)| uri)
    }

    fn declare(&mut self, prefix: &'d str, uri: &'d str) {
        self.rendered.push((prefix, uri));
        match prefix {
            "" => self.attribute("", "xmlns", uri),
            _ => self.attribute("xmlns", prefix, uri),
        }
    }

    /// Sorted by namespace, those without one first, and then by name.
    fn attributes(&mut self, element: Element<'d>) {
        let mut attributes: Vec<_> = element.attributes().collect();
        attributes.sort_unstable_by_key(|attribute| (attribute.namespace, attribute.local));
        for attribute in attributes {
            self.attribute(attribute.prefix, attribute.local, attribute.value);
        }
    }

    fn attribute(&mut self, prefix: &str, local: &str, value: &str) {
        self.out.push(b' ');
        self.name(prefix, local);
        self.out.extend(b"=\"");
        for byte in value.bytes() {
            match byte {
                b'&' => self.out.extend(b"&amp;"),
                b'<' => self.out.extend(b"&lt;"),
                b'"' => self.out.extend(b"&quot;"),
                b'\t' => self.out.extend(b"&#x9;"),
                b'\n' => self.out.extend(b"&#xA;"),
                b'\r' => self.out.extend(b"&#xD;"),
                other => self.out.push(other),
            }
        }
        self.out.push(b'"');
    }

    fn text(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'&' => self.out.extend(b"&amp;"),
                b'<' => self.out.extend(b"&lt;"),
                b'>' => self.out.extend(b"&gt;"),
                b'\r' => self.out.extend(b"&#xD;"),
                other => self.out.push(other),
            }
        }
    }
}
