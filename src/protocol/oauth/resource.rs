//! Resource indicators (RFC 8707): for which of its audiences an application wants a token.

use url::Url;

use super::error::OAuthError;
use super::params::Params;

/// So many at most in one request.
const MOST: usize = 20;
const LONGEST: usize = 500;

/// What is asked for: absolute URIs without a fragment (section 2), each once.
pub fn asked(params: &Params) -> Result<Vec<String>, OAuthError> {
    let mut found: Vec<String> = Vec::new();
    for text in params.all("resource") {
        let is_fit = text.len() <= LONGEST && !text.contains('#') && Url::parse(text).is_ok();
        if !is_fit {
            return Err(OAuthError::invalid_target("resource is no absolute URI without a fragment"));
        }
        if !found.iter().any(|known| known == text) {
            found.push(text.to_owned());
        }
    }
    if found.len() > MOST {
        return Err(OAuthError::invalid_target("resource stands more often than a token can be for"));
    }
    Ok(found)
}

/// Those that are asked for, if all of them are `allowed`.
pub fn within(asked: &[String], allowed: &[String]) -> Result<(), OAuthError> {
    match asked.iter().all(|one| allowed.contains(one)) {
        true => Ok(()),
        false => Err(OAuthError::invalid_target("resource is none that this application gets tokens for")),
    }
}

/// For which audiences a token is: for those that are asked for now, or else for all that were granted, as far as the
/// application still `has` them. None: for whatever it has.
pub fn chosen(asked: &[String], granted: &[String], has: &[String]) -> Result<Vec<String>, OAuthError> {
    let left: Vec<String> = match granted {
        [] => has.to_vec(),
        granted => granted.iter().filter(|one| has.contains(one)).cloned().collect(),
    };
    if left.is_empty() {
        return Err(OAuthError::invalid_target(
            "none of what was granted (resource) is an audience of this application any more",
        ));
    }
    within(asked, &left)?;
    Ok(match (asked, granted) {
        ([], []) => Vec::new(),
        ([], _) => left,
        (asked, _) => asked.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(query: &str) -> Result<Vec<String>, &'static str> {
        asked(&Params::parse(query.as_bytes()).unwrap()).map_err(|error| error.code)
    }

    #[test]
    fn m05_resources_are_absolute_uris_and_may_stand_more_than_once() {
        assert_eq!(read("a=1"), Ok(vec![]));
        assert_eq!(
            read("resource=https://a.test/x&resource=urn:b&resource=https://a.test/x"),
            Ok(vec!["https://a.test/x".to_owned(), "urn:b".to_owned()])
        );
        for wrong in ["resource=a.test", "resource=/x", "resource=https://a.test/%23x", "resource=%20"] {
            assert_eq!(read(wrong), Err("invalid_target"), "{wrong}");
        }
        let many: String = (0..21).map(|number| format!("resource=urn:{number}&")).collect();
        assert_eq!(read(&many), Err("invalid_target"));
        let allowed = ["urn:a".to_owned(), "urn:b".to_owned()];
        assert!(within(&["urn:b".to_owned()], &allowed).is_ok());
        assert_eq!(within(&["urn:c".to_owned()], &allowed).unwrap_err().code, "invalid_target");
    }
    #[test]
    fn m05_a_token_is_for_no_more_than_was_granted_and_is_still_there() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let has = list(&["urn:a", "urn:b"]);
        let of = |asked: &[&str], granted: &[&str]| {
            chosen(&list(asked), &list(granted), &has).map_err(|error| error.code)
        };
        assert_eq!(of(&[], &[]), Ok(list(&[])));
        assert_eq!(of(&["urn:a"], &[]), Ok(list(&["urn:a"])));
        assert_eq!(of(&[], &["urn:b", "urn:gone"]), Ok(list(&["urn:b"])));
        assert_eq!(of(&["urn:a"], &["urn:b"]), Err("invalid_target"));
        assert_eq!(of(&["urn:gone"], &["urn:gone"]), Err("invalid_target"));
        assert_eq!(of(&[], &["urn:gone"]), Err("invalid_target"));
    }
}
