//! A token request with an authorization code (RFC 6749, section 4.1.3), and its answer (section 5.1).

use serde::Serialize;

use super::error::OAuthError;
use super::params::Params;

#[derive(Clone, Debug)]
pub struct CodeRequest {
    pub code: String,
    pub redirect_uri: Option<String>,
    pub code_verifier: Option<String>,
}

/// Reads the body. Duplicated parameters are refused whatever their name.
pub fn code_request(params: &Params) -> Result<CodeRequest, OAuthError> {
    let invalid = |error: super::params::ParamsError| OAuthError::invalid_request(error.to_string());
    if let Some(error) = params.twice() {
        return Err(invalid(error));
    }
    match params.get("grant_type").map_err(invalid)? {
        Some("authorization_code") => {}
        None => return Err(OAuthError::invalid_request("grant_type is missing")),
        Some(_) => return Err(OAuthError::unsupported_grant_type("only authorization_code is supported")),
    }
    let get = |name| params.get(name).map(|value| value.map(str::to_owned)).map_err(invalid);
    Ok(CodeRequest {
        code: get("code")?.ok_or_else(|| OAuthError::invalid_request("code is missing"))?,
        redirect_uri: get("redirect_uri")?,
        code_verifier: get("code_verifier")?,
    })
}

#[derive(Debug, Serialize)]
pub struct TokenAnswer {
    pub access_token: String,
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    pub scope: String,
}
