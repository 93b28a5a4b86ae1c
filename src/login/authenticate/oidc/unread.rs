//! Which field of a token answer cannot be read: its administrator is told the name, and nobody what stood there.

use data_encoding::BASE64URL_NOPAD;
use openidconnect::core::CoreIdTokenClaims;
use serde_json::{Map, Value, json};

use crate::protocol::oauth::params::printable;

/// What every answer has (RFC 6749, section 5.1).
const NEEDED: [&str; 2] = ["access_token", "token_type"];
/// Claims of one token that are looked at.
const MOST: usize = 200;

/// Of the answer, by where its reader stopped; of the ID token, the claims. `None`: it is no such answer at all.
pub fn field(path: &str, body: &[u8]) -> Option<String> {
    if !matches!(path, "." | "" | "?" | "id_token") {
        return Some(printable(path));
    }
    let answer: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let missing: Vec<_> = NEEDED.into_iter().filter(|name| !answer.contains_key(*name)).collect();
    if !missing.is_empty() {
        return Some(missing.join(", "));
    }
    let token = answer.get("id_token")?;
    Some(match claims(token).unwrap_or_default().as_slice() {
        [] => "id_token".to_owned(),
        names => format!("id_token: {}", names.join(", ")),
    })
}

/// Those that are not as they must be, or are not there: each judged beside none but what every token has.
fn claims(token: &Value) -> Option<Vec<String>> {
    let payload = BASE64URL_NOPAD.decode(token.as_str()?.split('.').nth(1)?.as_bytes()).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&payload).ok()?;
    let least = json!({"iss": "https://idp.test", "sub": "x", "aud": "x", "exp": 1, "iat": 1});
    let least = least.as_object()?;
    let is_read =
        |with: Map<String, Value>| serde_json::from_value::<CoreIdTokenClaims>(Value::Object(with)).is_ok();
    let is_needed = |name: &String| {
        let mut without = least.clone();
        without.remove(name);
        !is_read(without)
    };
    let missing = least.keys().filter(|name| !claims.contains_key(*name) && is_needed(name)).cloned();
    let odd = claims.iter().take(MOST).filter(|(name, value)| {
        let mut with = least.clone();
        with.insert((*name).clone(), (*value).clone());
        !is_read(with)
    });
    Some(missing.chain(odd.map(|(name, _)| printable(name))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(claims: &str) -> Vec<u8> {
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let token = format!("{}.{}.{}", part("{}"), part(claims), part("x"));
        json!({"access_token": "secret", "token_type": "Bearer", "id_token": token}).to_string().into_bytes()
    }

    #[test]
    fn h20_what_a_provider_says_wrongly_is_named_and_not_repeated() {
        let fine = r#""iss":"https://idp.test","sub":"x","aud":"x","exp":1,"iat":1"#;
        for (claims, expected) in [
            (format!(r#"{{{fine},"name":["Eve"]}}"#), "id_token: name"),
            (format!(r#"{{{fine},"auth_time":"noon","email":7}}"#), "id_token: auth_time, email"),
            (format!("{{{}}}", fine.replace("\"exp\":1", "\"exp\":\"Eve\"")), "id_token: exp"),
            (format!("{{{}}}", fine.replace(r#""sub":"x","#, "")), "id_token: sub"),
            ("[]".to_owned(), "id_token"),
        ] {
            assert_eq!(field("id_token", &answer(&claims)).as_deref(), Some(expected), "{claims}");
        }
        assert_eq!(field("expires_in", b"{}").as_deref(), Some("expires_in"));
        assert_eq!(field(".", &answer("{}")).as_deref(), field("id_token", &answer("{}")).as_deref());
        assert_eq!(field(".", br#"{"access_token": "x"}"#).as_deref(), Some("token_type"));
        assert_eq!(field(".", b"[]"), None);
    }
}
