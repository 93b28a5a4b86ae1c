use std::borrow::Cow;
use std::fmt;

use roxmltree::{Attribute, Error, Node, NodeType, ParsingOptions};

use super::Limits;
use super::scan::scan;

/// Why a document is refused: which rule it breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}{}{what}, at byte {at}", if .what.is_empty() { "" } else { ": " })]
pub struct Malformed {
    pub rule: &'static str,
    /// The element that it is about, or nothing. At most 128 ASCII characters if it comes from the document.
    pub what: String,
    /// A byte offset, as good as it is known.
    pub at: usize,
}

impl Malformed {
    pub(super) fn new(rule: &'static str, at: usize) -> Self {
        Self { rule, what: String::new(), at }
    }
}

/// A document that broke no rule, as a tree. It is well-formed with regard to namespaces, and small within its limits.
pub struct Document<'t>(roxmltree::Document<'t>);

impl<'t> Document<'t> {
    pub fn parse(text: &'t [u8], limits: &Limits) -> Result<Self, Malformed> {
        // Each element brings at most two texts; the rest are comments.
        let nodes_limit = u32::try_from(limits.elements.saturating_mul(4)).unwrap_or(u32::MAX);
        let options = ParsingOptions { allow_dtd: false, nodes_limit, entity_resolver: None };
        let scanned = scan(text, *limits)?;
        #[allow(clippy::disallowed_methods)]
        let read = roxmltree::Document::parse_with_options(scanned, options);
        match read {
            Ok(tree) => Ok(Self(tree)),
            Err(error) => Err(Malformed::new(broken_rule(&error), offset(scanned, &error))),
        }
    }

    pub fn root(&self) -> Element<'_> {
        Element(self.0.root_element())
    }
}

fn broken_rule(error: &Error) -> &'static str {
    match error {
        Error::UnexpectedCloseTag(..) => "an end tag that is not of the open element",
        Error::DuplicatedAttribute(..) | Error::DuplicatedNamespace(..) => "an attribute is there twice",
        Error::UnknownNamespace(..) => "a prefix is not declared",
        Error::InvalidXmlPrefixUri(_) | Error::UnexpectedXmlUri(_) | Error::UnexpectedXmlnsUri(_) => {
            "a reserved namespace is declared"
        }
        Error::NodesLimitReached => "too many elements, texts and comments",
        _ => "the document is not well-formed",
    }
}

fn offset(text: &str, error: &Error) -> usize {
    let row = usize::try_from(error.pos().row).unwrap_or(1);
    let column = usize::try_from(error.pos().col).unwrap_or(1);
    let rows = text.split_inclusive('\n').take(row.saturating_sub(1)).map(str::len).sum::<usize>();
    rows + text[rows..].chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}

/// An element of a [`Document`]. Two are equal if they are the same one, not if they look alike.
#[derive(Clone, Copy, PartialEq)]
pub struct Element<'d>(Node<'d, 'd>);

/// What canonicalization sees within an element.
pub(super) enum Content<'d> {
    Element(Element<'d>),
    Text(&'d str),
}

/// An attribute, as canonicalization sees it; never a declaration of a namespace.
pub(super) struct Attr<'d> {
    pub namespace: Option<&'d str>,
    pub prefix: &'d str,
    pub local: &'d str,
    pub value: &'d str,
}

impl<'d> Element<'d> {
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local() == local && self.namespace() == namespace
    }

    pub fn local(&self) -> &'d str {
        self.0.tag_name().name()
    }

    /// Empty for no namespace.
    pub fn namespace(&self) -> &'d str {
        self.0.tag_name().namespace().unwrap_or_default()
    }

    /// The value of an attribute that is in no namespace; `x:ID` is not `ID`.
    pub fn attr(&self, name: &str) -> Option<&'d str> {
        let mut attributes = self.0.attributes();
        let found = attributes.find(|attribute| attribute.namespace().is_none() && attribute.name() == name);
        found.map(|attribute| attribute.value())
    }

    /// Whether it has none but these, none of them in a namespace.
    pub fn has_only_attributes(&self, names: &[&str]) -> bool {
        let mut attributes = self.0.attributes();
        attributes.all(|attribute| attribute.namespace().is_none() && names.contains(&attribute.name()))
    }

    /// All of its text together; a child element is an error.
    pub fn text(&self) -> Result<Cow<'d, str>, Malformed> {
        let mut text = Cow::Borrowed("");
        for content in self.content() {
            match content {
                Content::Text(part) => text += part,
                Content::Element(child) => {
                    return Err(child.malformed("an element where only text may stand"));
                }
            }
        }
        Ok(text)
    }

    /// Its text, which must be in one piece with nothing beside it, not even a comment (threat C07).
    pub fn sole_text(&self) -> Result<&'d str, Malformed> {
        let mut nodes = self.0.children();
        match (nodes.next().and_then(text_of), nodes.next()) {
            (Some(text), None) => Ok(text),
            _ => Err(self.malformed("a single text must stand here")),
        }
    }

    /// The child elements, whatever text stands between them.
    pub fn children(&self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        self.0.children().filter(Node::is_element).map(Element)
    }

    /// The child elements; text between them other than white space is an error.
    pub fn only_elements(&self) -> Result<impl Iterator<Item = Element<'d>> + use<'d>, Malformed> {
        let is_blank = |text: &str| text.bytes().all(|byte| b" \t\r\n".contains(&byte));
        match self.content().any(|content| matches!(content, Content::Text(text) if !is_blank(text))) {
            true => Err(self.malformed("text where only elements may stand")),
            false => Ok(self.children()),
        }
    }

    /// The only child of this name, if there is one; a second one is an error.
    pub fn child(&self, namespace: &str, local: &str) -> Result<Option<Element<'d>>, Malformed> {
        let mut found = self.children().filter(|child| child.is(namespace, local));
        match (found.next(), found.next()) {
            (_, Some(second)) => Err(second.malformed("an element that may be there only once")),
            (first, None) => Ok(first),
        }
    }

    /// The only child of this name; none is an error.
    pub fn required(&self, namespace: &str, local: &str) -> Result<Element<'d>, Malformed> {
        let missing = || Malformed { what: local.to_owned(), ..self.malformed("an element is missing") };
        self.child(namespace, local)?.ok_or_else(missing)
    }

    pub fn parent(&self) -> Option<Element<'d>> {
        self.0.parent_element().map(Element)
    }

    /// The root of the document that it is in.
    pub fn root(&self) -> Element<'d> {
        Element(self.0.document().root_element())
    }

    /// The element itself and all below it, in the order of the document.
    pub fn descendants(&self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        self.0.descendants().filter(Node::is_element).map(Element)
    }

    /// All values of attributes that somebody might take for an identifier, each with whether it is in a namespace.
    pub fn ids(&self) -> impl Iterator<Item = (&'d str, bool)> + use<'d> {
        let is_id = |attribute: &Attribute<'_, '_>| {
            ["id", "assertionid"].iter().any(|id| attribute.name().eq_ignore_ascii_case(id))
        };
        self.0.attributes().filter(is_id).map(|it| (it.value(), it.namespace().is_some()))
    }

    /// A complaint about this element.
    pub fn malformed(&self, rule: &'static str) -> Malformed {
        Malformed { rule, what: self.local().to_owned(), at: self.0.range().start }
    }

    /// Where its start tag begins and its end tag ends in what was parsed.
    pub(in super::super) fn range(&self) -> std::ops::Range<usize> {
        self.0.range()
    }

    /// Where its content begins; nothing if it is empty.
    pub(in super::super) fn content_start(&self) -> Option<usize> {
        self.0.first_child().map(|first| first.range().start)
    }

    pub(super) fn prefix(&self) -> &'d str {
        let name = &self.source()[self.0.range().start + 1..];
        let end = name.find([' ', '\t', '\r', '\n', '/', '>']).unwrap_or(name.len());
        prefix_of(&name[..end])
    }

    /// Name and value of every attribute that has no namespace.
    pub fn plain_attributes(&self) -> impl Iterator<Item = (&'d str, &'d str)> + use<'d> {
        let plain = self.0.attributes().filter(|attribute| attribute.namespace().is_none());
        plain.map(|attribute| (attribute.name(), attribute.value()))
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = Attr<'d>> + use<'d> {
        let source = self.source();
        self.0.attributes().map(|attribute| Attr {
            namespace: attribute.namespace(),
            prefix: prefix_of(&source[attribute.range_qname()]),
            local: attribute.name(),
            value: attribute.value(),
        })
    }

    /// What a prefix means here; the empty one is the default namespace, and empty the meaning of none.
    pub(super) fn meaning(&self, prefix: &str) -> Option<&'d str> {
        let mut namespaces = self.0.namespaces();
        let found = namespaces.find(|namespace| namespace.name().unwrap_or_default() == prefix);
        found.map(roxmltree::Namespace::uri)
    }

    /// Whether a prefix may mean something else here than in the parent.
    pub(super) fn declares(&self) -> bool {
        let Some(parent) = self.0.parent_element() else { return true };
        let (own, around) = (self.0.namespaces(), parent.namespaces());
        own.len() != around.len() || own.zip(around).any(|(own, around)| !std::ptr::eq(own, around))
    }

    /// Elements and texts; comments are passed over, and nothing else is ever there.
    pub(super) fn content(&self) -> impl Iterator<Item = Content<'d>> + use<'d> {
        self.0.children().filter_map(|node| match node.node_type() {
            NodeType::Element => Some(Content::Element(Element(node))),
            _ => text_of(node).map(Content::Text),
        })
    }

    fn source(&self) -> &'d str {
        self.0.document().input_text()
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}> at byte {}", self.local(), self.0.range().start)
    }
}

/// The text of a text. Of anything else `Node::text` would give the first piece of text, or a comment.
#[allow(clippy::disallowed_methods)]
fn text_of<'d>(node: Node<'d, 'd>) -> Option<&'d str> {
    node.text().filter(|_| node.is_text())
}

fn prefix_of(name: &str) -> &str {
    &name[..name.find(':').unwrap_or(0)]
}
