use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::json::{self, JsonError};
use crate::foundation::clock::Moment;

/// The claims of a JSON Web Token (RFC 7519, section 4), each read as the one type it may have. A claim of another
/// type is an error and never counts as absent (threat C13).
#[derive(Clone, PartialEq)]
pub struct Claims(Map<String, Value>);

/// What is wrong with the claims; names claims, never repeats their values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    #[error("the claims are {0}")]
    Json(#[from] JsonError),
    #[error("the claim {0} is missing")]
    Missing(String),
    #[error("the claim {name} is not {expected}")]
    Wrong { name: String, expected: &'static str },
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token was issued in the future")]
    IssuedInFuture,
}

/// 9999-12-31T23:59:59Z. A later date is milliseconds taken for seconds, or a trick.
const LAST_SECOND: f64 = 253_402_300_799.0;
const MAX_SUBJECT_BYTES: usize = 255;

impl Claims {
    /// Reads a JSON object that names no member twice.
    pub fn parse(bytes: &[u8]) -> Result<Self, ClaimError> {
        Ok(Self(json::object(bytes)?))
    }

    pub fn iss(&self) -> Result<&str, ClaimError> {
        self.string("iss")
    }

    /// 1 to 255 ASCII characters (OpenID Connect Core, section 2), none of them a control.
    pub fn sub(&self) -> Result<&str, ClaimError> {
        let sub = self.string("sub")?;
        match sub.len() <= MAX_SUBJECT_BYTES && sub.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            true => Ok(sub),
            false => Err(wrong("sub", "1 to 255 printable ASCII characters")),
        }
    }

    /// One audience or a list of them; never empty.
    pub fn aud(&self) -> Result<Vec<&str>, ClaimError> {
        match self.required("aud")? {
            Value::String(_) => Ok(vec![self.string("aud")?]),
            Value::Array(_) => self.strings("aud"),
            _ => Err(wrong("aud", "a string or a list of strings")),
        }
    }

    pub fn exp(&self) -> Result<Moment, ClaimError> {
        self.moment("exp")
    }

    pub fn iat(&self) -> Result<Moment, ClaimError> {
        self.moment("iat")
    }

    pub fn nbf(&self) -> Result<Option<Moment>, ClaimError> {
        self.optional_moment("nbf")
    }

    pub fn auth_time(&self) -> Result<Option<Moment>, ClaimError> {
        self.optional_moment("auth_time")
    }

    /// A text that is there and not empty.
    pub fn string(&self, name: &str) -> Result<&str, ClaimError> {
        match self.required(name)? {
            Value::String(text) if !text.is_empty() => Ok(text),
            _ => Err(wrong(name, "a string that says something")),
        }
    }

    /// As [`Claims::string`]; `null` counts as absent.
    pub fn optional_string(&self, name: &str) -> Result<Option<&str>, ClaimError> {
        self.if_said(name, Self::string)
    }

    /// A list with at least one text, none of them empty.
    pub fn strings(&self, name: &str) -> Result<Vec<&str>, ClaimError> {
        let texts: Option<Vec<&str>> = self
            .required(name)?
            .as_array()
            .and_then(|list| list.iter().map(|item| item.as_str().filter(|text| !text.is_empty())).collect());
        texts.filter(|texts| !texts.is_empty()).ok_or_else(|| wrong(name, "a list of strings"))
    }

    /// As [`Claims::strings`]; an empty list and `null` count as absent.
    pub fn optional_strings(&self, name: &str) -> Result<Option<Vec<&str>>, ClaimError> {
        if self.0.get(name).and_then(Value::as_array).is_some_and(Vec::is_empty) {
            return Ok(None);
        }
        self.if_said(name, Self::strings)
    }

    /// A NumericDate (RFC 7519, section 2): a JSON number of seconds, whole or not, from 1970 to the year 9999.
    pub fn moment(&self, name: &str) -> Result<Moment, ClaimError> {
        let seconds = self.required(name)?.as_f64().filter(|seconds| (0.0..=LAST_SECOND).contains(seconds));
        // The range above leaves nothing for the cast to cut.
        #[allow(clippy::cast_possible_truncation)]
        let millis = seconds.map(|seconds| (seconds * 1000.0).round() as i64);
        millis.map(Moment::from_millis).ok_or_else(|| wrong(name, "a date in seconds"))
    }

    /// As [`Claims::moment`]; `null` is not a date.
    fn optional_moment(&self, name: &str) -> Result<Option<Moment>, ClaimError> {
        self.0.contains_key(name).then(|| self.moment(name)).transpose()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Any claim, as it is.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// `exp` must be there and lie ahead; `nbf` and `iat`, if there, must not. Clocks may differ by `leeway`.
    pub fn check_times(&self, now: Moment, leeway: Duration) -> Result<(), ClaimError> {
        if now >= self.exp()?.plus(leeway) {
            return Err(ClaimError::Expired);
        }
        let latest = now.plus(leeway);
        if self.nbf()?.is_some_and(|start| start > latest) {
            return Err(ClaimError::NotYetValid);
        }
        match self.optional_moment("iat")?.is_some_and(|issued| issued > latest) {
            true => Err(ClaimError::IssuedInFuture),
            false => Ok(()),
        }
    }

    fn required(&self, name: &str) -> Result<&Value, ClaimError> {
        self.0.get(name).ok_or_else(|| ClaimError::Missing(name.to_owned()))
    }

    fn if_said<'a, T>(
        &'a self,
        name: &str,
        read: fn(&'a Self, &str) -> Result<T, ClaimError>,
    ) -> Result<Option<T>, ClaimError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => read(self, name).map(Some),
        }
    }
}

fn wrong(name: &str, expected: &'static str) -> ClaimError {
    ClaimError::Wrong { name: name.to_owned(), expected }
}

impl fmt::Debug for Claims {
    /// The names only: the values are somebody's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Moment = Moment::from_seconds(1_700_000_000);
    const LEEWAY: Duration = Duration::from_secs(60);

    fn claims(text: &str) -> Claims {
        Claims::parse(text.as_bytes()).unwrap()
    }

    fn is_wrong<T: fmt::Debug>(result: Result<T, ClaimError>) -> bool {
        matches!(result, Err(ClaimError::Wrong { .. }))
    }

    #[test]
    fn a_claim_is_read_as_its_type() {
        let claims = claims(
            r#"{"iss":"https://idp.test","sub":"ann","aud":["rp1","rp2"],"exp":1700000000.25,"iat":1700000000,
                "email_verified":true,"nonce":null,"groups":["g"]}"#,
        );
        assert_eq!((claims.iss().unwrap(), claims.sub().unwrap()), ("https://idp.test", "ann"));
        assert_eq!(claims.aud().unwrap(), ["rp1", "rp2"]);
        assert_eq!(claims.exp(), Ok(Moment::from_millis(1_700_000_000_250)));
        assert_eq!(claims.iat(), Ok(NOW));
        assert_eq!(claims.optional_string("nonce"), Ok(None));
        assert_eq!(claims.optional_strings("groups").unwrap().unwrap(), ["g"]);
        assert_eq!(claims.nbf(), Ok(None));
        assert_eq!(claims.string("azp"), Err(ClaimError::Missing("azp".into())));
        assert_eq!(super::tests::claims(r#"{"aud":"rp1"}"#).aud().unwrap(), ["rp1"]);
    }

    #[test]
    fn c13_a_date_that_is_not_a_number_is_refused_and_never_absent() {
        for date in [
            "\"9999999999\"",
            "\"x\"",
            "\"\"",
            "null",
            "true",
            "[]",
            "[1700000000]",
            "{}",
            "-1",
            "1e300",
            "1e12",
            "1700000000000",
            "253402300800",
        ] {
            let claims = claims(&format!(r#"{{"exp":{date},"nbf":{date},"iat":{date},"auth_time":{date}}}"#));
            assert!(is_wrong(claims.exp()) && is_wrong(claims.iat()), "{date}");
            assert!(is_wrong(claims.nbf()) && is_wrong(claims.auth_time()), "{date}");
            assert!(is_wrong(claims.check_times(NOW, LEEWAY)), "{date}");
        }
        assert_eq!(Claims::parse(br#"{"exp":1e400}"#), Err(ClaimError::Json(JsonError::Malformed)));
        assert_eq!(claims("{}").check_times(NOW, LEEWAY), Err(ClaimError::Missing("exp".into())));
        for optional in ["nbf", "iat"] {
            let claims = claims(&format!(r#"{{"exp":1700000001,"{optional}":"1"}}"#));
            assert!(is_wrong(claims.check_times(NOW, LEEWAY)), "{optional}");
        }
    }

    #[test]
    fn c13_audience_and_subject_are_refused_in_other_shapes() {
        for aud in ["[]", "\"\"", "[\"\"]", "[\"rp1\",1]", "[[\"rp1\"]]", "1", "null", "true", "{\"rp1\":1}"]
        {
            assert!(is_wrong(claims(&format!(r#"{{"aud":{aud}}}"#)).aud()), "{aud}");
        }
        let long = format!("\"{}\"", "a".repeat(256));
        for sub in ["\"\"", "1", "null", "[\"ann\"]", "\"änn\"", "\"ann\\u0000\"", "\"ann\\n\"", &long] {
            assert!(is_wrong(claims(&format!(r#"{{"sub":{sub}}}"#)).sub()), "{sub}");
        }
        assert!(is_wrong(claims(r#"{"iss":["a"]}"#).iss()));
    }

    #[test]
    fn a_token_is_valid_from_its_start_to_just_before_its_end() {
        let check = |text: &str| claims(text).check_times(NOW, LEEWAY);
        assert_eq!(check(r#"{"exp":1699999941}"#), Ok(()));
        assert_eq!(check(r#"{"exp":1699999940}"#), Err(ClaimError::Expired));
        assert_eq!(check(r#"{"exp":0}"#), Err(ClaimError::Expired));
        assert_eq!(check(r#"{"exp":1700000300,"nbf":1700000060,"iat":1700000060}"#), Ok(()));
        assert_eq!(check(r#"{"exp":1700000300,"nbf":1700000060.5}"#), Err(ClaimError::NotYetValid));
        assert_eq!(check(r#"{"exp":1700000300,"iat":1700000061}"#), Err(ClaimError::IssuedInFuture));
    }

    #[test]
    fn claims_are_not_printed() {
        assert_eq!(format!("{:?}", claims(r#"{"sub":"ann"}"#)), r#"{"sub"}"#);
    }
}
