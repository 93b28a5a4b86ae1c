//! How an application asks, and how it is answered.

use serde::{Deserialize, Serialize};

use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::redirect_uri::RequestUri;
use crate::protocol::oauth::response_mode::ResponseMode;

/// How an application's authorization requests may come, and their answers go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthorizationSettings {
    /// Whether each must be pushed beforehand (RFC 9126, section 6).
    pub require_pushed: bool,
    /// Whether each must be signed (RFC 9101, section 10.5).
    pub require_signed: bool,
    /// Whether each must bring a challenge for its code (RFC 7636), though the client can prove who it is.
    pub require_pkce: bool,
    /// Where signed ones may be fetched (RFC 9101, section 5.2).
    pub request_uris: Vec<RequestUri>,
    /// How an answer may travel; never none.
    pub response_modes: Vec<ResponseMode>,
    /// Signs answers that travel signed (JARM, section 3); absent: what signs its tokens.
    #[serde(rename = "authorization_signed_response_alg", skip_serializing_if = "Option::is_none")]
    pub response_algorithm: Option<Algorithm>,
    /// Seconds that a proof of who somebody is may be old, where the request does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u64>,
    /// Whether it wants to know when people proved who they are; it is told that anyway.
    pub require_auth_time: bool,
}

impl Default for AuthorizationSettings {
    fn default() -> Self {
        Self {
            require_pushed: false,
            require_signed: false,
            require_pkce: false,
            request_uris: Vec::new(),
            response_modes: ResponseMode::USUAL.to_vec(),
            response_algorithm: None,
            default_max_age: None,
            require_auth_time: false,
        }
    }
}

impl AuthorizationSettings {
    pub const MOST_URIS: usize = 20;
    /// As of `max_age`.
    pub const LONGEST_AGE: u64 = u32::MAX as u64;

    /// What cannot be: which, and why.
    pub fn fault(&self, has_keys: bool) -> Option<(&'static str, String)> {
        let signs = [
            ("require_signed_request_object", self.require_signed),
            ("request_uris", !self.request_uris.is_empty()),
        ];
        if let Some((name, _)) = signs.into_iter().find(|(_, wanted)| *wanted && !has_keys) {
            return Some((
                name,
                "needs the public keys by which requests are signed: jwks or jwks_uri".to_owned(),
            ));
        }
        if self.request_uris.len() > Self::MOST_URIS {
            return Some(("request_uris", format!("must be at most {}", Self::MOST_URIS)));
        }
        if self.default_max_age.is_some_and(|seconds| seconds > Self::LONGEST_AGE) {
            return Some(("default_max_age", format!("must be at most {} seconds", Self::LONGEST_AGE)));
        }
        let modes = &self.response_modes;
        if modes.is_empty() {
            return Some(("response_modes", "must name at least one: nobody could be sent back".to_owned()));
        }
        let twice = (1..modes.len()).any(|place| modes[..place].contains(&modes[place]));
        twice.then(|| ("response_modes", "names one twice".to_owned()))
    }

    /// How an answer travels whose request does not say it, or says what may not be.
    pub fn usual_response_mode(&self) -> ResponseMode {
        let query = ResponseMode::Query;
        if self.response_modes.contains(&query) {
            query
        } else {
            self.response_modes.first().copied().unwrap_or(query)
        }
    }
}
