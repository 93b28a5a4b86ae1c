//! What whoever presents a token must prove to hold (RFC 7800; RFC 8705, section 3.1; RFC 9449, section 6.1).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::dpop::is_same_key;
use crate::protocol::jose::Claims;

/// The claim that holds it.
pub const CLAIM: &str = "cnf";

/// A key by its thumbprint, a certificate by its own, or both: then both must be proved. Neither: whoever holds the token
/// may use it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Of a key (RFC 7638).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    /// Of a certificate: the hash of its DER.
    #[serde(rename = "x5t#S256", default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

impl Confirmation {
    /// What a token is bound to. Nothing: to something that is not understood here, so nobody proves it.
    pub fn of(claims: &Claims) -> Option<Self> {
        let Some(value) = claims.get(CLAIM) else { return Some(Self::default()) };
        serde_json::from_value(value.clone()).ok().filter(|bound: &Self| !bound.is_empty())
    }

    pub fn is_empty(&self) -> bool {
        self.jkt.is_none() && self.certificate.is_none()
    }

    /// Whether who proves to hold this much proves all that is asked for.
    pub fn is_proved_by(&self, proved: &Self) -> bool {
        let held = |asked: &Option<String>, shown: &Option<String>| match (asked, shown) {
            (None, _) => true,
            (Some(asked), Some(shown)) => is_same_key(asked, shown),
            (Some(_), None) => false,
        };
        held(&self.jkt, &proved.jkt) && held(&self.certificate, &proved.certificate)
    }

    /// `token_type` of a token that is bound to it (RFC 9449, section 5).
    pub fn token_type(&self) -> &'static str {
        if self.jkt.is_some() { "DPoP" } else { "Bearer" }
    }

    /// As the claim shows it, where there is any.
    pub fn claim(&self) -> Option<Value> {
        (!self.is_empty()).then(|| json!(self))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn m06_what_is_not_understood_is_proved_by_nobody() {
        let of = |text: &str| Confirmation::of(&Claims::parse(text.as_bytes()).unwrap());
        assert_eq!(of("{}"), Some(Confirmation::default()));
        let bound = of(r#"{"cnf":{"jkt":"a","x5t#S256":"b"}}"#).unwrap();
        assert_eq!(bound.claim(), Some(json!({ "jkt": "a", "x5t#S256": "b" })));
        for text in [
            r#"{"cnf":null}"#,
            r#"{"cnf":{}}"#,
            r#"{"cnf":"a"}"#,
            r#"{"cnf":{"jwk":{}}}"#,
            r#"{"cnf":{"jkt":"a","kid":"b"}}"#,
            r#"{"cnf":{"jkt":1}}"#,
            r#"{"cnf":{"jkt":null}}"#,
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        let key = |jkt: &str| Confirmation { jkt: Some(jkt.into()), certificate: None };
        let certificate = Confirmation { jkt: None, certificate: Some("b".into()) };
        assert!(bound.is_proved_by(&bound) && Confirmation::default().is_proved_by(&key("x")));
        for less in [Confirmation::default(), key("a"), key("b"), certificate] {
            assert!(!bound.is_proved_by(&less), "{less:?}");
        }
    }
}
