//! The one spelling of a domain name (threat C17). Every door reads domains here and nowhere else, so all of
//! them give the same verdict.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_security::general_security_profile::{GeneralSecurityProfile, IdentifierType};
use unicode_security::{MixedScript, skeleton};

/// A domain name in its canonical form: lower-case A-labels, such as `xn--mller-kva.example`.
///
/// Read from ASCII in any case, from A-labels, or from U-labels such as `müller.example`. At least two labels,
/// at most 253 bytes, each label 1 to 63 bytes of letters, digits and inner hyphens, no trailing dot, no IP
/// address. Spaces around it are dropped; nothing else is.
///
/// Where the text could be read in two ways it is refused instead of mapped:
/// - a character that IDNA (UTS 46) drops, folds or widens: soft hyphen, zero-width characters, full-width
///   letters, the ideographic full stop, the Kelvin sign, an upper-case letter beyond ASCII, a decomposed accent;
/// - a character outside the recommended set of UTS 39, such as a symbol or an emoji;
/// - a label that mixes scripts, other than those written together in Japanese, Korean and Bopomofo;
/// - a label beyond ASCII that looks like an ASCII one as a whole, such as the Cyrillic `а` or `рос`, or a dotless
///   `ı` (the price: a few genuine labels made only of such letters are refused too);
/// - an A-label that is not the exact encoding of a label which passes all this.
///
/// Two domains are related only when they are equal: a parent says nothing about its children (threat M14).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

/// Why a text is not a domain name, in words for the person who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainNameError {
    #[error("the domain name is missing")]
    Empty,
    #[error("the domain name is too long")]
    TooLong,
    #[error("the domain name must not end with a dot")]
    TrailingDot,
    #[error("the domain name needs at least two parts, as in example.com")]
    OneLabel,
    #[error("the domain name has an empty part between its dots")]
    EmptyLabel,
    #[error("a part of the domain name is longer than 63 characters")]
    LongLabel,
    #[error(
        "a part of the domain name begins or ends with a hyphen, or has two in its third and fourth place"
    )]
    Hyphen,
    #[error("the domain name is an IP address")]
    Address,
    #[error("the domain name holds a character that does not belong there (U+{:04X})", u32::from(*.0))]
    Character(char),
    #[error(
        "the domain name is spelled in a form that would be changed; write it in its plain lower-case form"
    )]
    Spelling,
    #[error("the domain name has a part beginning with xn-- that encodes no valid name")]
    Punycode,
    #[error("a part of the domain name mixes letters of different scripts")]
    MixedScripts,
    #[error("a part of the domain name looks like one in plain Latin letters but is not")]
    LooksLatin,
}

const MAX_BYTES: usize = 253;
/// A character is at most four bytes and never shorter than one byte of its A-label.
const MAX_TYPED_BYTES: usize = MAX_BYTES * 4;

impl DomainName {
    pub fn parse(text: &str) -> Result<Self, DomainNameError> {
        let typed = text.trim_matches(' ');
        check_shape(typed)?;
        let folded = typed.to_ascii_lowercase();
        if is_plain(&folded) {
            check_last_label(&folded)?;
            return Ok(Self(folded));
        }
        let ascii = idna::domain_to_ascii_strict(&folded).map_err(|_| why_idna_refused(&folded))?;
        let (unicode, decoded) = idna::domain_to_unicode(&ascii);
        decoded.map_err(|_| DomainNameError::Punycode)?;
        check_labels(&folded, &ascii, &unicode)?;
        check_last_label(&ascii)?;
        Ok(Self(ascii))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For people: with its U-labels decoded.
    pub fn unicode(&self) -> String {
        idna::domain_to_unicode(&self.0).0
    }
}

/// Whether IDNA changes nothing of it and refuses nothing: most names, and every stored one is read again by every token.
fn is_plain(folded: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let plain = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(letter) && !has_misplaced_hyphen(label)
    };
    folded.len() <= MAX_BYTES && folded.split('.').all(plain)
}

fn check_shape(typed: &str) -> Result<(), DomainNameError> {
    match typed {
        "" => return Err(DomainNameError::Empty),
        _ if typed.len() > MAX_TYPED_BYTES => return Err(DomainNameError::TooLong),
        _ if typed.starts_with('[') => return Err(DomainNameError::Address),
        _ => {}
    }
    if let Some(stranger) = typed.chars().find(|letter| *letter != '.' && !may_be_written(*letter)) {
        return Err(DomainNameError::Character(stranger));
    }
    if typed.ends_with('.') && typed.len() > 1 {
        return Err(DomainNameError::TrailingDot);
    }
    match typed.split('.').any(str::is_empty) {
        true => Err(DomainNameError::EmptyLabel),
        false => Ok(()),
    }
}

/// Letters, digits and hyphens; beyond ASCII only what UTS 39 recommends, which leaves out everything
/// invisible and every compatibility form.
fn may_be_written(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_alphanumeric() || letter == '-';
    }
    letter.identifier_type() == Some(IdentifierType::Recommended)
}

fn why_idna_refused(folded: &str) -> DomainNameError {
    let Ok(ascii) = idna::domain_to_ascii_cow(folded.as_bytes(), idna::AsciiDenyList::STD3) else {
        let has_a_label = folded.split('.').any(|label| label.starts_with("xn--"));
        return if has_a_label { DomainNameError::Punycode } else { DomainNameError::Spelling };
    };
    if ascii.split('.').any(|label| label.len() > 63) {
        DomainNameError::LongLabel
    } else if ascii.len() > MAX_BYTES {
        DomainNameError::TooLong
    } else if folded.split('.').any(has_misplaced_hyphen) {
        DomainNameError::Hyphen
    } else {
        DomainNameError::Spelling
    }
}

fn has_misplaced_hyphen(label: &str) -> bool {
    label.starts_with('-') || label.ends_with('-') || label.get(2..4) == Some("--")
}

fn check_labels(folded: &str, ascii: &str, unicode: &str) -> Result<(), DomainNameError> {
    let (typed, encoded) = (folded.split('.'), ascii.split('.'));
    if typed.clone().count() != encoded.clone().count() || typed.clone().count() != unicode.split('.').count()
    {
        return Err(DomainNameError::Spelling);
    }
    typed.zip(encoded).zip(unicode.split('.')).try_for_each(|((typed, encoded), shown)| {
        // What was typed is either the A-label or the U-label to the letter: nothing was mapped away.
        match typed.is_ascii() {
            true if typed != encoded => return Err(DomainNameError::Punycode),
            false if typed != shown => return Err(DomainNameError::Spelling),
            _ => {}
        }
        if shown.is_ascii() { Ok(()) } else { check_script(shown) }
    })
}

fn check_script(label: &str) -> Result<(), DomainNameError> {
    if let Some(stranger) = label.chars().find(|letter| !may_be_written(*letter)) {
        return Err(DomainNameError::Character(stranger));
    }
    // An accent that no letter absorbed can hide on a dotted one.
    if let Some(mark) = label.chars().find(|letter| is_combining(*letter)) {
        return Err(DomainNameError::Character(mark));
    }
    if !label.is_single_script() {
        return Err(DomainNameError::MixedScripts);
    }
    match looks_latin(label) {
        true => Err(DomainNameError::LooksLatin),
        false => Ok(()),
    }
}

/// Whether a name as people write it can be taken for another one: a word of it mixes alphabets, or it is not written in
/// Latin letters and looks as if it were.
pub(super) fn is_mistakable(text: &str) -> bool {
    let letter = |letter: char| letter.is_alphanumeric() || is_combining(letter);
    let mut words = text.split(|character| !letter(character));
    let all: String = text.chars().filter(|character| letter(*character)).collect();
    let is_latin = format!("{all}a").is_single_script();
    words.any(|word| !word.is_single_script()) || (!is_latin && looks_latin(&all))
}

fn is_combining(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}')
}

/// Whether the label as a whole can be taken for an ASCII one; a label of another script also when its look-alike
/// differs by accents only.
fn looks_latin(label: &str) -> bool {
    let is_latin = format!("{label}a").is_single_script();
    // Two letters of living alphabets, which UTS 39 takes for two ASCII letters each.
    let plain = if is_latin { label.replace(['æ', 'œ'], "ä") } else { label.to_owned() };
    skeleton(&plain).filter(|letter| is_latin || !is_combining(*letter)).all(|letter| letter.is_ascii())
}

/// A last label that is a number makes an IPv4 address to some readers (URL Standard, "ends in a number").
fn check_last_label(ascii: &str) -> Result<(), DomainNameError> {
    let Some((_, last)) = ascii.rsplit_once('.') else { return Err(DomainNameError::OneLabel) };
    let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    match hexadecimal || last.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Err(DomainNameError::Address),
        false => Ok(()),
    }
}

impl FromStr for DomainName {
    type Err = DomainNameError;
    fn from_str(text: &str) -> Result<Self, DomainNameError> {
        Self::parse(text)
    }
}

impl AsRef<str> for DomainName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for DomainName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DomainName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use DomainNameError::*;

    #[test]
    fn c17_one_domain_has_one_spelling() {
        let long = format!("{}.test", "a".repeat(63));
        for (typed, canonical) in [
            ("a.test", "a.test"),
            ("A.TEST", "a.test"),
            ("  a.test ", "a.test"),
            ("dev.a.test", "dev.a.test"),
            ("3m.test", "3m.test"),
            ("1.2.3.4.test", "1.2.3.4.test"),
            ("a-b.c-d.test", "a-b.c-d.test"),
            ("müller.example", "xn--mller-kva.example"),
            ("Müller.Example", "xn--mller-kva.example"),
            ("xn--mller-kva.example", "xn--mller-kva.example"),
            ("XN--MLLER-KVA.EXAMPLE", "xn--mller-kva.example"),
            ("straße.example", "xn--strae-oqa.example"),
            ("færøerne.example", "xn--frerne-pua9l.example"),
            ("łódź.example", "xn--d-uga0v4h.example"),
            ("пример.example", "xn--e1afmkfd.example"),
            ("παράδειγμα.example", "xn--hxajbheg2az3al.example"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("실례.테스트", "xn--9n2bp8q.xn--9t4b11yi5a"),
            ("例子.测试", "xn--fsqu00a.xn--0zwm56d"),
            ("דוגמה.example", "xn--6dbbec0c.example"),
            (long.as_str(), long.as_str()),
        ] {
            let domain = DomainName::parse(typed).unwrap_or_else(|error| panic!("{typed:?}: {error}"));
            assert_eq!(domain.as_str(), canonical, "{typed:?}");
            assert_eq!(DomainName::parse(domain.as_str()).as_ref(), Ok(&domain), "{typed:?}");
            assert_eq!(DomainName::parse(&domain.unicode()).as_ref(), Ok(&domain), "{typed:?}");
        }
    }

    #[test]
    fn c17_a_domain_that_could_be_taken_for_another_is_refused() {
        let long_label = format!("{}.test", "a".repeat(64));
        let too_long = ["a".repeat(60).as_str(); 5].join(".");
        for (typed, error) in [
            ("", Empty),
            ("   ", Empty),
            ("a.test.", TrailingDot),
            (".", EmptyLabel),
            (".a.test", EmptyLabel),
            ("a..test", EmptyLabel),
            ("localhost", OneLabel),
            ("[127.0.0.1]", Address),
            ("[::1]", Address),
            ("127.0.0.1", Address),
            ("127.0x1", Address),
            ("a.0x7f", Address),
            ("a.1", Address),
            ("::1", Character(':')),
            ("a\t.test", Character('\t')),
            ("\ta.test", Character('\t')),
            ("a .test", Character(' ')),
            ("a_b.test", Character('_')),
            ("a.test/x", Character('/')),
            ("ex＠mple.test", Character('＠')),
            ("a@b.test", Character('@')),
            ("a.test\0.b.test", Character('\0')),
            ("a.test\n", Character('\n')),
            ("\u{feff}a.test", Character('\u{feff}')),
            ("a.test\u{a0}", Character('\u{a0}')),
            ("ａ.test", Character('ａ')),
            ("a。test", Character('。')),
            ("a．test", Character('．')),
            ("a｡test", Character('｡')),
            ("a\u{ad}.test", Character('\u{ad}')),
            ("a\u{200b}.test", Character('\u{200b}')),
            ("a\u{200c}b.test", Character('\u{200c}')),
            ("a\u{200d}b.test", Character('\u{200d}')),
            ("a\u{2060}.test", Character('\u{2060}')),
            ("a\u{202e}.test", Character('\u{202e}')),
            ("a\u{fe0f}.test", Character('\u{fe0f}')),
            ("\u{212a}en.test", Character('\u{212a}')),
            ("ﬁrma.test", Character('ﬁ')),
            ("ⓐ.test", Character('ⓐ')),
            ("𝐚.test", Character('𝐚')),
            ("i♥.test", Character('♥')),
            ("💩.test", Character('💩')),
            ("l·l.test", Character('·')),
            ("MÜLLER.example", Spelling),
            ("mu\u{308}ller.example", Spelling),
            ("i\u{307}.test", Character('\u{307}')),
            ("xn--a-.test", Punycode),
            ("xn--.test", Punycode),
            ("xn--example-.org", Punycode),
            ("xn--0049.test", Punycode),
            ("xn--\u{fc}.test", Punycode),
            ("xn--80a.test", LooksLatin),
            ("а.test", LooksLatin),
            ("рос.test", LooksLatin),
            ("ο.test", LooksLatin),
            ("mıke.test", LooksLatin),
            ("ӓ.test", LooksLatin),
            ("pаypal.test", MixedScripts),
            ("müllеr.test", MixedScripts),
            ("aпример.test", MixedScripts),
            ("-a.test", Hyphen),
            ("a-.test", Hyphen),
            ("ab--c.test", Hyphen),
            (long_label.as_str(), LongLabel),
            (too_long.as_str(), TooLong),
            ("é.".repeat(40).as_str(), TrailingDot),
            (format!("{}test", "é.".repeat(40)).as_str(), TooLong),
            (format!("{}.test", "é".repeat(80)).as_str(), LongLabel),
        ] {
            assert_eq!(DomainName::parse(typed), Err(error), "{typed:?}");
        }
    }

    #[test]
    fn m14_a_parent_is_not_its_child() {
        let parent = DomainName::parse("a.test").unwrap();
        assert_ne!(parent, DomainName::parse("dev.a.test").unwrap());
        assert_ne!(parent, DomainName::parse("evila.test").unwrap());
    }

    #[test]
    fn a_stored_domain_is_parsed_again() {
        let domain: DomainName = serde_json::from_str("\"A.test\"").unwrap();
        assert_eq!(serde_json::to_string(&domain).unwrap(), "\"a.test\"");
        assert!(serde_json::from_str::<DomainName>("\"a.test.\"").is_err());
    }
}
