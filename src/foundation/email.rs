//! The one spelling of an email address (threat C17). Login form, invitation, SCIM, identity provider and
//! operator are all read here, so all of them give the same verdict. Mail goes to this spelling, never to what
//! was typed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::domain_name::{DomainName, DomainNameError};

/// An email address in its canonical form: a lower-case dot-atom (RFC 5322, section 3.2.3), `@`, and a
/// [`DomainName`]. At most 254 bytes, the local part at most 64 (RFC 5321, section 4.5.3.1).
///
/// No quoted strings, comments or encoded words, and no `%` or `!`, by which old mail relays address a mailbox in
/// another domain. Spaces around it are dropped. Tags and dots are kept: `ann+x@a.test` is not `ann@a.test`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email {
    text: String,
    domain: DomainName,
}

/// Why a text is not an email address, in words for the person who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    #[error("the email address is missing")]
    Empty,
    #[error("the email address is too long")]
    TooLong,
    #[error("the email address has no @")]
    NoAt,
    #[error("the email address has more than one @")]
    ManyAts,
    #[error("the email address has nothing before its @")]
    NoLocalPart,
    #[error("the part of the email address before its @ is longer than 64 characters")]
    LongLocalPart,
    #[error(
        "the part of the email address before its @ has a dot at its start, at its end, or next to another"
    )]
    Dots,
    #[error("the part of the email address before its @ holds a character that is not accepted (U+{:04X})", u32::from(*.0))]
    Character(char),
    #[error("the email address holds an encoded word")]
    EncodedWord,
    #[error(transparent)]
    Domain(#[from] DomainNameError),
}

const MAX_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;

/// Mailboxes of a task, that several people read or nobody does.
const ROLES: &[&str] = &[
    "abuse",
    "accounting",
    "accounts",
    "admin",
    "administrator",
    "alerts",
    "all",
    "billing",
    "bookkeeping",
    "careers",
    "contact",
    "customerservice",
    "dns",
    "enquiries",
    "everybody",
    "everyone",
    "feedback",
    "finance",
    "ftp",
    "hello",
    "help",
    "helpdesk",
    "hostmaster",
    "hr",
    "info",
    "inquiries",
    "invoices",
    "it",
    "jobs",
    "legal",
    "list",
    "mail",
    "mailer-daemon",
    "marketing",
    "media",
    "news",
    "newsletter",
    "no-reply",
    "noc",
    "noreply",
    "notifications",
    "office",
    "operations",
    "ops",
    "orders",
    "payments",
    "payroll",
    "postmaster",
    "press",
    "privacy",
    "purchasing",
    "reception",
    "recruiting",
    "root",
    "sales",
    "security",
    "service",
    "shared",
    "spam",
    "staff",
    "support",
    "sysadmin",
    "team",
    "tech",
    "undisclosed-recipients",
    "usenet",
    "uucp",
    "webmaster",
    "welcome",
    "www",
];

impl Email {
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let typed = text.trim_matches(' ');
        if typed.is_empty() {
            return Err(EmailError::Empty);
        }
        if typed.len() > MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = typed.split_once('@').ok_or(EmailError::NoAt)?;
        if domain.contains('@') {
            return Err(EmailError::ManyAts);
        }
        check_local_part(local)?;
        // The outer spaces are gone; one next to the @ is not outside.
        if domain.starts_with(' ') {
            return Err(DomainNameError::Character(' ').into());
        }
        Self::join(local, DomainName::parse(domain)?)
    }

    fn join(local: &str, domain: DomainName) -> Result<Self, EmailError> {
        let text = format!("{}@{domain}", local.to_ascii_lowercase());
        match text.len() > MAX_BYTES {
            true => Err(EmailError::TooLong),
            false => Ok(Self { text, domain }),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &str {
        self.text.split_once('@').map_or("", |(local, _)| local)
    }

    /// Whether it has a tag, so that it is another name of a mailbox at many providers: `ann+x@a.test`.
    pub fn has_tag(&self) -> bool {
        self.local_part().contains('+')
    }

    /// The mailbox that it is a name of at many providers, without tag and dots: what limits count by (threats M19). It
    /// says nothing of who somebody is.
    pub fn mailbox(&self) -> String {
        let local = self.local_part();
        let local = local.split_once('+').map_or(local, |(mailbox, _)| mailbox).replace('.', "");
        format!("{local}@{}", self.domain)
    }

    /// Whether it belongs to a task and not to a person (RFC 2142, and custom), with a tag or without.
    pub fn is_role_address(&self) -> bool {
        let local = self.local_part();
        ROLES.contains(&local.split_once('+').map_or(local, |(mailbox, _)| mailbox))
    }

    pub fn domain(&self) -> &DomainName {
        &self.domain
    }
}

fn check_local_part(local: &str) -> Result<(), EmailError> {
    if local.is_empty() {
        return Err(EmailError::NoLocalPart);
    }
    if local.len() > MAX_LOCAL_BYTES {
        return Err(EmailError::LongLocalPart);
    }
    // RFC 2047: a mail reader may show, and a relay may route by, what it encodes.
    if local.contains("=?") {
        return Err(EmailError::EncodedWord);
    }
    if let Some(stranger) = local.chars().find(|letter| *letter != '.' && !is_accepted(*letter)) {
        return Err(EmailError::Character(stranger));
    }
    match local.split('.').any(str::is_empty) {
        true => Err(EmailError::Dots),
        false => Ok(()),
    }
}

/// `atext` of RFC 5322, section 3.2.3, without the two characters of source routing.
fn is_accepted(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "#$&'*+-/=?^_`{|}~".contains(letter)
}

impl FromStr for Email {
    type Err = EmailError;
    fn from_str(text: &str) -> Result<Self, EmailError> {
        Self::parse(text)
    }
}

impl AsRef<str> for Email {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Email {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::random::Random;
    use super::*;
    use DomainNameError as D;
    use EmailError::*;

    #[test]
    fn m19_many_names_are_one_mailbox() {
        for name in ["annlee@a.test", "ann.lee@a.test", "Ann.Lee+x@A.test", "a.n.n.lee+y.z@a.test"] {
            assert_eq!(Email::parse(name).unwrap().mailbox(), "annlee@a.test");
        }
        assert_eq!(Email::parse("+x@a.test").unwrap().mailbox(), "@a.test");
    }

    #[test]
    fn c17_one_person_has_one_address() {
        let long = format!("{}@a.test", "a".repeat(64));
        for (typed, canonical) in [
            ("ann@a.test", "ann@a.test"),
            ("Ann@A.TEST", "ann@a.test"),
            (" ann@a.test  ", "ann@a.test"),
            ("ann.b.c@a.test", "ann.b.c@a.test"),
            ("a.nn@a.test", "a.nn@a.test"),
            ("ann+news@a.test", "ann+news@a.test"),
            ("+@a.test", "+@a.test"),
            ("o'ann@a.test", "o'ann@a.test"),
            ("ann_-{b}~#$&*/^`|@a.test", "ann_-{b}~#$&*/^`|@a.test"),
            ("ann=b?c@a.test", "ann=b?c@a.test"),
            ("1@a.test", "1@a.test"),
            ("ann@müller.example", "ann@xn--mller-kva.example"),
            ("Ann@xn--mller-kva.EXAMPLE", "ann@xn--mller-kva.example"),
            ("ann@dev.a.test", "ann@dev.a.test"),
            (long.as_str(), long.as_str()),
        ] {
            let email = Email::parse(typed).unwrap_or_else(|error| panic!("{typed:?}: {error}"));
            assert_eq!(email.as_str(), canonical, "{typed:?}");
            assert_eq!(Email::parse(&format!("{email}")).as_ref(), Ok(&email), "{typed:?}");
            assert!(canonical.ends_with(email.domain().as_str()));
        }
    }

    #[test]
    fn c17_an_address_that_could_be_taken_for_another_is_refused() {
        let long_local = format!("{}@a.test", "a".repeat(65));
        let too_long = format!("ann@{}.test", ["a".repeat(62).as_str(); 4].join("."));
        // What is typed fits, its A-labels do not.
        let grows = format!("ann@{}testtesttest", "é.".repeat(30));
        assert!(grows.len() <= 254);
        for (typed, error) in [
            ("", Empty),
            ("  ", Empty),
            ("ann", NoAt),
            ("@a.test", NoLocalPart),
            ("ann@", D::Empty.into()),
            ("ann@ ", D::Empty.into()),
            ("ann@a.test@b.test", ManyAts),
            ("ann@@a.test", ManyAts),
            ("@b.test:ann@a.test", ManyAts),
            ("\"ann@b.test\"@a.test", ManyAts),
            ("\"ann\"@a.test", Character('"')),
            ("ann\\@a.test", Character('\\')),
            ("ann(comment)@a.test", Character('(')),
            ("(x)ann@a.test", Character('(')),
            ("Ann <ann@a.test>", Character(' ')),
            ("<ann@a.test>", Character('<')),
            ("ann,bob@a.test", Character(',')),
            ("ann;bob@a.test", Character(';')),
            ("ann:bob@a.test", Character(':')),
            ("mailto:ann@a.test", Character(':')),
            ("ann%b.test@a.test", Character('%')),
            ("b.test!ann@a.test", Character('!')),
            ("ann @a.test", Character(' ')),
            ("ann@ a.test", D::Character(' ').into()),
            ("ann\t@a.test", Character('\t')),
            ("ann@a.test\r\nBcc: bob@b.test", ManyAts),
            ("ann\r\n@a.test", Character('\r')),
            ("ann@a.test\n", D::Character('\n').into()),
            ("ann\0@a.test", Character('\0')),
            ("ann@a.test\0.b.test", D::Character('\0').into()),
            ("ann\u{7f}@a.test", Character('\u{7f}')),
            ("änn@a.test", Character('ä')),
            ("mıke@a.test", Character('ı')),
            ("\u{212a}en@a.test", Character('\u{212a}')),
            ("ａnn@a.test", Character('ａ')),
            ("ann\u{ad}@a.test", Character('\u{ad}')),
            ("\u{200b}ann@a.test", Character('\u{200b}')),
            ("\u{feff}ann@a.test", Character('\u{feff}')),
            ("аnn@a.test", Character('а')),
            ("=?utf-8?q?ann=40b.test=3e?=@a.test", EncodedWord),
            ("=?x?q?ann?=@a.test", EncodedWord),
            (".ann@a.test", Dots),
            ("ann.@a.test", Dots),
            ("a..nn@a.test", Dots),
            (".@a.test", Dots),
            ("ann@a.test.", D::TrailingDot.into()),
            ("ann@.a.test", D::EmptyLabel.into()),
            ("ann@a..test", D::EmptyLabel.into()),
            ("ann@localhost", D::OneLabel.into()),
            ("ann@[127.0.0.1]", D::Address.into()),
            ("ann@[IPv6:::1]", D::Address.into()),
            ("ann@127.0.0.1", D::Address.into()),
            ("ann@ａ.test", D::Character('ａ').into()),
            ("ann@a。test", D::Character('。').into()),
            ("ann@a\u{ad}.test", D::Character('\u{ad}').into()),
            ("ann@a\u{200b}.test", D::Character('\u{200b}').into()),
            ("ann@xn--a-.test", D::Punycode.into()),
            ("ann@xn--0049.test", D::Punycode.into()),
            ("ann@а.test", D::LooksLatin.into()),
            ("ann@xn--80a.test", D::LooksLatin.into()),
            ("ann@pаypal.test", D::MixedScripts.into()),
            ("ann@a_b.test", D::Character('_').into()),
            ("ann＠a.test", NoAt),
            ("ann@ex＠mple.test", D::Character('＠').into()),
            (long_local.as_str(), LongLocalPart),
            (too_long.as_str(), TooLong),
            (grows.as_str(), TooLong),
        ] {
            assert_eq!(Email::parse(typed), Err(error), "{typed:?}");
        }
    }

    #[test]
    fn a_tag_is_kept() {
        assert_eq!(Email::parse("Ann+a+b@a.test").unwrap().as_str(), "ann+a+b@a.test");
    }

    #[test]
    fn whatever_is_accepted_reads_the_same_again() {
        let pieces = [
            "a",
            "Ann",
            "bob",
            "@",
            ".",
            "test.",
            "xn--mller-kva",
            "ü",
            "ß",
            "а",
            "é",
            "例",
            "-",
            "+",
            "1",
            " ",
            "\u{ad}",
            "\u{200d}",
            "İ",
            "\u{212a}",
            "％",
            "ｂ",
            "。",
            "=?",
            "\"",
            "\0",
            "com",
            "пример",
            "z",
            "ö",
            "0x",
        ];
        let random = Random::sequence(17);
        let mut accepted = 0;
        for _ in 0..20_000 {
            let [before, after, choices @ ..] = random.bytes::<8>();
            let piece = |choice: &u8| pieces[usize::from(*choice) % pieces.len()];
            let local: String = choices[..3].iter().take(1 + usize::from(before) % 3).map(piece).collect();
            let domain: String = choices[3..].iter().take(1 + usize::from(after) % 3).map(piece).collect();
            let text = format!("{local}@{domain}.test");
            let Ok(email) = Email::parse(&text) else { continue };
            accepted += 1;
            assert!(email.as_str().is_ascii() && email.as_str() == email.as_str().to_ascii_lowercase());
            assert_eq!(Email::parse(email.as_str()).as_ref(), Ok(&email), "{text:?}");
            assert_eq!(DomainName::parse(&email.domain().unicode()).as_ref(), Ok(email.domain()), "{text:?}");
        }
        assert!(accepted > 500, "only {accepted} texts were accepted");
    }

    #[test]
    fn a_stored_address_is_parsed_again() {
        let email: Email = serde_json::from_str("\"Ann@A.test\"").unwrap();
        assert_eq!(serde_json::to_string(&email).unwrap(), "\"ann@a.test\"");
        assert!(serde_json::from_str::<Email>("\"ann@a.test.\"").is_err());
    }
}
