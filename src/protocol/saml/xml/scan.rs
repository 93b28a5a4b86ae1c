//! One linear pass over the bytes, before the parser sees them. It never goes back, and keeps nothing but what
//! namespaces were declared.

use super::{Malformed, XML};

/// How much of a document is read, and how strictly.
///
/// Each bounds something that the parser or we do more than once per byte, so that the worst document of a size costs
/// little more than an honest one (threat H15).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub bytes: usize,
    /// Elements within elements; at most [`Limits::MAX_DEPTH`] counts.
    pub depth: usize,
    pub elements: usize,
    /// Attributes of one element, declarations of namespaces included.
    pub attributes: usize,
    /// Attributes of the whole document: the parser looks the prefix of each of them up.
    pub all_attributes: usize,
    /// Different declarations of namespaces in the whole document: a prefix and what it means. The same one may be
    /// there again and again: some identity providers declare two of them in each value of an attribute, and so does
    /// the canonical form of any.
    pub namespaces: usize,
    /// Namespaces in scope of the elements that declare any, all together: the parser makes a list for each of those.
    pub scopes: usize,
    /// Declarations of namespaces on one element (threat C08).
    pub declarations: usize,
    pub comments: Comments,
}

/// What is done with comments, and with what else is refused in a message but occurs in metadata that people edit: a
/// byte order mark, CDATA, and `xmlns:xml` if it says the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comments {
    Refused,
    /// As if they were not there: the text before and after one is one text.
    Dropped,
}

impl Limits {
    pub const MESSAGE: Self = Self {
        bytes: 512 * 1024,
        depth: 40,
        elements: 20_000,
        attributes: 48,
        all_attributes: 12_000,
        namespaces: 128,
        scopes: 64 * 1024,
        declarations: 8,
        comments: Comments::Refused,
    };
    pub const METADATA: Self = Self {
        bytes: 5 * 1024 * 1024,
        depth: 40,
        elements: 200_000,
        attributes: 48,
        all_attributes: 400_000,
        namespaces: 1024,
        scopes: 512 * 1024,
        declarations: 24,
        comments: Comments::Dropped,
    };
    pub const MAX_DEPTH: usize = 64;
    /// Declarations on an element and all around it.
    const IN_SCOPE: usize = 32;
    /// Bytes of a qualified name, and of a namespace: both are compared over and over.
    const NAME: usize = 128;
    const NAMESPACE: usize = 256;
}

/// Refuses everything but elements, attributes, text and the five named entities; see [`Comments`] for metadata.
pub(super) fn scan(bytes: &[u8], limits: Limits) -> Result<&str, Malformed> {
    if bytes.len() > limits.bytes {
        return Err(Malformed::new("the document is too long", limits.bytes));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Malformed::new("the document is not UTF-8", error.valid_up_to()))?;
    let text = match limits.comments {
        Comments::Dropped => text.strip_prefix('\u{feff}').unwrap_or(text),
        Comments::Refused => text,
    };
    Scan::new(text, limits).document()?;
    Ok(text)
}

type Scanned<T = ()> = Result<T, Malformed>;

struct Scan<'t> {
    text: &'t str,
    at: usize,
    limits: Limits,
    elements: usize,
    all_attributes: usize,
    /// Sorted.
    namespaces: Vec<(&'t str, &'t str)>,
    scopes: usize,
    depth: usize,
    /// How many declarations each open element has, and how many they are together.
    declared: [usize; Limits::MAX_DEPTH],
    in_scope: usize,
}

/// What was declared on the element that is being scanned.
#[derive(Default)]
struct Declared {
    count: usize,
    default: bool,
}

impl<'t> Scan<'t> {
    fn new(text: &'t str, limits: Limits) -> Self {
        let declared = [0; Limits::MAX_DEPTH];
        Self {
            text,
            at: 0,
            limits,
            elements: 0,
            all_attributes: 0,
            namespaces: Vec::new(),
            scopes: 0,
            depth: 0,
            declared,
            in_scope: 0,
        }
    }

    fn document(&mut self) -> Scanned {
        self.xml_declaration()?;
        while let Some(byte) = self.peek() {
            match byte {
                b'<' => self.markup()?,
                _ if self.depth > 0 => self.character()?,
                _ if is_space(byte) => self.at += 1,
                _ => return self.refuse("text outside the root element"),
            }
        }
        match (self.depth, self.elements) {
            (_, 0) => self.refuse("there is no element"),
            (0, _) => Ok(()),
            _ => self.refuse("an element is not closed"),
        }
    }

    /// XML 1.0, section 2.8. It may say nothing but what is so anyway.
    fn xml_declaration(&mut self) -> Scanned {
        if !self.rest().starts_with(b"<?xml ") {
            return Ok(());
        }
        self.at += "<?xml".len();
        if !self.pseudo_attribute("version", &["1.0"])? {
            return self.refuse("the XML declaration has no version");
        }
        self.pseudo_attribute("encoding", &["UTF-8"])?;
        self.pseudo_attribute("standalone", &["yes", "no"])?;
        self.spaces();
        self.expect(b"?>")
    }

    fn pseudo_attribute(&mut self, name: &str, allowed: &[&str]) -> Scanned<bool> {
        let start = self.at;
        if !self.spaces() || !self.rest().starts_with(name.as_bytes()) {
            self.at = start;
            return Ok(false);
        }
        self.at += name.len();
        self.equals()?;
        let value = self.quoted()?;
        match allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(value)) {
            true => Ok(true),
            false => self.refuse("the XML declaration says something else than XML 1.0 in UTF-8"),
        }
    }

    fn markup(&mut self) -> Scanned {
        match self.rest().get(1) {
            Some(b'/') => self.end_tag(),
            Some(b'?') => self.refuse("a processing instruction"),
            Some(b'!') => self.comment_or_cdata(),
            _ => self.start_tag(),
        }
    }

    /// No identity provider is known to send CDATA in a message, so there is none in messages.
    fn comment_or_cdata(&mut self) -> Scanned {
        let ends: [(&[u8], &[u8]); 2] = [(b"<!--", b"-->"), (b"<![CDATA[", b"]]>")];
        let found = ends.iter().find(|(start, _)| self.rest().starts_with(start));
        let Some((start, end)) = found else { return self.refuse("a document type or other declaration") };
        if self.limits.comments == Comments::Refused {
            return self.refuse("a comment or CDATA section in a message");
        }
        self.at += start.len();
        let length = self.rest().windows(end.len()).position(|bytes| bytes == *end);
        let Some(length) = length else { return self.refuse("a comment or CDATA section is not closed") };
        self.at += length + end.len();
        Ok(())
    }

    fn start_tag(&mut self) -> Scanned {
        if self.depth == 0 && self.elements > 0 {
            return self.refuse("a second root element");
        }
        self.elements += 1;
        if self.elements > self.limits.elements || self.depth >= self.limits.depth.min(Limits::MAX_DEPTH) {
            return self.refuse("too many or too deep elements");
        }
        self.at += 1;
        self.name()?;
        let declared = self.attributes()?;
        self.scope(declared)?;
        if self.peek() == Some(b'/') {
            return self.expect(b"/>");
        }
        self.declared[self.depth] = declared;
        self.in_scope += declared;
        self.depth += 1;
        self.expect(b">")
    }

    /// What an element that declares so many namespaces costs the parser.
    fn scope(&mut self, declared: usize) -> Scanned {
        let in_scope = self.in_scope + declared;
        self.scopes += if declared > 0 { in_scope } else { 0 };
        if in_scope > Limits::IN_SCOPE || self.scopes > self.limits.scopes {
            return self.refuse("too many namespaces in scope");
        }
        Ok(())
    }

    /// That it is the right one is the parser's to see.
    fn end_tag(&mut self) -> Scanned {
        self.at += 2;
        self.name()?;
        self.spaces();
        self.expect(b">")?;
        let Some(depth) = self.depth.checked_sub(1) else {
            return self.refuse("an end tag without a start tag");
        };
        self.depth = depth;
        self.in_scope -= self.declared[depth];
        Ok(())
    }

    /// All attributes of a start tag; how many namespaces they declare.
    fn attributes(&mut self) -> Scanned<usize> {
        let mut declared = Declared::default();
        for count in 0.. {
            let spaced = self.spaces();
            if matches!(self.peek(), Some(b'/' | b'>')) {
                break;
            }
            if !spaced {
                return self.refuse("something else than the syntax asks for");
            }
            self.all_attributes += 1;
            if count == self.limits.attributes || self.all_attributes > self.limits.all_attributes {
                return self.refuse("too many attributes");
            }
            self.attribute(&mut declared)?;
        }
        if declared.count > self.limits.declarations {
            return self.refuse("too many declarations of namespaces");
        }
        Ok(declared.count)
    }

    fn attribute(&mut self, declared: &mut Declared) -> Scanned {
        let name = self.name()?;
        self.equals()?;
        let value = self.quoted()?;
        match name.split_once(':') {
            None if name == "xmlns" => {
                // The parser counts them only where they have a prefix.
                if std::mem::replace(&mut declared.default, true) {
                    return self.refuse("the default namespace is declared twice");
                }
                declared.count += 1;
                if !value.is_empty() {
                    self.namespace(value)?;
                }
                self.remember("", value)
            }
            Some(("xmlns", prefix)) => {
                declared.count += 1;
                self.prefix(prefix, value)?;
                self.remember(prefix, value)
            }
            // `xml:id` would be an identifier that no signature is checked by, `xml:base` another meaning for `#id`.
            Some(("xml", local)) if !matches!(local, "lang" | "space") => {
                self.refuse("an attribute like xml:id")
            }
            // The parser takes it for a declaration of the default namespace.
            Some((_, "xmlns")) => self.refuse("an attribute named xmlns"),
            _ => Ok(()),
        }
    }

    fn prefix(&self, prefix: &str, uri: &str) -> Scanned {
        match prefix {
            "xml" if uri == XML && self.limits.comments == Comments::Dropped => Ok(()),
            "xml" | "xmlns" => self.refuse("a reserved prefix is declared"),
            _ => self.namespace(uri),
        }
    }

    /// An absolute URI, spelled without references: canonicalization is not defined for others (threat C08).
    fn namespace(&self, uri: &str) -> Scanned {
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        };
        let absolute =
            uri.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty());
        let plain = uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'&');
        if !absolute || !plain || uri.len() > Limits::NAMESPACE {
            return self.refuse("a namespace that is not a plain absolute URI");
        }
        Ok(())
    }

    /// The parser keeps every different one in a sorted list, and so do we.
    fn remember(&mut self, prefix: &'t str, uri: &'t str) -> Scanned {
        let Err(place) = self.namespaces.binary_search(&(prefix, uri)) else { return Ok(()) };
        if self.namespaces.len() == self.limits.namespaces {
            return self.refuse("too many different declarations of namespaces");
        }
        self.namespaces.insert(place, (prefix, uri));
        Ok(())
    }

    /// `local` or `prefix:local`, in ASCII: no element or attribute that SAML knows is named otherwise.
    fn name(&mut self) -> Scanned<&'t str> {
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(byte);
        let length = self.rest().iter().take_while(is_name).take(Limits::NAME + 1).count();
        let name = &self.text[self.at..self.at + length];
        let is_part =
            |part: &str| part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if length > Limits::NAME || name.split(':').count() > 2 || !name.split(':').all(is_part) {
            return self.refuse("not a name");
        }
        self.at += length;
        Ok(name)
    }

    fn equals(&mut self) -> Scanned {
        self.spaces();
        self.expect(b"=")?;
        self.spaces();
        Ok(())
    }

    /// What stands between two quotes, as it is written.
    fn quoted(&mut self) -> Scanned<&'t str> {
        let Some(quote @ (b'"' | b'\'')) = self.peek() else { return self.refuse("a value without quotes") };
        self.at += 1;
        let start = self.at;
        while self.peek() != Some(quote) {
            self.character()?;
        }
        let value = &self.text[start..self.at];
        self.at += 1;
        Ok(value)
    }

    /// One character or reference (XML 1.0, section 2.2), but no markup.
    fn character(&mut self) -> Scanned {
        match self.rest() {
            [b'&', ..] => return self.reference(),
            // The parser translates a lone one wrongly next to a reference; no editor has written any for decades.
            [b'\r', next, ..] if *next != b'\n' => return self.refuse("a carriage return that ends no line"),
            [] | [b'\r'] | [b'<', ..] => return self.refuse("a tag, text or value is not closed"),
            [b'\t' | b'\n' | b'\r' | b' '..=0xff, ..] if !self.is_noncharacter() => self.at += 1,
            _ => return self.refuse("a character that XML does not allow"),
        }
        Ok(())
    }

    /// U+FFFE and U+FFFF.
    fn is_noncharacter(&self) -> bool {
        matches!(self.rest(), [0xef, 0xbf, 0xbe | 0xbf, ..])
    }

    /// One of the five named entities, or a character by its number (XML 1.0, sections 4.1 and 4.6).
    fn reference(&mut self) -> Scanned {
        let length = self.rest().iter().take(12).position(|byte| *byte == b';');
        let Some(length) = length else { return self.refuse("an ampersand that begins no reference") };
        let name = &self.text[self.at + 1..self.at + length];
        let known = match name.strip_prefix('#') {
            None => matches!(name, "amp" | "lt" | "gt" | "quot" | "apos"),
            Some(number) => match number.strip_prefix('x') {
                Some(hexadecimal) => is_character(hexadecimal, 16),
                None => is_character(number, 10),
            },
        };
        self.at += length + 1;
        if known { Ok(()) } else { self.refuse("a reference to an entity, or to no character") }
    }

    /// Whether there were any.
    fn spaces(&mut self) -> bool {
        let count = self.rest().iter().take_while(|byte| is_space(**byte)).count();
        self.at += count;
        count > 0
    }

    fn expect(&mut self, bytes: &[u8]) -> Scanned {
        if !self.rest().starts_with(bytes) {
            return self.refuse("something else than the syntax asks for");
        }
        self.at += bytes.len();
        Ok(())
    }

    fn rest(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn refuse<T>(&self, rule: &'static str) -> Scanned<T> {
        Err(Malformed::new(rule, self.at))
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_character(digits: &str, radix: u32) -> bool {
    let number =
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, radix).ok());
    let character = number.flatten().and_then(char::from_u32);
    character
        .is_some_and(|it| matches!(it, '\t' | '\n' | '\r' | ' '..) && !matches!(it, '\u{fffe}' | '\u{ffff}'))
}
