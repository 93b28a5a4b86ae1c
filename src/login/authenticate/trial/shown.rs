//! What of a provider's words is kept of a trial: names that mean something here, short values, and never a token.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::foundation::text::is_line;
use crate::login::authenticate::oidc::returned::Said;
use crate::model::connection::{OidcConnection, SamlConnection, Subject};
use crate::model::connection_test::{self, LeftOut};
use crate::model::identity::IdentityFacts;
use crate::protocol::jose::Claims;
use crate::protocol::saml::assertion::Assertion;

/// Characters of a name or a value.
const LONGEST: usize = 200;
/// Names, and values of each.
const MOST_NAMES: usize = 60;
const MOST_VALUES: usize = 20;

/// Claims that a connection may read, or whose absence explains something.
const CLAIMS: [&str; 18] = [
    "sub",
    "email",
    "email_verified",
    "preferred_username",
    "upn",
    "name",
    "given_name",
    "family_name",
    "locale",
    "groups",
    "roles",
    "hd",
    "tid",
    "oid",
    "amr",
    "acr",
    "auth_time",
    "department",
];

/// As much as is kept; what nobody could see, or would break the line, is left out.
pub fn cut(text: &str) -> String {
    let plain = |character: &char| is_line(&format!("x{character}"), 2);
    text.chars().filter(plain).take(LONGEST).collect()
}

/// What is kept to be shown, and how much is not.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Shown {
    pub claims: connection_test::Claims,
    pub left_out: LeftOut,
}

impl Shown {
    /// Whether there is room for a claim of this name; if not, that is noted.
    fn has_room(&mut self, name: &str) -> bool {
        let has_room = self.claims.len() < MOST_NAMES || self.claims.contains_key(name);
        self.left_out.claims += u64::from(!has_room);
        has_room
    }

    fn tell<'v>(&mut self, name: &str, values: impl IntoIterator<Item = Cow<'v, str>>) {
        let name = cut(name);
        if !self.has_room(&name) {
            return;
        }
        let kept = self.claims.entry(name.clone()).or_default();
        for value in values {
            if kept.len() == MOST_VALUES {
                *self.left_out.values.entry(name.clone()).or_default() += 1;
                continue;
            }
            let short = cut(&value);
            let gone = value.chars().count() - short.chars().count();
            if gone > 0 {
                *self.left_out.characters.entry(name.clone()).or_default() += gone as u64;
            }
            kept.push(short);
        }
    }

    /// Its name alone, so that somebody sees what there would be to read.
    fn name(&mut self, name: &str, values: usize) {
        let name = cut(name);
        if self.has_room(&name) {
            self.claims.entry(name.clone()).or_default();
            *self.left_out.values.entry(name).or_default() += values as u64;
        }
    }
}

/// Of an ID token, and of what UserInfo adds; not what is of the protocol.
pub fn of_oidc(connection: OidcConnection<'_>, said: &Said) -> Shown {
    let settings = connection.oidc;
    let own = settings.required_claims.iter().map(|(name, _)| name.as_str());
    let read: BTreeSet<&str> = CLAIMS.into_iter().chain([settings.email_claim.as_str()]).chain(own).collect();
    let of = [&said.id_token, &said.userinfo];
    let value = |name: &str| of.into_iter().flatten().find_map(|claims| claims.get(name)).map(values);
    let mut shown = Shown::default();
    for name in &read {
        if let Some(values) = value(name) {
            shown.tell(name, values);
        }
    }
    let upstream = &connection.settings.upstream;
    let others: BTreeSet<&str> = of.into_iter().flatten().flat_map(Claims::names).collect();
    for name in others.difference(&read).filter(|name| IdentityFacts::may_hold(upstream, name)) {
        shown.name(name, value(name).as_deref().map_or(0, <[_]>::len));
    }
    shown
}

fn values(value: &Value) -> Vec<Cow<'_, str>> {
    match value {
        Value::Array(all) => all.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        Value::Array(_) | Value::Object(_) => "[…]".into(),
        plain => plain.to_string().into(),
    }
}

/// Of an assertion: the name, if it has one, and its attributes.
pub fn of_saml(connection: SamlConnection<'_>, assertion: &Assertion) -> Shown {
    let read = read_by(connection);
    let mut shown = Shown::default();
    if let Some(name) = &assertion.name_id {
        shown.tell("NameID", [name.value.as_str().into()]);
        if let Some(format) = name.format.as_deref() {
            shown.tell("NameID Format", [format.into()]);
        }
    }
    for attribute in &assertion.attributes {
        let friendly = attribute.friendly_name.as_deref();
        if read.contains(attribute.name.as_str()) || friendly.is_some_and(|name| read.contains(name)) {
            shown.tell(&attribute.name, attribute.values.iter().map(Cow::from));
        } else {
            shown.name(&attribute.name, attribute.values.len());
        }
    }
    shown
}

/// The attributes that a connection reads.
fn read_by(connection: SamlConnection<'_>) -> BTreeSet<&str> {
    let mapping = &connection.saml.attributes;
    let lists = [
        &mapping.email,
        &mapping.name,
        &mapping.given_name,
        &mapping.family_name,
        &mapping.groups,
        &mapping.locale,
    ];
    let further = mapping.claims.values().chain(mapping.claim_lists.values());
    let named = lists.into_iter().chain(further).flatten().map(String::as_str);
    let required = connection.saml.required_attributes.keys().map(String::as_str);
    let subject = match &connection.saml.subject {
        Subject::Attribute(name) => Some(name.as_str()),
        Subject::NameId => None,
    };
    named.chain(required).chain(subject).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_p6_what_is_kept_is_short_and_one_line() {
        assert_eq!(cut("con@a.test"), "con@a.test");
        assert_eq!(cut("a\u{202e}b\nc\0d"), "abcd");
        assert_eq!(cut(&"x".repeat(9_999)).len(), LONGEST);
        assert_eq!(values(&serde_json::json!({"deep": "secret"})), ["[…]"]);
    }

    #[test]
    fn s1_p6_what_is_not_shown_is_counted() {
        let mut shown = Shown::default();
        let many = Value::Array(vec![Value::from("a"); 99]);
        shown.tell("groups", values(&many));
        let long = format!("{}\u{202e}", "x".repeat(LONGEST + 1));
        shown.tell("name", [long.into()]);
        shown.name("team", 2);
        assert_eq!((shown.claims["groups"].len(), shown.claims["team"].len()), (MOST_VALUES, 0));
        assert_eq!(shown.left_out.values, [("groups".to_owned(), 79), ("team".to_owned(), 2)].into());
        assert_eq!(shown.left_out.characters, [("name".to_owned(), 2)].into());
        for number in 0..MOST_NAMES {
            shown.name(&format!("c{number}"), 1);
        }
        shown.tell("groups", values(&many));
        assert_eq!((shown.claims.len(), shown.left_out.claims), (MOST_NAMES, 3));
    }
}
