//! An authorization request (RFC 6749, section 4.1.1; OpenID Connect Core, section 3.1.2.1), read once, by whatever way its
//! parameters came: in an address, in a form, pushed beforehand (RFC 9126), or signed (RFC 9101).

use super::claims_parameter::{self, ClaimsAsked};
use super::error::OAuthError;
use super::organization::{self, Get, NamedOrganization, one_of};
use super::params::Params;
use super::response_mode::ResponseMode;
use super::{dpop, pkce, resource, scope};

/// What the names of pushed requests begin with (RFC 9126, section 2.2).
pub const PUSHED: &str = "urn:ietf:params:oauth:request_uri:";

/// What is asked, by the letter of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub scopes: Vec<String>,
    pub nonce: Option<String>,
    pub code_challenge: Option<String>,
    /// The thumbprint of the key to which the code is bound (RFC 9449, section 10).
    pub dpop_jkt: Option<String>,
    pub prompts: Vec<String>,
    pub max_age: Option<u64>,
    pub login_hint: Option<String>,
    pub domain_hint: Option<String>,
    pub connection: Option<String>,
    /// `organization` or its alias, as it was written.
    pub organization: Option<NamedOrganization>,
    /// The secret part of an invitation, as its link has it.
    pub invitation: Option<String>,
    pub ui_locales: Option<String>,
    /// As it was asked for; absent: the usual one.
    pub response_mode: Option<ResponseMode>,
    pub claims: ClaimsAsked,
    /// For which audiences the access tokens are to be; empty: for all that the application has.
    pub resources: Vec<String>,
}

/// The longest value that is remembered of a request.
const LONGEST: usize = 1024;

/// The words that `prompt` may hold.
/// `consent` makes a page ask where one asks at all: for applications of others. Whoever registers their own has agreed, and
/// may send it with `offline_access` all the same (OpenID Connect Core, section 11).
pub const PROMPTS: [&str; 5] = ["none", "login", "select_account", "select_organization", "consent"];
/// Reads everything but the address. An error is for the application.
pub fn request(params: &Params) -> Result<Request, OAuthError> {
    if let Some(error) = params.twice() {
        return Err(OAuthError::invalid_request(error.to_string()));
    }
    let whole = |name: &str| params.get(name).map_err(|error| OAuthError::invalid_request(error.to_string()));
    let get = |name: &str| match whole(name)? {
        Some(value) if value.len() > LONGEST => {
            Err(OAuthError::invalid_request(format!("{name} is too long")))
        }
        value => Ok(value.map(str::to_owned)),
    };
    refuse_what_is_not_supported(&get)?;
    let challenge = code_challenge(&get)?;
    let scopes = match get("scope")? {
        None => return Err(OAuthError::invalid_scope("no scope is asked for")),
        Some(text) => scope::split(&text)
            .ok_or_else(|| OAuthError::invalid_scope("scope is malformed"))?
            .into_iter()
            .map(str::to_owned)
            .collect(),
    };
    Ok(Request {
        scopes,
        nonce: get("nonce")?,
        code_challenge: challenge,
        dpop_jkt: dpop_jkt(&get)?,
        prompts: prompts(get("prompt")?.as_deref())?,
        max_age: max_age(get("max_age")?.as_deref())?,
        login_hint: get("login_hint")?,
        domain_hint: one_of(&get, &["domain_hint", "whr"])?,
        connection: connection(&get)?,
        organization: organization::asked(&get)?,
        invitation: one_of(&get, &["invitation", "invitation_token"])?,
        ui_locales: get("ui_locales")?,
        response_mode: response_mode(&get)?,
        claims: claims_parameter::read(whole("claims")?, get("acr_values")?.as_deref())?,
        resources: resource::asked(params)?,
    })
}

fn refuse_what_is_not_supported(get: &Get<'_>) -> Result<(), OAuthError> {
    if get("registration")?.is_some() {
        return Err(OAuthError::registration_not_supported("registration is not supported"));
    }
    match get("response_type")?.as_deref() {
        Some("code") => Ok(()),
        None => Err(OAuthError::invalid_request("response_type is missing")),
        Some(_) => Err(OAuthError::unsupported_response_type("only response_type=code is supported")),
    }
}

fn response_mode(get: &Get<'_>) -> Result<Option<ResponseMode>, OAuthError> {
    let word = get("response_mode")?;
    word.map(|word| {
        ResponseMode::from_word(&word)
            .ok_or_else(|| OAuthError::invalid_request("response_mode is none that is supported"))
    })
    .transpose()
}

fn code_challenge(get: &Get<'_>) -> Result<Option<String>, OAuthError> {
    match (get("code_challenge")?, get("code_challenge_method")?.as_deref()) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(OAuthError::invalid_request("code_challenge_method without code_challenge")),
        (Some(challenge), Some("S256")) if pkce::is_challenge(&challenge) => Ok(Some(challenge)),
        (Some(_), Some("S256")) => {
            Err(OAuthError::invalid_request("code_challenge is not 32 bytes in base64url"))
        }
        (Some(_), _) => Err(OAuthError::invalid_request("code_challenge_method must be S256")),
    }
}

fn dpop_jkt(get: &Get<'_>) -> Result<Option<String>, OAuthError> {
    match get("dpop_jkt")? {
        Some(jkt) if !dpop::is_thumbprint(&jkt) => {
            Err(OAuthError::invalid_request("dpop_jkt is not 32 bytes in base64url"))
        }
        jkt => Ok(jkt),
    }
}

fn prompts(text: Option<&str>) -> Result<Vec<String>, OAuthError> {
    let words: Vec<String> =
        text.unwrap_or_default().split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
    if words.iter().any(|word| !PROMPTS.contains(&word.as_str())) {
        return Err(OAuthError::invalid_request("prompt has an unknown value"));
    }
    if words.len() > 1 && words.iter().any(|word| word == "none") {
        return Err(OAuthError::invalid_request("prompt=none stands alone"));
    }
    Ok(words)
}

fn max_age(text: Option<&str>) -> Result<Option<u64>, OAuthError> {
    text.map(|digits| {
        let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u32>().ok().filter(|_| all_digits).map(u64::from)
    })
    .map(|seconds| seconds.ok_or_else(|| OAuthError::invalid_request("max_age is not a number of seconds")))
    .transpose()
}

/// Names under which other products' clients ask for a connection.
fn connection(get: &Get<'_>) -> Result<Option<String>, OAuthError> {
    let direct = match get("direct_sign_in")? {
        None => None,
        Some(value) => match value.strip_prefix("sso:") {
            Some(id) => Some(id.to_owned()),
            None => return Err(OAuthError::invalid_request("direct_sign_in is not sso:<connection>")),
        },
    };
    let named = one_of(get, &["connection", "kc_idp_hint", "idp_hint", "connector_id", "provider"])?;
    match (direct, named) {
        (Some(one), Some(other)) if one != other => {
            Err(OAuthError::invalid_request("two different connections are asked for"))
        }
        (one, other) => Ok(one.or(other)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(query: &str) -> Result<Request, OAuthError> {
        request(&Params::parse(query.as_bytes()).unwrap())
    }

    #[test]
    fn a_plain_request_is_read() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let query = format!(
            "response_type=code&scope=openid+email&nonce=n&max_age=60&prompt=login+consent&organization=acme&code_challenge={challenge}&code_challenge_method=S256"
        );
        let request = read(&query).unwrap();
        assert_eq!(request.scopes, ["openid", "email"]);
        assert_eq!((request.max_age, request.prompts.len()), (Some(60), 2));
        assert_eq!(request.organization.as_ref().map(NamedOrganization::name), Some("acme"));
        assert_eq!(request.code_challenge.as_deref(), Some(challenge));
    }

    #[test]
    fn each_fault_has_its_own_error() {
        for (query, code) in [
            ("scope=openid", "invalid_request"),
            ("response_type=token&scope=openid", "unsupported_response_type"),
            ("response_type=code", "invalid_scope"),
            ("response_type=code&scope=a%22b", "invalid_scope"),
            ("response_type=code&scope=openid&response_mode=web_message", "invalid_request"),
            ("response_type=code&scope=openid&claims=x", "invalid_request"),
            ("response_type=code&scope=openid&resource=x", "invalid_target"),
            ("response_type=code&scope=openid&registration=x", "registration_not_supported"),
            ("response_type=code&scope=openid&prompt=none+login", "invalid_request"),
            ("response_type=code&scope=openid&prompt=dance", "invalid_request"),
            ("response_type=code&scope=openid&max_age=-1", "invalid_request"),
            ("response_type=code&scope=openid&max_age=%2B1", "invalid_request"),
            ("response_type=code&scope=openid&organization=a&organization_id=b", "invalid_request"),
            ("response_type=code&scope=openid&invitation=a&invitation_token=b", "invalid_request"),
            ("response_type=code&scope=openid&scope=email", "invalid_request"),
            ("response_type=code&scope=openid&anything=1&anything=2", "invalid_request"),
            ("response_type=code&scope=openid&code_challenge_method=S256", "invalid_request"),
            ("response_type=code&scope=openid&direct_sign_in=social:x", "invalid_request"),
            // H22: a downgrade to `plain`, spoken or by default.
            (
                "response_type=code&scope=openid&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
                "invalid_request",
            ),
            (
                "response_type=code&scope=openid&code_challenge=x&code_challenge_method=plain",
                "invalid_request",
            ),
            (
                "response_type=code&scope=openid&code_challenge=short&code_challenge_method=S256",
                "invalid_request",
            ),
        ] {
            assert_eq!(read(query).unwrap_err().code, code, "{query}");
        }
    }
}
