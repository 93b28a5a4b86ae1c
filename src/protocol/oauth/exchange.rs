//! Token exchange (RFC 8693): what is asked for a token that somebody holds.

use super::error::OAuthError;
use super::organization::{self, NamedOrganization};
use super::params::Params;
use super::{resource, scope};

/// `grant_type` of the token request (section 2.1).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The one type of token that is taken and given (section 3).
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The longest value that is read of a target.
const LONGEST: usize = 500;
/// For so many can one token be.
const MOST: usize = 20;

/// What is asked (section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub subject_token: String,
    /// Of who is to act, if it is not shown by who asks.
    pub actor_token: Option<String>,
    /// What the new token shall be for; absent: as much as there is.
    pub scopes: Option<Vec<String>>,
    /// Whom the person wants to act for, by id or slug.
    pub organization: Option<NamedOrganization>,
    /// For whom it shall be, and by which parameter that was said: `audience`, then `resource`.
    pub targets: Vec<(&'static str, String)>,
}

/// Reads the body, in which nothing stands twice but `resource`.
pub fn request(params: &Params) -> Result<Request, OAuthError> {
    let get = |name: &str| match params.get(name) {
        Ok(value) => Ok(value.map(str::to_owned)),
        Err(error) => Err(OAuthError::invalid_request(error.to_string())),
    };
    let needed =
        |name: &str| get(name)?.ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")));
    let subject_token = needed("subject_token")?;
    is_access_token("subject_token_type", &needed("subject_token_type")?)?;
    if let Some(wanted) = get("requested_token_type")? {
        is_access_token("requested_token_type", &wanted)?;
    }
    let actor_token = get("actor_token")?;
    match (&actor_token, get("actor_token_type")?) {
        (Some(_), Some(kind)) => is_access_token("actor_token_type", &kind)?,
        (None, None) => {}
        _ => {
            return Err(OAuthError::invalid_request("actor_token and actor_token_type stand together"));
        }
    }
    let scopes = get("scope")?.map(|text| {
        let scopes = scope::split(&text).ok_or_else(|| OAuthError::invalid_scope("scope is malformed"))?;
        Ok(scopes.into_iter().map(str::to_owned).collect())
    });
    let mut targets: Vec<(&str, String)> = Vec::new();
    let audiences = params.all("audience").map(|target| ("audience", target.to_owned()));
    let resources = resource::asked(params)?.into_iter().map(|target| ("resource", target));
    for (name, target) in audiences.chain(resources) {
        if target.len() > LONGEST {
            return Err(OAuthError::invalid_target(format!("{name} is too long")));
        }
        if !targets.iter().any(|(_, known)| *known == target) {
            targets.push((name, target));
        }
    }
    if targets.len() > MOST {
        return Err(OAuthError::invalid_target("audience and resource name more than a token can be for"));
    }
    Ok(Request {
        subject_token,
        actor_token,
        scopes: scopes.transpose()?,
        organization: organization::asked(&get)?,
        targets,
    })
}

/// With what the names of kinds of tokens begin (section 3).
const TYPES: &str = "urn:ietf:params:oauth:token-type:";

/// Others are refused by their name (section 2.2.2).
fn is_access_token(parameter: &str, kind: &str) -> Result<(), OAuthError> {
    if kind == ACCESS_TOKEN {
        return Ok(());
    }
    // Whoever has mixed the fields up has written a token here: nothing is repeated but what names a type (RFC 8693, section 3).
    let is_word = |word: &str| {
        (1..=20).contains(&word.len())
            && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"_-".contains(&c))
    };
    let shown =
        if kind.strip_prefix(TYPES).is_some_and(is_word) { format!("{kind} ") } else { String::new() };
    Err(OAuthError::invalid_request(format!("{parameter} {shown}is not supported")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OF: &str = "subject_token=t&subject_token_type=urn:ietf:params:oauth:token-type:access_token";

    fn read(more: &str) -> Result<Request, OAuthError> {
        request(&Params::parse(format!("{OF}{more}").as_bytes()).unwrap())
    }

    #[test]
    fn an_exchange_is_read_and_what_is_not_supported_is_refused_by_its_name() {
        let asked =
            read("&scope=openid&organization=acme&audience=orders&audience=two&audience=two&resource=https://api.test/x")
                .unwrap();
        assert_eq!(asked.subject_token, "t");
        let said = asked.targets.iter().map(|(name, target)| (*name, target.as_str()));
        let expected = [("audience", "orders"), ("audience", "two"), ("resource", "https://api.test/x")];
        assert_eq!(said.collect::<Vec<_>>(), expected);
        assert_eq!(
            (asked.organization.as_ref().map(NamedOrganization::name), asked.actor_token),
            (Some("acme"), None)
        );
        for (more, code) in [
            ("&requested_token_type=urn:ietf:params:oauth:token-type:refresh_token", "invalid_request"),
            ("&requested_token_type=urn:ietf:params:oauth:token-type:id_token", "invalid_request"),
            ("&requested_token_type=x", "invalid_request"),
            ("&actor_token=a", "invalid_request"),
            (&format!("&actor_token_type={ACCESS_TOKEN}"), "invalid_request"),
            ("&actor_token=a&actor_token_type=urn:ietf:params:oauth:token-type:id_token", "invalid_request"),
            ("&scope=a%22b", "invalid_scope"),
            ("&resource=api", "invalid_target"),
            ("&resource=https://api.test/%23x", "invalid_target"),
            (&format!("&audience={}", "a".repeat(501)), "invalid_target"),
            (&(0..21).map(|at| format!("&audience={at}")).collect::<String>(), "invalid_target"),
            ("&organization=a&organization_id=b", "invalid_request"),
        ] {
            assert_eq!(read(more).unwrap_err().code, code, "{more}");
        }
        for body in
            ["subject_token=t", "subject_token_type=x", "subject_token=t&subject_token_type=urn:x:saml2"]
        {
            let error = request(&Params::parse(body.as_bytes()).unwrap()).unwrap_err();
            assert_eq!(error.code, "invalid_request", "{body}");
        }
        let told = read("&requested_token_type=urn:ietf:params:oauth:token-type:saml2").unwrap_err();
        assert_eq!(
            told.description,
            "requested_token_type urn:ietf:params:oauth:token-type:saml2 is not supported"
        );
    }
}
