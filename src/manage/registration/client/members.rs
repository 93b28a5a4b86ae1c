//! The members of a registration, each read as what it must be.

use serde_json::{Map, Value};

use crate::protocol::oauth::error::OAuthError;

/// The members of a registration.
pub struct Metadata(Map<String, Value>);

impl Metadata {
    pub fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// What is there; `null` is as if it were not (RFC 7592, section 2.2).
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub fn text(&self, name: &str) -> Result<Option<String>, OAuthError> {
        let text =
            |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| wrong(name, "must be a text"));
        self.get(name).map(text).transpose()
    }

    pub fn flag(&self, name: &str) -> Result<bool, OAuthError> {
        let flag = |value: &Value| value.as_bool().ok_or_else(|| wrong(name, "must be true or false"));
        self.get(name).map_or(Ok(false), flag)
    }

    pub fn seconds(&self, name: &str) -> Result<Option<u64>, OAuthError> {
        let seconds =
            |value: &Value| value.as_u64().ok_or_else(|| wrong(name, "must be a number of seconds"));
        self.get(name).map(seconds).transpose()
    }

    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, OAuthError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let list = value.as_array().and_then(|all| {
            all.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        list.map(Some).ok_or_else(|| wrong(name, "must be a list of texts"))
    }

    /// One word of a closed set.
    pub fn word<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, OAuthError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        read(&text).map(Some).ok_or_else(|| wrong(name, "is not supported"))
    }
}

/// What is wrong with a member; of redirect URIs by a code of their own (RFC 7591, section 3.2.2).
pub fn wrong(name: &str, why: &str) -> OAuthError {
    // A description holds neither quotes nor backslashes (RFC 6749, section 5.2).
    let text = format!("{name} {why}").replace(['"', '\\'], "'");
    match name {
        "redirect_uris" => OAuthError::invalid_redirect_uri(text),
        _ => OAuthError::invalid_client_metadata(text),
    }
}
