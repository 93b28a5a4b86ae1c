//! The query of an address, read strictly: no parameter twice, none unknown.

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
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
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
        assert!(matches!(read::<Sample>(Some("limit=-1")), Err(Unreadable::Wrong(at, _)) if at == "limit"));
    }
}
