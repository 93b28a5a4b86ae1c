//! The parameter by which an application asks for an organization, at whatever endpoint.

use super::error::OAuthError;
use crate::foundation::id::OrganizationId;

/// How a parameter is read.
pub type Get<'a> = dyn Fn(&str) -> Result<Option<String>, OAuthError> + 'a;

/// `organization`, or its alias `organization_id`, which takes ids only.
pub fn asked(get: &Get<'_>) -> Result<Option<String>, OAuthError> {
    if get("organization_id")?.is_some_and(|id| id.parse::<OrganizationId>().is_err()) {
        return Err(OAuthError::invalid_request("organization_id is no id of an organization"));
    }
    one_of(get, &["organization", "organization_id"])
}

/// The value that several spellings of one parameter agree on.
pub fn one_of(get: &Get<'_>, names: &[&str]) -> Result<Option<String>, OAuthError> {
    let mut found: Option<String> = None;
    for name in names {
        match (&found, get(name)?) {
            (Some(one), Some(other)) if *one != other => {
                return Err(OAuthError::invalid_request(format!("{} and {name} disagree", names[0])));
            }
            (None, Some(value)) => found = Some(value),
            _ => {}
        }
    }
    Ok(found)
}
