//! `claims` (OpenID Connect Core, section 5.5) and `acr_values` (section 3.1.2.1): what is asked for beyond the scopes. What
//! means nothing here is ignored, as the protocol has it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::OAuthError;
use crate::protocol::jose::json;

/// Bytes of the parameter.
const LONGEST: usize = 2_048;
/// Claims that one token is asked for by name.
const MOST: usize = 50;
/// Characters of a name, or of a class of authentication.
const LONGEST_NAME: usize = 100;

/// Claims that are wanted by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Named {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub id_token: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub userinfo: Vec<String>,
}

impl Named {
    pub fn is_empty(&self) -> bool {
        self.id_token.is_empty() && self.userinfo.is_empty()
    }

    /// What is meant by each name.
    #[must_use]
    pub fn meaning<'a>(&'a self, meant: impl Fn(&'a str) -> &'a str) -> Self {
        let all = |names: &'a [String]| names.iter().map(|name| meant(name).to_owned()).collect();
        Self { id_token: all(&self.id_token), userinfo: all(&self.userinfo) }
    }

    /// Those that `may` be had.
    #[must_use]
    pub fn within(mut self, may: impl Fn(&str) -> bool) -> Self {
        self.id_token.retain(|name| may(name));
        self.userinfo.retain(|name| may(name));
        self
    }
}

/// Classes of authentication of which one is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcrAsked {
    pub values: Vec<String>,
    /// Whether nothing else will do (section 5.5.1.1).
    pub essential: bool,
}

/// All that the two parameters say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimsAsked {
    pub named: Named,
    pub acr: Option<AcrAsked>,
    /// Who it has to be.
    pub subject: Option<String>,
}

/// Reads both. Where both speak of the class of authentication, `claims` is the more precise.
pub fn read(claims: Option<&str>, acr_values: Option<&str>) -> Result<ClaimsAsked, OAuthError> {
    let mut asked = match claims {
        Some(text) => of_parameter(text)?,
        None => ClaimsAsked::default(),
    };
    if asked.acr.is_none() {
        let values = acr_values.unwrap_or_default().split(' ').filter(|one| !one.is_empty());
        asked.acr = wanted(values.map(str::to_owned).collect(), false);
    }
    Ok(asked)
}

fn invalid(why: &'static str) -> OAuthError {
    OAuthError::invalid_request(why)
}

fn of_parameter(text: &str) -> Result<ClaimsAsked, OAuthError> {
    if text.len() > LONGEST {
        return Err(invalid("claims is too long"));
    }
    let all = json::object(text.as_bytes()).map_err(|_| invalid("claims is no JSON object"))?;
    let (id_token, userinfo) = (part(&all, "id_token")?, part(&all, "userinfo")?);
    Ok(ClaimsAsked {
        acr: id_token.get("acr").map(acr).transpose()?.flatten(),
        subject: subject(&id_token)?.or(subject(&userinfo)?),
        named: Named { id_token: names(&id_token)?, userinfo: names(&userinfo)? },
    })
}

/// What is wanted in one place; each claim with `null`, or with an object that says how.
fn part(all: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, OAuthError> {
    match all.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) if members.values().all(|one| one.is_null() || one.is_object()) => {
            Ok(members.clone())
        }
        Some(_) => Err(invalid("claims has a member that is not of its shape")),
    }
}

fn names(part: &Map<String, Value>) -> Result<Vec<String>, OAuthError> {
    if part.len() > MOST {
        return Err(invalid("claims names too many"));
    }
    Ok(part.keys().filter(|name| name.len() <= LONGEST_NAME).cloned().collect())
}

fn subject(part: &Map<String, Value>) -> Result<Option<String>, OAuthError> {
    match part.get("sub").and_then(|how| how.get("value")) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= LONGEST_NAME => Ok(Some(text.clone())),
        Some(_) => Err(invalid("claims asks for a sub that is none")),
    }
}

fn acr(how: &Value) -> Result<Option<AcrAsked>, OAuthError> {
    let wrong = || invalid("claims asks for an acr that is not of its shape");
    let text = |one: &Value| one.as_str().map(str::to_owned).ok_or_else(wrong);
    let essential = match how.get("essential") {
        None => false,
        Some(flag) => flag.as_bool().ok_or_else(wrong)?,
    };
    let mut values = match how.get("values") {
        None => Vec::new(),
        Some(list) => list.as_array().ok_or_else(wrong)?.iter().map(text).collect::<Result<_, _>>()?,
    };
    values.extend(how.get("value").map(text).transpose()?);
    Ok(wanted(values, essential))
}

/// Nothing, where any class will do.
fn wanted(values: Vec<String>, essential: bool) -> Option<AcrAsked> {
    let values: Vec<String> = values.into_iter().filter(|one| one.len() <= LONGEST_NAME).take(MOST).collect();
    (!values.is_empty()).then_some(AcrAsked { values, essential })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn m17_claims_and_acr_values_say_what_is_wanted() {
        let asked = read(
            Some(
                r#"{"userinfo":{"email":{"essential":true},"x":null},"other":1,
                    "id_token":{"auth_time":{"essential":true},"acr":{"essential":true,"values":["a","b"]},
                                "sub":{"value":"user_1"}}}"#,
            ),
            Some("c"),
        )
        .unwrap();
        assert_eq!(asked.named.userinfo, ["email", "x"]);
        assert_eq!(asked.named.id_token, ["acr", "auth_time", "sub"]);
        assert_eq!(asked.acr, Some(AcrAsked { values: vec!["a".into(), "b".into()], essential: true }));
        assert_eq!(asked.subject.as_deref(), Some("user_1"));
        let voluntary = read(Some(r#"{"id_token":{"acr":null}}"#), Some("c  d")).unwrap();
        assert_eq!(voluntary.acr, Some(AcrAsked { values: vec!["c".into(), "d".into()], essential: false }));
        assert_eq!(read(None, None), Ok(ClaimsAsked::default()));
    }

    #[test]
    fn m11_what_is_not_of_its_shape_is_refused() {
        for text in [
            "x",
            "[]",
            r#"{"id_token":[]}"#,
            r#"{"id_token":{"acr":1}}"#,
            r#"{"id_token":{"acr":{"values":"a"}}}"#,
            r#"{"id_token":{"acr":{"values":[1]}}}"#,
            r#"{"id_token":{"acr":{"essential":"true"}}}"#,
            r#"{"id_token":{"sub":{"value":1}}}"#,
            r#"{"id_token":{},"id_token":{}}"#,
        ] {
            assert_eq!(read(Some(text), None).unwrap_err().code, "invalid_request", "{text}");
        }
        let long = format!(r#"{{"userinfo":{{"{}":null}}}}"#, "x".repeat(LONGEST));
        assert!(read(Some(&long), None).is_err());
    }
}
