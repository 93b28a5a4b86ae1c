//! A body of JSON, read strictly: the right content type, no member twice, none unknown, nothing after it.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::front::Front;
use crate::protocol::jose::json::{JsonError, object};

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Longer than the server reads.
    TooLarge,
    /// It broke off, or is not what its own headers say.
    Broken,
    OtherType,
    NotJson,
    Twice,
    /// A member that nothing is known of, at this pointer (RFC 6901).
    Unknown(String),
    /// A value that is missing or of another type, at this pointer.
    Wrong(String, String),
}

/// The bytes of a body, as many as the server reads.
pub async fn bytes(request: Request, front: &Front) -> Result<Bytes, Unreadable> {
    Bytes::from_request(request, front).await.map_err(|rejection| {
        match axum::response::IntoResponse::into_response(rejection).status() {
            StatusCode::PAYLOAD_TOO_LARGE => Unreadable::TooLarge,
            _ => Unreadable::Broken,
        }
    })
}

/// Reads an object; `kinds` are the content types that it may come as.
pub fn read<T: DeserializeOwned>(headers: &HeaderMap, kinds: &[&str], body: &[u8]) -> Result<T, Unreadable> {
    meant(members(headers, kinds, body)?)
}

/// The members of an object, whatever they are.
pub fn members(headers: &HeaderMap, kinds: &[&str], body: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = kind.unwrap_or_default().split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if !kinds.iter().any(|kind| essence.eq_ignore_ascii_case(kind)) || !parts.all(is_utf8) {
        return Err(Unreadable::OtherType);
    }
    object(body).map_err(|error| match error {
        JsonError::Malformed => Unreadable::NotJson,
        JsonError::DuplicateMember => Unreadable::Twice,
    })
}

/// JSON is UTF-8 (RFC 8259, section 8.1); who says so needs not, and who says otherwise means another text than we read.
/// Whatever else a type is said with means nothing.
fn is_utf8(parameter: &str) -> bool {
    match parameter.split_once('=') {
        Some((name, value)) if name.trim_end().eq_ignore_ascii_case("charset") => {
            let value = value.trim().trim_matches('"');
            value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("us-ascii")
        }
        _ => true,
    }
}

/// What the members of an object mean.
pub fn meant<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, Unreadable> {
    serde_path_to_error::deserialize(Value::Object(members)).map_err(|error| {
        let at = pointer(error.path());
        let why = error.into_inner().to_string();
        match unknown(&why) {
            Some(name) if at.ends_with(&format!("/{}", escaped(name))) => Unreadable::Unknown(at),
            Some(name) => Unreadable::Unknown(format!("{at}/{}", escaped(name))),
            None => Unreadable::Wrong(at, why),
        }
    })
}

/// The name that serde complains of, if that is its complaint.
pub(super) fn unknown(complaint: &str) -> Option<&str> {
    complaint.strip_prefix("unknown field `")?.split_once('`').map(|(name, _)| name)
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer += &format!("/{index}"),
            Segment::Map { key } => pointer += &format!("/{}", escaped(key)),
            Segment::Enum { variant } => pointer += &format!("/{}", escaped(variant)),
            Segment::Unknown => {}
        }
    }
    pointer
}

/// RFC 6901, section 3.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        list: Vec<u8>,
    }

    fn told(body: &str) -> Result<Sample, Unreadable> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "Application/JSON; charset=utf-8".parse().unwrap());
        read(&headers, &["application/json"], body.as_bytes())
    }

    #[test]
    fn s0_35_what_is_wrong_with_a_body_is_named() {
        let fine = Sample { name: "x".into(), inner: Some(Inner { list: vec![1] }) };
        assert_eq!(told(r#"{"name":"x","inner":{"list":[1]}}"#), Ok(fine));
        assert_eq!(told(r#"{"name":"x","a/b":1}"#), Err(Unreadable::Unknown("/a~1b".into())));
        assert_eq!(
            told(r#"{"name":"x","inner":{"list":[],"y":1}}"#),
            Err(Unreadable::Unknown("/inner/y".into()))
        );
        assert!(
            matches!(told(r#"{"name":"x","inner":{"list":["a"]}}"#), Err(Unreadable::Wrong(at, _)) if at == "/inner/list/0")
        );
        assert!(matches!(told("{}"), Err(Unreadable::Wrong(_, why)) if why.contains("name")));
        assert_eq!(told(r#"{"name":"x","name":"y"}"#), Err(Unreadable::Twice));
        for not_json in ["", "[]", "{}{}", "{\"name\":\"x\"} x", "nonsense"] {
            assert_eq!(told(not_json), Err(Unreadable::NotJson), "{not_json}");
        }
        assert_eq!(
            read::<Sample>(&HeaderMap::new(), &["application/json"], b"{}"),
            Err(Unreadable::OtherType)
        );
        for (kind, fine) in [
            ("application/json;charset=\"UTF-8\"", true),
            ("application/json; profile=x", true),
            ("application/json; charset=utf-16", false),
            ("application/json; Charset = iso-8859-1", false),
            ("application/json; charset=utf-8; charset=utf-16", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
            let told = read::<Sample>(&headers, &["application/json"], br#"{"name":"x"}"#);
            assert_eq!(told.is_ok(), fine, "{kind}");
        }
    }
}
