//! Device authorization (RFC 8628): what a device without a browser asks for, and what it is told.

use serde::Serialize;

use super::authorization::PROMPTS;
use super::error::OAuthError;
use super::organization::{self, NamedOrganization};
use super::params::{self, Params};
use super::scope;

/// `grant_type` of the token request (section 3.4).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Where people type the code (section 3.3).
pub const PATH: &str = "/device";

/// The longest value that is read of a request.
const LONGEST: usize = 1024;
/// What of a typed code is shown again.
const LONGEST_SHOWN: usize = 32;

/// The path with a code that is filled in there, in the language that was asked for.
pub fn path(code: Option<&str>, ui_locales: Option<&str>) -> String {
    let code = code.map(shown).filter(|code| !code.is_empty());
    let code = code.as_deref().map(|code| ("user_code", code));
    let query: Vec<_> = code.into_iter().chain(ui_locales.map(|locales| ("ui_locales", locales))).collect();
    if query.is_empty() { PATH.to_owned() } else { params::append(PATH, query) }
}

/// A code as it is shown again, whatever was typed.
pub fn shown(code: &str) -> String {
    code.chars().take(LONGEST_SHOWN).collect()
}

/// What means something where somebody stands at a browser, and cannot be asked for here: to pass over it would let the
/// device take less for more.
const NOT_HERE: [&str; 5] = ["acr_values", "claims", "max_age", "request", "request_uri"];

/// What a device asks for (section 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub scopes: Vec<String>,
    /// `organization` or its alias, as it was written.
    pub organization: Option<NamedOrganization>,
    pub prompts: Vec<String>,
}

/// Reads what is asked. Who asks is read elsewhere.
pub fn request(params: &Params) -> Result<Request, OAuthError> {
    let get = |name: &str| match params.get(name) {
        Ok(Some(value)) if value.len() > LONGEST => {
            Err(OAuthError::invalid_request(format!("{name} is too long")))
        }
        Ok(value) => Ok(value.map(str::to_owned)),
        Err(error) => Err(OAuthError::invalid_request(error.to_string())),
    };
    if let Some(name) = NOT_HERE.iter().find(|name| params.all(name).next().is_some()) {
        return Err(OAuthError::invalid_request(format!("a device cannot ask for {name}")));
    }
    if params.all("resource").next().is_some() {
        return Err(OAuthError::invalid_target(
            "a device says which resource it means when it asks for its tokens",
        ));
    }
    let scopes = get("scope")?.ok_or_else(|| OAuthError::invalid_scope("no scope is asked for"))?;
    let scopes = scope::split(&scopes).ok_or_else(|| OAuthError::invalid_scope("scope is malformed"))?;
    Ok(Request {
        scopes: scopes.into_iter().map(str::to_owned).collect(),
        organization: organization::asked(&get)?,
        prompts: prompts(get("prompt")?.as_deref())?,
    })
}

/// As of an authorization request, but for `none`: a device is let in by somebody, or not at all.
fn prompts(text: Option<&str>) -> Result<Vec<String>, OAuthError> {
    let words: Vec<_> = text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
    if words.iter().any(|word| *word == "none" || !PROMPTS.contains(word)) {
        return Err(OAuthError::invalid_request("prompt has a value that a device cannot ask for"));
    }
    Ok(words.into_iter().map(str::to_owned).collect())
}

/// What the device is told (section 3.2).
#[derive(Debug, Serialize)]
pub struct Answer {
    pub device_code: String,
    pub user_code: String,
    pub verification_uri: String,
    pub verification_uri_complete: String,
    /// Seconds.
    pub expires_in: u64,
    /// Seconds between two questions.
    pub interval: i64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_device_asks_for_scopes_and_perhaps_an_organization_and_each_fault_has_its_own_error() {
        let read = |body: &str| request(&Params::parse(body.as_bytes()).unwrap());
        let asked = read("scope=openid+email&organization=acme&prompt=login+select_organization").unwrap();
        assert_eq!(asked.scopes, ["openid", "email"]);
        assert_eq!(asked.organization.as_ref().map(NamedOrganization::name), Some("acme"));
        assert_eq!(asked.prompts, ["login", "select_organization"]);
        for (body, code) in [
            ("", "invalid_scope"),
            ("scope=a%22b", "invalid_scope"),
            ("scope=openid&scope=email", "invalid_request"),
            ("scope=openid&prompt=none", "invalid_request"),
            ("scope=openid&acr_values=x", "invalid_request"),
            ("scope=openid&max_age=0", "invalid_request"),
            ("scope=openid&claims={}", "invalid_request"),
            ("scope=openid&request=x", "invalid_request"),
            ("scope=openid&resource=https://api.test", "invalid_target"),
            ("scope=openid&prompt=dance", "invalid_request"),
            ("scope=openid&organization=a&organization_id=b", "invalid_request"),
            ("scope=openid&organization_id=acme", "invalid_request"),
        ] {
            assert_eq!(read(body).unwrap_err().code, code, "{body}");
        }
        assert_eq!(read(&format!("scope={}", "a".repeat(2_000))).unwrap_err().code, "invalid_request");
    }
}
