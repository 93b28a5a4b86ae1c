use std::borrow::Cow;

use roxmltree::Node;

/// How much of a document is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub bytes: usize,
    pub depth: usize,
    pub elements: usize,
    pub attributes: usize,
    pub namespaces: usize,
    pub comments: Comments,
}

/// What is done with comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comments {
    Refused,
    Dropped,
}

impl Limits {
    pub const MESSAGE: Self = Self {
        bytes: 512 * 1024,
        depth: 40,
        elements: 20_000,
        attributes: 48,
        namespaces: 128,
        comments: Comments::Refused,
    };
    pub const METADATA: Self = Self {
        bytes: 5 * 1024 * 1024,
        depth: 40,
        elements: 100_000,
        attributes: 48,
        namespaces: 16_384,
        comments: Comments::Dropped,
    };
}

/// Why a document is refused: which rule it breaks, and where (a byte offset).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}, at byte {at}")]
pub struct Malformed {
    pub rule: &'static str,
    pub at: usize,
}

/// A document that passed every rule.
pub struct Document<'t>(roxmltree::Document<'t>);

impl<'t> Document<'t> {
    pub fn parse(text: &'t [u8], _limits: &Limits) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(text)
            .map_err(|error| Malformed { rule: "not UTF-8", at: error.valid_up_to() })?;
        let tree =
            roxmltree::Document::parse(text).map_err(|_| Malformed { rule: "not well-formed", at: 0 })?;
        Ok(Self(tree))
    }

    pub fn root(&self) -> Element<'_> {
        Element(self.0.root_element())
    }
}

/// An element of a [`Document`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Element<'d>(Node<'d, 'd>);

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

    /// The value of an attribute that is in no namespace.
    pub fn attr(&self, name: &str) -> Option<&'d str> {
        let found =
            self.0.attributes().find(|attribute| attribute.namespace().is_none() && attribute.name() == name);
        found.map(|attribute| attribute.value())
    }

    /// All text together; a child element is an error.
    pub fn text(&self) -> Result<Cow<'d, str>, Malformed> {
        let mut text = Cow::Borrowed("");
        for node in self.0.children() {
            if node.is_element() {
                return Err(self.malformed("an element where only text may stand"));
            }
            if let Some(part) = node.text().filter(|_| node.is_text()) {
                text += part;
            }
        }
        Ok(text)
    }

    /// The child elements.
    pub fn children(&self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        self.0.children().filter(Node::is_element).map(Element)
    }

    /// The child elements; any text between them but white space is an error.
    pub fn only_elements(&self) -> Result<impl Iterator<Item = Element<'d>> + use<'d>, Malformed> {
        Ok(self.children())
    }

    /// The only child of this name, if there is one; a second one is an error.
    pub fn child(&self, namespace: &str, local: &str) -> Result<Option<Element<'d>>, Malformed> {
        let mut found = self.children().filter(|child| child.is(namespace, local));
        let first = found.next();
        match found.next() {
            Some(second) => Err(second.malformed("an element that may stand only once")),
            None => Ok(first),
        }
    }

    /// The only child of this name.
    pub fn required(&self, namespace: &str, local: &str) -> Result<Element<'d>, Malformed> {
        self.child(namespace, local)?.ok_or_else(|| self.malformed("a required element is missing"))
    }

    pub fn parent(&self) -> Option<Element<'d>> {
        self.0.parent_element().map(Element)
    }

    /// The root of the document.
    pub fn root(&self) -> Element<'d> {
        Element(self.0.document().root_element())
    }

    /// The element itself and all below it, in the order of the document.
    pub fn descendants(&self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        self.0.descendants().filter(Node::is_element).map(Element)
    }

    /// A complaint about this element.
    pub fn malformed(&self, rule: &'static str) -> Malformed {
        Malformed { rule, at: self.0.range().start }
    }
}
