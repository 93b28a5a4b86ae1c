//! Changes of XML as text, by somebody who knows where to cut. Whatever comes out need not be XML.
#![allow(clippy::disallowed_methods, reason = "what is cut is our own")]

use roxmltree::{Document, Node};

/// The first element of this local name: its text from `<` to `>`.
pub fn element<'x>(xml: &'x str, local: &str) -> &'x str {
    &xml[find(xml, local).unwrap_or_else(|| panic!("no {local} in {xml}"))]
}

/// Whether there is an element of this name.
pub fn has(xml: &str, local: &str) -> bool {
    find(xml, local).is_some()
}

fn find(xml: &str, local: &str) -> Option<std::ops::Range<usize>> {
    let document = Document::parse(xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let found = document.descendants().find(|node| is(node, local));
    found.map(|node| node.range())
}

fn is(node: &Node<'_, '_>, local: &str) -> bool {
    node.is_element() && node.tag_name().name() == local
}

/// The signature that is a child of the first element of this name.
pub fn signature_of<'x>(xml: &'x str, local: &str) -> &'x str {
    let document = Document::parse(xml).unwrap();
    let parent = document.descendants().find(|node| is(node, local)).unwrap();
    let signature = parent.children().find(|node| is(node, "Signature"));
    &xml[signature.unwrap_or_else(|| panic!("{local} is not signed: {xml}")).range()]
}

/// One text replaced where it is first; it must be there.
pub fn swap(xml: &str, old: &str, new: &str) -> String {
    assert!(xml.contains(old), "no {old} in {xml}");
    xml.replacen(old, new, 1)
}

/// One text replaced wherever it is; it must be there.
pub fn swap_all(xml: &str, old: &str, new: &str) -> String {
    assert!(xml.contains(old), "no {old} in {xml}");
    xml.replace(old, new)
}

/// Something put directly before a text.
pub fn before(xml: &str, mark: &str, what: &str) -> String {
    swap(xml, mark, &format!("{what}{mark}"))
}

/// Something put directly after a text.
pub fn after(xml: &str, mark: &str, what: &str) -> String {
    swap(xml, mark, &format!("{mark}{what}"))
}

/// What stands between the start and the end tag of an element.
pub fn inside(element: &str) -> &str {
    let start = element.find('>').unwrap() + 1;
    &element[start..element.rfind("</").unwrap()]
}

/// An element with something put before its end tag.
pub fn with_last(element: &str, what: &str) -> String {
    let end = element.rfind("</").unwrap();
    [&element[..end], what, &element[end..]].concat()
}

/// An element with something put after its start tag.
pub fn with_first(element: &str, what: &str) -> String {
    let start = element.find('>').unwrap() + 1;
    [&element[..start], what, &element[start..]].concat()
}

/// The value of an attribute where it is first.
pub fn value<'x>(xml: &'x str, name: &str) -> &'x str {
    let (_, rest) = xml.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split('"').next().unwrap()
}

/// An attribute set to another value where it is first; `None` takes it away.
pub fn attr(xml: &str, name: &str, new: Option<&str>) -> String {
    let old = format!(" {name}=\"{}\"", value(xml, name));
    swap(xml, &old, &new.map_or_else(String::new, |new| format!(" {name}=\"{new}\"")))
}

/// A change of the first element of this name alone.
pub fn within(xml: &str, local: &str, change: impl FnOnce(&str) -> String) -> String {
    let range = find(xml, local).unwrap_or_else(|| panic!("no {local} in {xml}"));
    [&xml[..range.start], &change(&xml[range.clone()]), &xml[range.end..]].concat()
}
