use super::{Document, Limits, Malformed};

/// Writes one element and what is in it.
///
/// A prefix is declared where it is used and not yet declared around. Text and values are escaped, and nothing else can
/// be put in. What went wrong on the way (a character that XML cannot hold, an attribute twice, an element left open)
/// is told by [`Writer::finish`].
pub struct Writer {
    namespaces: &'static [(&'static str, &'static str)],
    text: String,
    /// The open elements, the innermost last, each with the number of prefixes declared around it.
    open: Vec<(&'static str, usize)>,
    declared: Vec<&'static str>,
    /// Whether the start tag of the innermost element still takes attributes.
    in_tag: bool,
    mistake: Option<Malformed>,
}

impl Writer {
    /// `namespaces` are the prefixes that may be used, and what they mean.
    pub fn new(namespaces: &'static [(&'static str, &'static str)]) -> Self {
        let text = String::with_capacity(4 * 1024);
        Self { namespaces, text, open: Vec::new(), declared: Vec::new(), in_tag: false, mistake: None }
    }

    /// Opens an element: `saml:Assertion`.
    pub fn open(&mut self, name: &'static str) -> &mut Self {
        self.end_tag_start();
        self.open.push((name, self.declared.len()));
        self.push(&["<", name]);
        self.in_tag = true;
        self.declare_prefix_of(name)
    }

    /// An attribute of the element that was opened last: `ID`, `xsi:type`.
    pub fn attr(&mut self, name: &'static str, value: &str) -> &mut Self {
        if !self.in_tag {
            return self.complain("an attribute outside of a start tag", name);
        }
        self.declare_prefix_of(name);
        self.push(&[" ", name, "=\""]);
        self.escape(value);
        self.push(&["\""])
    }

    /// As [`Writer::attr`], if there is a value.
    pub fn attr_if(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.attr(name, value),
            None => self,
        }
    }

    /// Declares a prefix on the element that was opened last, because a value uses it: `xs:string`.
    pub fn declare(&mut self, prefix: &'static str) -> &mut Self {
        if !self.in_tag {
            return self.complain("a declaration outside of a start tag", prefix);
        }
        if prefix == "xml" || self.declared.contains(&prefix) {
            return self;
        }
        let Some((_, uri)) = self.namespaces.iter().find(|(known, _)| *known == prefix) else {
            return self.complain("a prefix without a namespace", prefix);
        };
        self.declared.push(prefix);
        self.push(&[" xmlns:", prefix, "=\"", uri, "\""])
    }

    fn declare_prefix_of(&mut self, name: &'static str) -> &mut Self {
        match name.split_once(':') {
            Some((prefix, _)) => self.declare(prefix),
            None => self,
        }
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.end_tag_start();
        self.escape(text);
        self
    }

    /// Closes the element that was opened last.
    pub fn close(&mut self) -> &mut Self {
        let Some((name, declared_around)) = self.open.pop() else {
            return self.complain("nothing is open to be closed", "");
        };
        self.declared.truncate(declared_around);
        if std::mem::take(&mut self.in_tag) {
            return self.push(&["/>"]);
        }
        self.push(&["</", name, ">"])
    }

    /// An element with nothing but text in it.
    pub fn leaf(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.open(name).text(text).close()
    }

    /// A whole element that was written, signed or encrypted before, as it is. It must be a document of its own, and
    /// begin with its element.
    pub fn embed(&mut self, element: &str) -> &mut Self {
        self.end_tag_start();
        match Document::parse(element.as_bytes(), &Limits::MESSAGE) {
            Ok(_) if element.starts_with("<?") => self.complain("an XML declaration within a document", ""),
            Ok(_) => self.push(&[element]),
            Err(malformed) => {
                self.mistake.get_or_insert(malformed);
                self
            }
        }
    }

    /// What was written, if it can be read.
    pub fn finish(self) -> Result<String, Malformed> {
        match self.mistake {
            Some(mistake) => Err(mistake),
            None => Document::parse(self.text.as_bytes(), &Limits::MESSAGE).map(drop).map(|()| self.text),
        }
    }

    fn end_tag_start(&mut self) {
        if std::mem::take(&mut self.in_tag) {
            self.text.push('>');
        }
    }

    /// White space that a parser would change goes as character references.
    fn escape(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\t' => self.text.push_str("&#9;"),
                '\n' => self.text.push_str("&#10;"),
                '\r' => self.text.push_str("&#13;"),
                other => self.text.push(other),
            }
        }
    }

    fn push(&mut self, parts: &[&str]) -> &mut Self {
        parts.iter().for_each(|part| self.text.push_str(part));
        self
    }

    /// The first one counts.
    fn complain(&mut self, rule: &'static str, what: &str) -> &mut Self {
        self.mistake.get_or_insert(Malformed { rule, what: what.to_owned(), at: self.text.len() });
        self
    }
}
