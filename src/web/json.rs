//! A body of JSON, read strictly: the right content type, no member twice, none unknown, nothing after it.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, StatusCode, header};
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::coding;
use super::front::Front;
use crate::protocol::jose::json::{JsonError, object};

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Longer than the server reads.
    TooLarge,
    /// In a coding, of which none is read.
    Encoded,
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
    let is_encoded = coding::is_any(request.headers());
    let bytes = Bytes::from_request(request, front).await.map_err(|rejection| {
        match axum::response::IntoResponse::into_response(rejection).status() {
            StatusCode::PAYLOAD_TOO_LARGE => Unreadable::TooLarge,
            _ => Unreadable::Broken,
        }
    })?;
    // What there is nothing of is in no coding either.
    if is_encoded && !bytes.is_empty() { Err(Unreadable::Encoded) } else { Ok(bytes) }
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

/// `#[serde(default, deserialize_with = "by_name")]` for an object in a body none of whose members is needed: serde would
/// read it from a list of values as well.
pub fn by_name<'de, D: Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<ByName<T>>::deserialize(reader)?.map(|read| read.0))
}

struct ByName<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByName<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        T::deserialize(Members(reader)).map(Self)
    }
}

/// Has members, and nothing else to give.
struct Members<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Members<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
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

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Loose {
        #[serde(default, deserialize_with = "by_name")]
        all: Option<Optional>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Optional {
        #[serde(default)]
        one: u8,
    }

    #[test]
    fn s0_35_a_list_is_no_object_whose_members_are_all_optional() {
        let read = |body: &str| meant::<Loose>(object(body.as_bytes()).unwrap());
        assert_eq!(read(r#"{"all":{"one":1}}"#), Ok(Loose { all: Some(Optional { one: 1 }) }));
        assert_eq!(read(r#"{"all":{}}"#), Ok(Loose { all: Some(Optional { one: 0 }) }));
        assert_eq!(read(r#"{"all":null}"#), Ok(Loose { all: None }));
        assert_eq!(read("{}"), Ok(Loose { all: None }));
        for other in [r#"{"all":[]}"#, r#"{"all":[1]}"#, r#"{"all":1}"#, r#"{"all":"one"}"#] {
            assert!(matches!(read(other), Err(Unreadable::Wrong(at, _)) if at == "/all"), "{other}");
        }
        assert_eq!(read(r#"{"all":{"two":1}}"#), Err(Unreadable::Unknown("/all/two".into())));
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
