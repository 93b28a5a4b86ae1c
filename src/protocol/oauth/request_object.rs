//! A request object (RFC 9101): an authorization request as the claims of a JWT that the application has signed. What is
//! read here is verified already.

use serde_json::Value;

use super::error::OAuthError;
use super::params::Params;
use crate::protocol::jose::{Algorithm, Claims, Typ};

/// `typ` of one (section 10.8), which strangers also send as `JWT` or not at all.
pub const TYP: Typ = Typ::JwtOr("oauth-authz-req+jwt");

/// Signatures that are accepted on one: never `none`, and no symmetric ones.
pub const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

/// Claims of the JWT itself, which are no parameters.
const OF_THE_JWT: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// The parameters that it holds: they are the whole request (section 6.3).
pub fn parameters(claims: &Claims, client_id: &str) -> Result<Params, OAuthError> {
    let wrong = |why: &str| OAuthError::invalid_request_object(why.to_owned());
    if let Some(name) = ["request", "request_uri"].into_iter().find(|name| claims.get(name).is_some()) {
        return Err(wrong(&format!("the request object holds {name}")));
    }
    if claims.get("client_id").and_then(Value::as_str) != Some(client_id) {
        return Err(wrong("client_id of the request object is not the one of the request"));
    }
    let mut pairs = Vec::new();
    for name in claims.names().filter(|name| !OF_THE_JWT.contains(name)) {
        let value = claims.get(name).unwrap_or(&Value::Null);
        match value {
            Value::Null => {}
            Value::Array(list) if name == "resource" => {
                for one in list {
                    let text = one.as_str().ok_or_else(|| wrong("resource is no list of texts"))?;
                    pairs.push((name.to_owned(), text.to_owned()));
                }
            }
            Value::String(text) => pairs.push((name.to_owned(), text.clone())),
            // A number, a yes or no, and what is JSON in a form as well (section 4).
            other => pairs.push((name.to_owned(), other.to_string())),
        }
    }
    Params::of(pairs).map_err(|error| wrong(&error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Params, OAuthError> {
        parameters(&Claims::parse(text.as_bytes()).unwrap(), "rp1")
    }

    #[test]
    fn m21_claims_become_the_parameters_of_a_form() {
        let params = read(
            r#"{"iss":"rp1","aud":"x","exp":1,"client_id":"rp1","max_age":60,"claims":{"id_token":{"acr":null}},
                "resource":["https://a.test","https://b.test"],"nonce":null,"state":"s"}"#,
        )
        .unwrap();
        assert_eq!(params.get("max_age"), Ok(Some("60")));
        assert_eq!(params.get("claims"), Ok(Some(r#"{"id_token":{"acr":null}}"#)));
        assert_eq!(params.all("resource").collect::<Vec<_>>(), ["https://a.test", "https://b.test"]);
        assert_eq!((params.get("nonce"), params.get("iss")), (Ok(None), Ok(None)));
        assert_eq!(params.get("state"), Ok(Some("s")));
    }

    #[test]
    fn m21_what_holds_another_request_or_is_anothers_is_none() {
        for text in [
            r#"{"client_id":"rp1","request":"x"}"#,
            r#"{"client_id":"rp1","request_uri":"https://a.test"}"#,
            r#"{"client_id":"rp1","request":null}"#,
            r#"{"client_id":"rp2"}"#,
            r#"{"client_id":["rp1"]}"#,
            r#"{"scope":"openid"}"#,
            r#"{"client_id":"rp1","resource":[1]}"#,
            r#"{"client_id":"rp1","state":"a\u0000b"}"#,
        ] {
            assert_eq!(read(text).unwrap_err().code, "invalid_request_object", "{text}");
        }
    }
}
