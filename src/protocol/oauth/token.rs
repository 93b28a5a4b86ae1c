//! Token requests (RFC 6749, sections 4.1.3 and 6), and their answer (section 5.1).

use serde::Serialize;

use super::error::OAuthError;
use super::organization::{self, NamedOrganization};
use super::params::{Params, ParamsError};
use super::{device, exchange, resource, scope};

/// What is presented for tokens.
#[derive(Clone, Debug)]
pub enum TokenRequest {
    Code(CodeRequest),
    Refresh(RefreshRequest),
    ClientCredentials(ClientCredentialsRequest),
    Device(DeviceRequest),
    Exchange(exchange::Request),
}

#[derive(Clone, Debug)]
pub struct CodeRequest {
    pub code: String,
    pub redirect_uri: Option<String>,
    pub code_verifier: Option<String>,
    /// For which audiences the token is to be; empty: for all that were granted.
    pub resources: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct RefreshRequest {
    pub refresh_token: String,
    /// What the new tokens shall be for; absent: all that the family was granted.
    pub scopes: Option<Vec<String>>,
    /// Whom the person wants to act for from now on, by id or slug.
    pub organization: Option<NamedOrganization>,
    /// Whether the family that they leave ends.
    pub replace: bool,
    /// For which audiences the token is to be; empty: for all that were granted.
    pub resources: Vec<String>,
}

/// An application asks for itself (section 4.4).
#[derive(Clone, Debug)]
pub struct ClientCredentialsRequest {
    pub scopes: Vec<String>,
    /// In which organization it is to work, by id or slug.
    pub organization: Option<NamedOrganization>,
    /// For which audiences the token is to be; empty: for all that it has.
    pub resources: Vec<String>,
}

/// A device asks whether it has been let in (RFC 8628, section 3.4).
#[derive(Clone, Debug)]
pub struct DeviceRequest {
    pub device_code: String,
    /// For which audiences the token is to be; empty: for all that it has.
    pub resources: Vec<String>,
}

/// Reads the body. Duplicated parameters are refused whatever their name.
pub fn token_request(params: &Params) -> Result<TokenRequest, OAuthError> {
    if let Some(error) = params.twice() {
        return Err(invalid(error));
    }
    match params.get("grant_type").map_err(invalid)? {
        Some("authorization_code") => code_request(params).map(TokenRequest::Code),
        Some("refresh_token") => refresh_request(params).map(TokenRequest::Refresh),
        Some("client_credentials") => client_credentials_request(params).map(TokenRequest::ClientCredentials),
        Some(device::GRANT_TYPE) => {
            let (device_code, resources) = (needed(params, "device_code")?, resource::asked(params)?);
            Ok(TokenRequest::Device(DeviceRequest { device_code, resources }))
        }
        Some(exchange::GRANT_TYPE) => exchange::request(params).map(TokenRequest::Exchange),
        None => Err(OAuthError::invalid_request("grant_type is missing")),
        Some(_) => Err(OAuthError::unsupported_grant_type("the metadata tells which grant types there are")),
    }
}

fn invalid(error: ParamsError) -> OAuthError {
    OAuthError::invalid_request(error.to_string())
}

fn get(params: &Params, name: &'static str) -> Result<Option<String>, OAuthError> {
    params.get(name).map(|value| value.map(str::to_owned)).map_err(invalid)
}

fn needed(params: &Params, name: &'static str) -> Result<String, OAuthError> {
    get(params, name)?.ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
}

fn code_request(params: &Params) -> Result<CodeRequest, OAuthError> {
    Ok(CodeRequest {
        code: needed(params, "code")?,
        redirect_uri: get(params, "redirect_uri")?,
        code_verifier: get(params, "code_verifier")?,
        resources: resource::asked(params)?,
    })
}

fn refresh_request(params: &Params) -> Result<RefreshRequest, OAuthError> {
    let replace = match get(params, "replace")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(OAuthError::invalid_request("replace is neither true nor false")),
    };
    let organization = named_organization(params)?;
    if replace && organization.is_none() {
        return Err(OAuthError::invalid_request("replace is for switching the organization"));
    }
    Ok(RefreshRequest {
        refresh_token: needed(params, "refresh_token")?,
        scopes: scopes(params)?,
        organization,
        replace,
        resources: resource::asked(params)?,
    })
}

fn client_credentials_request(params: &Params) -> Result<ClientCredentialsRequest, OAuthError> {
    Ok(ClientCredentialsRequest {
        scopes: scopes(params)?.unwrap_or_default(),
        organization: named_organization(params)?,
        resources: resource::asked(params)?,
    })
}

fn named_organization(params: &Params) -> Result<Option<NamedOrganization>, OAuthError> {
    organization::asked(&|name| params.get(name).map(|value| value.map(str::to_owned)).map_err(invalid))
}

fn scopes(params: &Params) -> Result<Option<Vec<String>>, OAuthError> {
    let Some(text) = get(params, "scope")? else { return Ok(None) };
    let scopes = scope::split(&text).ok_or_else(|| OAuthError::invalid_scope("scope is malformed"))?;
    Ok(Some(scopes.into_iter().map(str::to_owned).collect()))
}

#[derive(Debug, Serialize)]
pub struct TokenAnswer {
    pub access_token: String,
    /// Of what came of an exchange (RFC 8693, section 2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<&'static str>,
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(body: &str) -> Result<TokenRequest, &'static str> {
        token_request(&Params::parse(body.as_bytes()).unwrap()).map_err(|error| error.code)
    }

    #[test]
    fn a_refresh_is_read_and_each_fault_has_its_own_error() {
        let TokenRequest::Refresh(read_request) = read(
            "grant_type=refresh_token&refresh_token=rt&scope=openid+email&organization=acme&replace=true",
        )
        .unwrap() else {
            panic!("no refresh")
        };
        assert_eq!(read_request.scopes.unwrap(), ["openid", "email"]);
        assert_eq!(
            (read_request.organization.as_ref().map(NamedOrganization::name), read_request.replace),
            (Some("acme"), true)
        );
        for (body, code) in [
            ("refresh_token=rt", "invalid_request"),
            ("grant_type=refresh_token", "invalid_request"),
            ("grant_type=refresh_token&refresh_token=", "invalid_request"),
            ("grant_type=refresh_token&refresh_token=a&refresh_token=b", "invalid_request"),
            ("grant_type=refresh_token&refresh_token=a&scope=a%22b", "invalid_scope"),
            ("grant_type=refresh_token&refresh_token=a&replace=true", "invalid_request"),
            ("grant_type=refresh_token&refresh_token=a&organization=acme&replace=yes", "invalid_request"),
            ("grant_type=refresh_token&refresh_token=a&organization_id=acme", "invalid_request"),
            ("grant_type=refresh_token&refresh_token=a&organization=a&organization_id=b", "invalid_request"),
            ("grant_type=refresh_token&refresh_token=a&resource=x", "invalid_target"),
            ("grant_type=password", "unsupported_grant_type"),
        ] {
            assert_eq!(read(body).unwrap_err(), code, "{body}");
        }
    }
}
