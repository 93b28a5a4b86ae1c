//! Random documents that are read, repeatable from their seed: all that the parser and the canonical form could
//! stumble over, within what is allowed in a message.

use std::collections::BTreeSet;
use std::fmt::Write;

use behalf::foundation::random::Random;

pub struct Dice(Random);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Random::sequence(seed))
    }

    /// Less than `n`.
    pub fn below(&self, n: usize) -> usize {
        u32::from_be_bytes(self.0.bytes()) as usize % n
    }

    pub fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T: ?Sized>(&self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// A document whose elements bear the IDs `n0` (the root) to `n{elements - 1}`, in their order.
pub struct Made {
    pub xml: String,
    pub elements: usize,
}

pub fn document(dice: &Dice) -> Made {
    made(dice, false)
}

/// As [`document`], with something that looks like a signature, somewhere among the content, in many elements.
pub fn signed_looking(dice: &Dice) -> Made {
    made(dice, true)
}

fn made(dice: &Dice, signed: bool) -> Made {
    let most = 1 + dice.below(24);
    let mut maker = Maker { dice, out: String::new(), scope: Vec::new(), made: 0, most, signed };
    if dice.one_in(3) {
        maker.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n");
    }
    maker.element(0);
    if dice.one_in(3) {
        maker.out.push_str(" \r\n\t");
    }
    Made { xml: maker.out, elements: maker.made }
}

pub const PREFIXES: &[&str] = &["", "a", "b", "saml", "ds", "a-b", "_"];
const NAMESPACES: &[&str] = &["urn:a:1", "urn:a:10", "urn:b:2", "http://c.test/3", "urn:a:1#"];
const NAMES: &[&str] = &["x", "y", "Assertion", "x-1", "Z.z", "_x"];
const BLANKS: &[&str] = &["", "", "", " ", "\n", "\r\n", "\t ", " \r\n"];
const SNIPPETS: &[&str] = &[
    "x",
    "text",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\r\n\r\n",
    "\t",
    "&amp;",
    "&lt;",
    "&gt;",
    "&quot;",
    "&apos;",
    "&#13;",
    "&#xD;\n",
    "&#xA;",
    "&#10;",
    "&#9;",
    "&#x20;",
    "&#38;",
    "&#60;",
    "&#x3E;",
    "]]",
    ">",
    "\u{e9}",
    "&#233;",
    "\u{1f600}",
    "&#x1F600;",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{7f}",
    "\u{feff}",
    "\u{fffd}",
    "/",
    "=",
    "-->",
    "?>",
    "%41",
    "&amp;amp;",
];

const SIGNATURES: &[&str] = &[
    "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo/>x</ds:Signature>",
    "<Signature xmlns='http://www.w3.org/2000/09/xmldsig#'>\n <SignedInfo a='b'/></Signature>",
    "<a:Signature xmlns:a='http://www.w3.org/2000/09/xmldsig#' xmlns=''><b/></a:Signature>",
    "<_:Signature xmlns:_='http://www.w3.org/2000/09/xmldsig#'/>",
];

struct Maker<'d> {
    dice: &'d Dice,
    out: String,
    /// What every prefix means here, the innermost last; the default namespace may be none.
    scope: Vec<(&'static str, &'static str)>,
    made: usize,
    most: usize,
    signed: bool,
}

impl Maker<'_> {
    fn element(&mut self, depth: usize) {
        let outer = self.scope.len();
        let id = self.made;
        self.made += 1;
        let declared = self.declare();
        let prefix = self.prefix_in_scope(true);
        let name = self.qualified(prefix, self.dice.pick(NAMES));
        self.out.push('<');
        self.out.push_str(&name);
        let mut attributes = declared;
        attributes.push(format!("ID={}", self.quoted(&format!("n{id}"))));
        attributes.extend(self.attributes());
        while !attributes.is_empty() {
            let next = attributes.swap_remove(self.dice.below(attributes.len()));
            let blank = self.dice.pick(BLANKS);
            let _ = write!(self.out, " {blank}{next}");
        }
        self.out.push_str(self.dice.pick(BLANKS));
        if self.dice.one_in(6) {
            self.out.push_str("/>");
        } else {
            self.out.push('>');
            self.content(depth);
            let blank = self.dice.pick(BLANKS);
            let _ = write!(self.out, "</{name}{blank}>");
        }
        self.scope.truncate(outer);
    }

    fn content(&mut self, depth: usize) {
        let mut signed = !self.signed;
        for _ in 0..self.dice.below(5) {
            if !signed && self.dice.one_in(3) {
                signed = true;
                self.out.push_str(self.dice.pick(SIGNATURES));
            } else if self.made < self.most && depth < 12 && !self.dice.one_in(3) {
                self.element(depth + 1);
            } else {
                self.text();
            }
        }
    }

    /// `]]>` may not stand in a text, and a text may end where the next one begins.
    fn text(&mut self) {
        for _ in 0..self.dice.below(6) {
            let snippet = self.dice.pick(SNIPPETS);
            if !(self.out.ends_with("]]") && snippet.starts_with('>')) {
                self.out.push_str(snippet);
            }
        }
    }

    fn declare(&mut self) -> Vec<String> {
        let mut declared = BTreeSet::new();
        let mut written = Vec::new();
        for _ in 0..self.dice.below(4) {
            let prefix = self.dice.pick(PREFIXES);
            if !declared.insert(prefix) {
                continue;
            }
            let uri = if prefix.is_empty() && self.dice.one_in(3) { "" } else { self.dice.pick(NAMESPACES) };
            self.scope.push((prefix, uri));
            let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
            written.push(format!("{name}=\"{uri}\""));
        }
        written
    }

    fn attributes(&self) -> Vec<String> {
        let mut known = BTreeSet::new();
        let mut written = Vec::new();
        for _ in 0..self.dice.below(5) {
            let prefix = self.prefix_in_scope(false);
            let local = self.dice.pick(NAMES);
            if known.insert((if prefix.is_empty() { "" } else { self.meaning(prefix) }, local)) {
                let value = self.quoted(&self.snippets());
                written.push(format!("{}{}={value}", self.qualified(prefix, local), self.dice.pick(BLANKS)));
            }
        }
        if self.dice.one_in(8) {
            written.push(format!("xml:lang={}", self.quoted("de")));
        }
        if self.dice.one_in(12) {
            written.push("xml:space='preserve'".to_owned());
        }
        written
    }

    fn snippets(&self) -> String {
        (0..self.dice.below(6)).map(|_| self.dice.pick(SNIPPETS)).collect()
    }

    fn quoted(&self, value: &str) -> String {
        let quote = if self.dice.one_in(2) { '"' } else { '\'' };
        let other = if quote == '"' { '\'' } else { '"' };
        format!(
            "{quote}{value}{}{quote}",
            if value.starts_with("text") { other.to_string() } else { String::new() }
        )
    }

    fn prefix_in_scope(&self, default: bool) -> &'static str {
        let prefix = self.dice.pick(PREFIXES);
        let declared = self.scope.iter().any(|(known, _)| *known == prefix);
        if declared && (default || !prefix.is_empty()) { prefix } else { "" }
    }

    fn meaning(&self, prefix: &str) -> &'static str {
        self.scope.iter().rev().find(|(known, _)| *known == prefix).map_or("", |(_, uri)| uri)
    }

    fn qualified(&self, prefix: &str, local: &str) -> String {
        if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") }
    }
}
