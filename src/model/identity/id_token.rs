//! What an ID token says beyond the profile: organizations pin providers and give roles by it. Of the ID token alone: it is
//! signed, and these claims decide who is let in where, and as what. A value is kept as it was said, or not at all.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{GROUPS, IdentityFacts};
use crate::model::user::{MOST_CLAIMS, Told};
use crate::protocol::jose::Claims;

/// Longest value that is kept to pin by.
const LONGEST_PIN: usize = 255;
/// Characters of any other value.
const LONGEST: usize = 1_024;
/// Bytes of all groups.
const MOST_GROUPED: usize = 16 * 1_024;
/// Bytes of all further claims.
const MOST_CLAIMED: usize = 4 * 1_024;

/// By what organizations pin providers: no assertion says it.
pub(super) const PINS: [&str; 2] = ["hd", "tid"];

/// What is of the protocol, of one token, or of the profile: nobody has a role by it.
const OTHERS: [&str; 47] = [
    "_claim_names",
    "_claim_sources",
    "acr",
    "address",
    "aio",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "birthdate",
    "c_hash",
    "client_id",
    "cnf",
    "email",
    "email_verified",
    "events",
    "exp",
    "family_name",
    "gender",
    "given_name",
    "iat",
    "iss",
    "jti",
    "locale",
    "may_act",
    "middle_name",
    "name",
    "nbf",
    "nickname",
    "nonce",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "rh",
    "s_hash",
    "session_state",
    "sid",
    "sub",
    "updated_at",
    "uti",
    "ver",
    "website",
    "xms_tcdt",
    "zoneinfo",
];

/// Whether a claim of this name may be among the facts.
pub(super) fn counts(name: &str) -> bool {
    name.len() <= LONGEST_PIN && !OTHERS.contains(&name)
}

/// The facts, and what could not be kept, in a line each; no line quotes a value.
pub(super) fn read(claims: &Claims) -> (IdentityFacts, Vec<String>) {
    let mut left_out = Vec::new();
    let facts = IdentityFacts {
        hosted_domain: pin(claims, "hd"),
        tenant: pin(claims, "tid"),
        groups: groups(claims, &mut left_out),
        claims: further(claims, &mut left_out),
    };
    (facts, left_out)
}

fn pin(claims: &Claims, name: &str) -> Option<String> {
    let text = claims.optional_string(name).ok().flatten()?;
    (text.len() <= LONGEST_PIN && !text.contains(char::is_control)).then(|| text.to_lowercase())
}

/// All of them, or none where they are too many: the rest of a list looks like the whole.
fn groups(claims: &Claims, left_out: &mut Vec<String>) -> Vec<String> {
    if claims.get("_claim_names").is_some_and(|elsewhere| elsewhere.get("groups").is_some()) {
        left_out.push("groups: too many for the provider to say".to_owned());
    }
    let said = match claims.get("groups").and_then(told) {
        Some(Told::Text(text)) => vec![text],
        Some(Told::List(list)) => list,
        None => Vec::new(),
    };
    let fits = said.iter().map(|text| size(text)).sum::<usize>() <= MOST_GROUPED;
    if !fits {
        left_out.push("groups: more or longer values than there is room for".to_owned());
    }
    if fits { said } else { Vec::new() }
}

fn further(claims: &Claims, left_out: &mut Vec<String>) -> BTreeMap<String, Told> {
    let mut room = MOST_CLAIMED;
    let mut kept = BTreeMap::new();
    let has_its_place = |name: &str| name == GROUPS || PINS.contains(&name);
    let names = claims.names().filter(|name| counts(name) && !has_its_place(name));
    for (name, said) in names.filter_map(|name| Some((name, claims.get(name).and_then(told)?))) {
        let values = match &said {
            Told::Text(text) => size(text),
            Told::List(list) => list.iter().map(|text| size(text)).sum(),
        };
        match room.checked_sub(values + size(name)).filter(|_| kept.len() < MOST_CLAIMS) {
            Some(left) => {
                room = left;
                kept.insert(name.to_owned(), said);
            }
            None => {
                left_out.push("claims: more or longer values than there is room for".to_owned());
                break;
            }
        }
    }
    kept
}

/// A text or a list of texts, if each of them can be kept as it is.
fn told(value: &Value) -> Option<Told> {
    let text = |value: &Value| {
        let text = value.as_str().filter(|text| !text.is_empty() && !text.contains(char::is_control))?;
        (text.chars().count() <= LONGEST).then(|| text.to_owned())
    };
    match value {
        Value::String(_) => text(value).map(Told::Text),
        Value::Array(all) if !all.is_empty() => all.iter().map(text).collect::<Option<_>>().map(Told::List),
        _ => None,
    }
}

/// Bytes in JSON.
fn size(text: &str) -> usize {
    text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count() + 3
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(json: &str) -> (IdentityFacts, Vec<String>) {
        read(&Claims::parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn s1_p7_what_an_id_token_says_of_somebody_is_kept_as_it_was_said() {
        let (facts, left_out) = said(
            r#"{"iss":"i","sub":"s","nonce":"n","name":"Ann","hd":"A.test","groups":["staff","admins"],
                "department":"sales","teams":["one","two"],"age":7,"mixed":["a",1],"odd":"a\u0000b","none":[]}"#,
        );
        assert_eq!(facts.groups, ["staff", "admins"]);
        assert_eq!(facts.hosted_domain.as_deref(), Some("a.test"));
        let names: Vec<_> = facts.claims.keys().map(String::as_str).collect();
        assert_eq!((names, left_out.len()), (vec!["department", "teams"], 0));
        assert_eq!(said(r#"{"groups":"staff"}"#).0.groups, ["staff"]);
    }

    #[test]
    fn s1_p7_a_list_is_kept_whole_or_not_at_all() {
        let many: Vec<_> = (0..400).map(|number| format!("group-{number:060}")).collect();
        let (facts, left_out) = said(&serde_json::json!({"groups": many, "teams": many}).to_string());
        assert!(facts.groups.is_empty() && facts.claims.is_empty());
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        let elsewhere = r#"{"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{}}}"#;
        assert_eq!(
            said(elsewhere),
            (IdentityFacts::default(), vec!["groups: too many for the provider to say".into()])
        );
    }
}
