//! What of a provider's words is kept of a trial: names that mean something here, short values, and never a token.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::foundation::text::is_line;
use crate::login::authenticate::oidc::returned::Said;
use crate::model::connection::{OidcConnection, SamlConnection, Subject};
use crate::model::connection_test::Claims;
use crate::protocol::saml::assertion::Assertion;

/// Characters of a name or a value.
const LONGEST: usize = 200;
/// Names, and values of each.
const MOST_NAMES: usize = 60;
const MOST_VALUES: usize = 20;

/// Claims that a connection may read, or whose absence explains something.
const CLAIMS: [&str; 17] = [
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

/// Of an ID token, and of what UserInfo adds.
pub fn of_oidc(connection: OidcConnection<'_>, said: &Said) -> Claims {
    let settings = connection.oidc;
    let own = settings.required_claims.iter().map(|(name, _)| name.as_str());
    let names: BTreeSet<&str> =
        CLAIMS.into_iter().chain([settings.email_claim.as_str()]).chain(own).take(MOST_NAMES).collect();
    let value = |name: &str| {
        let of = [&said.id_token, &said.userinfo];
        of.into_iter().flatten().find_map(|claims| claims.get(name)).map(values)
    };
    names.into_iter().filter_map(|name| Some((cut(name), value(name)?))).collect()
}

fn values(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().take(MOST_VALUES).map(text).collect(),
        one => vec![text(one)],
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text),
        Value::Array(_) | Value::Object(_) => "[…]".to_owned(),
        plain => plain.to_string(),
    }
}

/// Of an assertion: the name, if it has one, and its attributes. Of those that the connection reads nothing from, the names alone, so
/// that somebody sees what there would be to read.
pub fn of_saml(connection: SamlConnection<'_>, assertion: &Assertion) -> Claims {
    let read = read_by(connection);
    let mut claims = BTreeMap::new();
    if let Some(name) = &assertion.name_id {
        claims.insert("NameID".to_owned(), vec![cut(&name.value)]);
        claims.extend(name.format.as_deref().map(|format| ("NameID Format".to_owned(), vec![cut(format)])));
    }
    for attribute in assertion.attributes.iter().take(MOST_NAMES) {
        let kept: &mut Vec<String> = claims.entry(cut(&attribute.name)).or_default();
        let friendly = attribute.friendly_name.as_deref();
        if read.contains(attribute.name.as_str()) || friendly.is_some_and(|name| read.contains(name)) {
            let room = MOST_VALUES.saturating_sub(kept.len());
            kept.extend(attribute.values.iter().take(room).map(|value| cut(value)));
        }
    }
    claims
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
        let list = Value::Array(vec![Value::from("a"); 99]);
        assert_eq!(values(&list).len(), MOST_VALUES);
        assert_eq!(values(&serde_json::json!({"deep": "secret"})), ["[…]"]);
    }
}
