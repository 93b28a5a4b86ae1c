//! The query of an address, read strictly: no parameter twice, none unknown.

use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::json::unknown;

/// Why a query cannot be read; each names the parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    Twice(String),
    Unknown(String),
    Wrong(String, String),
}

/// Reads `application/x-www-form-urlencoded` out of an address.
pub fn read<T: DeserializeOwned>(query: Option<&str>) -> Result<T, Unreadable> {
    let query = query.unwrap_or_default();
    let mut seen: Vec<String> = Vec::new();
    for piece in query.split('&') {
        let Some((name, _)) = form_urlencoded::parse(piece.as_bytes()).next() else { continue };
        // The reader would put another character in its place, and look for that.
        if percent_decode_str(piece).decode_utf8().is_err() {
            return Err(Unreadable::Wrong(name.into_owned(), "must be UTF-8, percent-encoded".to_owned()));
        }
        if seen.iter().any(|known| *known == name) {
            return Err(Unreadable::Twice(name.into_owned()));
        }
        seen.push(name.into_owned());
    }
    let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let at = error.path().to_string();
        let why = error.into_inner().to_string();
        match unknown(&why) {
            Some(name) => Unreadable::Unknown(name.to_owned()),
            None => Unreadable::Wrong(at, why),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        limit: Option<u32>,
        name: Option<String>,
    }

    #[test]
    fn s0_35_what_is_wrong_with_a_query_is_named() {
        let fine = Sample { limit: Some(5), name: Some("a b".into()) };
        assert_eq!(read(Some("limit=5&name=a+b")), Ok(fine));
        assert_eq!(read(None), Ok(Sample { limit: None, name: None }));
        assert_eq!(read::<Sample>(Some("lime=5")), Err(Unreadable::Unknown("lime".into())));
        assert_eq!(read::<Sample>(Some("name=a&limit=1&name=a")), Err(Unreadable::Twice("name".into())));
        for (query, wrong) in
            [("limit=-1", "limit"), ("limit=1&name=%ED%A0%80", "name"), ("name=a%FF+b", "name")]
        {
            let found = read::<Sample>(Some(query));
            assert!(matches!(&found, Err(Unreadable::Wrong(at, _)) if at == wrong), "{query}: {found:?}");
        }
        let fine = Sample { limit: None, name: Some("\u{fffd} ß".into()) };
        assert_eq!(read(Some("&name=%EF%BF%BD+%C3%9F&")), Ok(fine));
    }
}
