//! What an assertion's attributes say of the person. A value is repeated as it was said, or left out, which the audit
//! trail tells: applications decide by these values, and one that was shortened or cleaned could be another one's.

use std::collections::BTreeMap;

use crate::foundation::text;
use crate::model::connection::AttributeMapping;
use crate::model::user::{MOST_CLAIMS, Profile, Told, is_free_claim};
use crate::protocol::saml::assertion::Attribute;

/// Characters of a name.
const LONGEST_NAME: usize = 200;
/// Characters of any other value.
const LONGEST: usize = 1_024;
/// Bytes of all further claims: they stand in ID tokens.
const MOST_CLAIMED: usize = 4 * 1_024;
/// Bytes of all groups.
const MOST_GROUPED: usize = 16 * 1_024;
/// In whose place Entra says where somebody's groups are, if there are more than 150.
const GROUPS_ELSEWHERE: &str = "http://schemas.microsoft.com/claims/groups.link";
/// Lines of what was left out.
const MOST_TOLD: usize = 20;

#[derive(Clone, Copy)]
pub struct Attributes<'a>(pub &'a [Attribute]);

impl<'a> Attributes<'a> {
    /// The values of an attribute, by its name or its friendly name; it may be there in several pieces.
    pub fn values(self, name: &str) -> Vec<&'a str> {
        let named = |attribute: &&Attribute| {
            attribute.name == name || attribute.friendly_name.as_deref() == Some(name)
        };
        self.0.iter().filter(named).flat_map(|attribute| &attribute.values).map(String::as_str).collect()
    }

    /// The values of an attribute of just this name: what somebody has called like it does not count.
    pub fn named(self, name: &str) -> Vec<&'a str> {
        let found = self.0.iter().filter(|attribute| attribute.name == name);
        found.flat_map(|attribute| &attribute.values).map(String::as_str).collect()
    }

    /// Of the first of these attributes that has any.
    pub fn first_of(self, names: &[String]) -> Vec<&'a str> {
        names.iter().map(|name| self.values(name)).find(|values| !values.is_empty()).unwrap_or_default()
    }

    /// Who the person is, and what could not be repeated, in a line each. No line quotes a value.
    pub fn profile(self, mapping: &AttributeMapping) -> (Profile, Vec<String>) {
        let mut read = Reading { attributes: self, left_out: Vec::new() };
        let given_name = read.name("given_name", &mapping.given_name);
        let family_name = read.name("family_name", &mapping.family_name);
        let whole = match (&given_name, &family_name) {
            (Some(given), Some(family)) => Some(format!("{given} {family}")),
            _ => None,
        };
        let profile = Profile {
            name: read.name("name", &mapping.name).or(whole),
            given_name,
            family_name,
            locale: read.one("locale", &mapping.locale, locale_fault),
            groups: read.many("groups", &mapping.groups, &mut { MOST_GROUPED }),
            claims: read.claims(mapping),
        };
        if !mapping.groups.is_empty() && !self.named(GROUPS_ELSEWHERE).is_empty() {
            read.leave_out("groups", "too many for the provider to say");
        }
        read.left_out.truncate(MOST_TOLD);
        (profile, read.left_out)
    }
}

type Fault = &'static str;

struct Reading<'a> {
    attributes: Attributes<'a>,
    left_out: Vec<String>,
}

impl Reading<'_> {
    fn leave_out(&mut self, what: &str, why: Fault) {
        let line = format!("{what}: {why}");
        if !self.left_out.contains(&line) {
            self.left_out.push(line);
        }
    }

    /// Without what nobody sees in it: others are shown it (threats H26).
    fn name(&mut self, what: &str, names: &[String]) -> Option<String> {
        text::as_line(&self.one(what, names, name_fault)?, LONGEST_NAME)
    }

    fn one(&mut self, what: &str, names: &[String], fault: fn(&str) -> Option<Fault>) -> Option<String> {
        let text = self.attributes.first_of(names).into_iter().find(|text| !text.is_empty())?;
        self.faultless(what, text, fault)
    }

    fn faultless(&mut self, what: &str, text: &str, fault: fn(&str) -> Option<Fault>) -> Option<String> {
        match fault(text) {
            None => Some(text.to_owned()),
            Some(why) => {
                self.leave_out(what, why);
                None
            }
        }
    }

    /// All of them, or none where they are too many: the rest of a list looks like the whole.
    fn many(&mut self, what: &str, names: &[String], room: &mut usize) -> Vec<String> {
        let mut kept = Vec::new();
        for text in self.attributes.first_of(names).into_iter().filter(|text| !text.is_empty()) {
            match value_fault(text) {
                None => kept.push(text.to_owned()),
                Some(why) => self.leave_out(what, why),
            }
        }
        let values = kept.iter().map(|text| size(text)).sum();
        if !kept.is_empty() && !self.takes(what, values, room) {
            kept.clear();
        }
        kept
    }

    /// The value, if it is the only one: any of several would be a choice that nobody made.
    fn only(&mut self, what: &str, names: &[String], room: &mut usize) -> Option<String> {
        let found = self.attributes.first_of(names);
        let mut texts = found.into_iter().filter(|text| !text.is_empty());
        let text = texts.next()?;
        if texts.any(|other| other != text) {
            self.leave_out(what, "several values for a claim of one; claim_lists tells them all");
            return None;
        }
        let text = self.faultless(what, text, value_fault)?;
        self.takes(what, size(&text), room).then_some(text)
    }

    fn claims(&mut self, mapping: &AttributeMapping) -> BTreeMap<String, Told> {
        let mut room = MOST_CLAIMED;
        let texts = mapping.claims.iter().map(|(claim, names)| (claim, names, false));
        let lists = mapping.claim_lists.iter().map(|(claim, names)| (claim, names, true));
        let mapped = texts.chain(lists).filter(|(claim, ..)| is_free_claim(claim)).take(MOST_CLAIMS);
        let read = mapped.filter_map(|(claim, names, is_list)| {
            let told = if is_list {
                Some(self.many(claim, names, &mut room)).filter(|list| !list.is_empty()).map(Told::List)
            } else {
                self.only(claim, names, &mut room).map(Told::Text)
            };
            Some((claim.clone(), told?))
        });
        read.collect()
    }

    fn takes(&mut self, what: &str, values: usize, room: &mut usize) -> bool {
        let left = room.checked_sub(values + size(what));
        match left {
            Some(left) => *room = left,
            None => self.leave_out(what, "more or longer values than there is room for"),
        }
        left.is_some()
    }
}

/// Bytes in JSON.
fn size(text: &str) -> usize {
    text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count() + 3
}

fn value_fault(text: &str) -> Option<Fault> {
    if text.chars().any(char::is_control) {
        return Some("a value with control characters");
    }
    (text.chars().count() > LONGEST).then_some("a value of more than 1024 characters")
}

fn name_fault(text: &str) -> Option<Fault> {
    let is_long = text.chars().count() > LONGEST_NAME;
    value_fault(text).or_else(|| is_long.then_some("a value of more than 200 characters"))
}

/// A language tag (OpenID Connect Core, section 5.1: also with `_`).
fn locale_fault(text: &str) -> Option<Fault> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (!plain || !(2..=35).contains(&text.len())).then_some("a value that is no language tag")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str, values: &[&str]) -> Attribute {
        Attribute {
            name: name.to_owned(),
            name_format: None,
            friendly_name: None,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn mapping(claims: &[&str], lists: &[&str]) -> AttributeMapping {
        let named = |list: &[&str]| list.iter().map(|name| ((*name).to_owned(), names(&[name]))).collect();
        AttributeMapping {
            name: names(&["cn"]),
            given_name: names(&["givenName"]),
            family_name: names(&["sn"]),
            groups: names(&["memberOf"]),
            locale: names(&["lang"]),
            claims: named(claims),
            claim_lists: named(lists),
            ..AttributeMapping::default()
        }
    }

    #[test]
    fn s3_34_a_value_that_would_have_to_be_changed_is_left_out_and_told() {
        let long = "o".repeat(1_024);
        let attributes = [
            attribute("cn", &["Bob\u{85}"]),
            attribute("givenName", &["Bob"]),
            attribute("sn", &["Builder"]),
            attribute("lang", &["en-US,de;q=0.5"]),
            attribute("memberOf", &["finance-admins\u{85}", "staff", "finance\n-admins"]),
            attribute("ou", &[&long, &format!("{long}x"), &format!("{long}y")]),
        ];
        let (profile, left_out) = Attributes(&attributes).profile(&mapping(&[], &["ou", "sub"]));
        assert_eq!(profile.name.as_deref(), Some("Bob Builder"));
        assert_eq!((profile.locale, profile.groups), (None, names(&["staff"])));
        assert_eq!(profile.claims, BTreeMap::from([("ou".to_owned(), Told::List(vec![long]))]));
        let told = [
            "name: a value with control characters",
            "locale: a value that is no language tag",
            "groups: a value with control characters",
            "ou: a value of more than 1024 characters",
        ];
        assert_eq!(left_out, told);
    }

    #[test]
    fn s3_34_a_claim_of_one_value_is_told_if_there_is_no_choice() {
        let attributes = [
            attribute("one", &["", "a", "a"]),
            attribute("two", &["a", "b"]),
            attribute("long", &["x".repeat(1_025).as_str()]),
            attribute("list", &["a"]),
        ];
        let (profile, left_out) =
            Attributes(&attributes).profile(&mapping(&["one", "two", "long", "none"], &["list", "empty"]));
        let told = [("list", Told::List(names(&["a"]))), ("one", Told::Text("a".to_owned()))];
        assert_eq!(profile.claims, told.map(|(claim, value)| (claim.to_owned(), value)).into());
        let told = [
            "long: a value of more than 1024 characters",
            "two: several values for a claim of one; claim_lists tells them all",
        ];
        assert_eq!(left_out, told);
    }

    #[test]
    fn s3_34_groups_that_are_elsewhere_are_told_of() {
        let link = "https://graph.windows.net/t/users/u/getMemberObjects";
        let elsewhere = [attribute(GROUPS_ELSEWHERE, &[link])];
        let (profile, left_out) = Attributes(&elsewhere).profile(&mapping(&[], &[]));
        assert_eq!(
            (profile.groups.len(), left_out.as_slice()),
            (0, &["groups: too many for the provider to say".to_owned()][..])
        );
        // Whoever reads no groups misses none.
        let none = AttributeMapping { groups: Vec::new(), ..mapping(&[], &[]) };
        assert!(Attributes(&elsewhere).profile(&none).1.is_empty());
    }

    #[test]
    fn s3_34_a_list_is_told_as_a_whole_or_not_at_all() {
        let groups: Vec<_> = (0..150).map(|number| format!("CN=group {number:080},DC=a")).collect();
        let borrowed: Vec<_> = groups.iter().map(String::as_str).collect();
        let attributes =
            [attribute("memberOf", &borrowed), attribute("a", &borrowed), attribute("b", &["one", "two"])];
        let (profile, left_out) = Attributes(&attributes).profile(&mapping(&[], &["a", "b"]));
        assert_eq!(profile.groups, groups);
        assert_eq!(profile.claims, BTreeMap::from([("b".to_owned(), Told::List(names(&["one", "two"])))]));
        assert_eq!(left_out, ["a: more or longer values than there is room for"]);
        // Whatever is said, tokens stay small.
        let many: Vec<_> = (0..40).map(|number| attribute(&format!("c{number}"), &["x"; 1_000])).collect();
        let all: Vec<_> = many.iter().map(|attribute| attribute.name.as_str()).collect();
        let (profile, left_out) = Attributes(&many).profile(&mapping(&[], &all));
        assert!(serde_json::to_vec(&profile).is_ok_and(|text| text.len() < MOST_CLAIMED + 200));
        assert_eq!((profile.claims.len(), left_out.len()), (1, MOST_TOLD));
    }
}
