//! Mails, in the words and colours of the pages. What strangers wrote into them is shown, and made no link of by any mail
//! program (threats M20, H26).

use serde::Serialize;

use super::messages::tame;
use crate::foundation::clock::Moment;
use crate::foundation::text::is_mistakable;
use crate::model::mail::{Kind, Letter};

pub(super) const TEXT: &str = "mail/letter.txt";
pub(super) const HTML: &str = "mail/letter.html";

/// A letter as its templates see it.
#[derive(Clone, Debug, Serialize)]
pub struct LetterPage {
    pub(super) kind: Kind,
    organization: String,
    /// Names of organizations that can be taken for others.
    mistakable: Vec<String>,
    person: String,
    thing: String,
    /// Each as `role-name` says it.
    roles: Vec<String>,
    /// In paragraphs, as it was written.
    message: Vec<String>,
    /// Where its button leads.
    link: Option<String>,
    until: Option<String>,
}

/// A letter in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The name that it comes from.
    pub from: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl LetterPage {
    /// `link` is one of ours.
    pub fn new(letter: &Letter, link: Option<String>) -> Self {
        let thing = letter.thing.as_deref().unwrap_or_default();
        let names = std::iter::once(letter.organization.as_str())
            .chain(is_of_a_delegation(letter.kind).then_some(thing));
        let mistakable = names.filter(|name| is_mistakable(name)).map(|name| unlinked(&short(name)));
        Self {
            kind: letter.kind,
            organization: unlinked(&short(&letter.organization)),
            mistakable: mistakable.collect(),
            person: unlinked(&short(letter.person.as_deref().unwrap_or_default())),
            // A domain is one; a connection is called whatever its organization likes.
            thing: if is_of_a_domain(letter.kind) { tame(thing) } else { unlinked(&short(thing)) },
            roles: letter.roles.iter().map(|name| unlinked(&short(name))).collect(),
            message: letter.message.iter().flat_map(|text| text.lines()).map(unlinked).collect(),
            link,
            until: letter.counts_until.map(minute),
        }
    }

    /// What the messages may say, by name.
    pub(super) fn words(&self) -> [(&'static str, &str); 3] {
        [("organization", &self.organization), ("person", &self.person), ("thing", &self.thing)]
    }
}

fn is_of_a_domain(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::DomainMissed
            | Kind::DomainLost
            | Kind::DomainContested
            | Kind::DomainChallenge
            | Kind::DomainUnreachable
            | Kind::AutoJoinPaused
    )
}

/// What these are about is an organization, too.
fn is_of_a_delegation(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::DelegationActive
            | Kind::DelegationChanged
            | Kind::DelegationPaused
            | Kind::DelegationResumed
            | Kind::DelegationRevoked
    )
}

/// `2026-06-08 09:00 UTC`
pub fn minute(moment: Moment) -> String {
    let text = moment.rfc3339();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text,
    }
}

/// A name that is longer says more than who somebody is.
const LONGEST_NAME: usize = 80;

fn short(name: &str) -> String {
    match name.char_indices().nth(LONGEST_NAME) {
        Some(_) => name.chars().take(LONGEST_NAME - 1).chain(['…']).collect(),
        None => name.to_owned(),
    }
}

/// A stranger's words as nothing that could be followed: mail programs make links of what looks like an address.
fn unlinked(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let text = tame(text);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        out.push(letter);
        let joins = matches!(letter, '.' | '@' | ':' | '/' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}');
        let next = letters.peek();
        // An encoded word (RFC 2047) would be read as another one in a header.
        let encodes = letter == '=' && next == Some(&'?');
        if encodes || (joins && next.is_some_and(|next| !next.is_whitespace())) {
            out.push(' ');
        }
    }
    out
}

/// One of each, to try templates on.
pub(super) fn samples() -> impl Iterator<Item = LetterPage> {
    Kind::ALL.iter().flat_map(|kind| {
        let bare = Letter::new(*kind, "A Corporation");
        let full = Letter {
            person: Some("Ann".to_owned()),
            message: Some("Hello.\nSee you.".to_owned()),
            roles: vec!["admin".to_owned(), "Accounting".to_owned()],
            counts_until: Some(Moment::from_seconds(0)),
            ..bare.clone().about("a.test")
        };
        let link = || Some("https://login.example.com/invitations/x".to_owned());
        [LetterPage::new(&bare, None), LetterPage::new(&full, link())]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m20_a_name_has_eighty_characters() {
        let (fits, long) = ("ü".repeat(80), "ü".repeat(81));
        assert_eq!(short(&fits), fits);
        assert_eq!(short(&long), format!("{}…", "ü".repeat(79)));
        let letter = Letter { person: Some(long.clone()), ..Letter::new(Kind::Invitation, &long) };
        let page = LetterPage::new(&letter.about(&long), None);
        assert_eq!([&page.organization, &page.person, &page.thing].map(|text| text.chars().count()), [80; 3]);
    }

    #[test]
    fn m20_what_looks_like_an_address_is_none_any_more() {
        assert_eq!(unlinked("http://evil Click"), "http: / / evil Click");
        assert_eq!(unlinked("www.evil.test"), "www. evil. test");
        assert_eq!(unlinked("ann@evil.test"), "ann@ evil. test");
        assert_eq!(unlinked("=?utf-8?q?Bank?="), "= ?utf-8?q?Bank?=");
        assert_eq!(unlinked("My Corporation, Inc."), "My Corporation, Inc.");
        assert_eq!(unlinked("a\u{202e}b\r\nBcc: x"), "abBcc: x");
    }
}
