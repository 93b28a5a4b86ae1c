//! What an application's settings may not say: which, and why.

use super::{ApplicationKind, ApplicationSettings, GrantType, SubjectType};
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::redirect_uri::RedirectUri;

impl ApplicationSettings {
    /// Why it may not be allowed these ways to tokens.
    pub fn grant_types_fault(&self) -> Option<String> {
        let possible = self.kind.grant_types();
        if let Some(other) = self.grant_types.iter().find(|one| !possible.contains(one)) {
            return Some(format!("a {} application has no use for {other}", self.kind));
        }
        if self.is_public() && self.may_use(GrantType::ClientCredentials) {
            return Some("client_credentials is for who can prove who it is".to_owned());
        }
        // Whoever is shown an access token of it could have it exchanged in its name.
        if self.is_public() && self.may_use(GrantType::TokenExchange) {
            return Some("token-exchange is for who can prove who it is".to_owned());
        }
        GrantType::orphan_fault(&self.grant_types).map(str::to_owned)
    }

    /// What is wrong about where its keys are: which setting, and why.
    pub fn keys_fault(&self) -> Option<(&'static str, &'static str)> {
        let (needed, uri) = (self.authentication.has_keys(), self.client.jwks_uri.is_some());
        match (needed, self.jwks.is_some(), uri) {
            (true, false, false) => Some(("jwks", "this method needs the public keys")),
            (_, true, true) => Some(("jwks_uri", "the keys are here, or there: not both")),
            _ => None,
        }
    }
    /// What its security profile does not bear: which setting, and why.
    pub fn profile_fault(&self) -> Option<(&'static str, &'static str)> {
        if !self.is_fapi2() {
            return None;
        }
        let proves = self.authentication == Method::PrivateKeyJwt || self.authentication.is_by_certificate();
        let bound =
            self.sender.dpop_bound_access_tokens || self.sender.tls_client_certificate_bound_access_tokens;
        let signs_in = self.may_use(GrantType::AuthorizationCode);
        let is_https = |uri: &RedirectUri| uri.as_str().starts_with("https://");
        [
            (proves, "token_endpoint_auth_method", "fapi2 needs private_key_jwt, or a certificate"),
            (
                bound,
                "dpop_bound_access_tokens",
                "fapi2 needs tokens that are bound to a key or a certificate",
            ),
            (
                !signs_in || self.requests.require_pushed,
                "require_pushed_authorization_requests",
                "fapi2 needs requests that are pushed",
            ),
            (self.redirect_uris.iter().all(is_https), "redirect_uris", "fapi2 needs https"),
            (self.may_sign_by(self.algorithm), "signing_algorithm", "fapi2 needs ES256 or EdDSA"),
            (
                self.client.userinfo_algorithm.is_none_or(|one| self.may_sign_by(one)),
                "userinfo_signed_response_alg",
                "fapi2 needs ES256 or EdDSA",
            ),
            (
                self.requests.response_algorithm.is_none_or(|one| self.may_sign_by(one)),
                "authorization_signed_response_alg",
                "fapi2 needs ES256 or EdDSA",
            ),
        ]
        .into_iter()
        .find_map(|(holds, name, why)| (!holds).then_some((name, why)))
    }
    /// What is wrong about what people are called: which setting, and why.
    pub fn subject_fault(&self) -> Option<(&'static str, &'static str)> {
        if self.client.subject_type == SubjectType::Public {
            return None;
        }
        if self.kind == ApplicationKind::Machine {
            return Some(("subject_type", "who signs nobody in has nobody to call by a name"));
        }
        let unclear = "the redirect URIs are not all of one host of the application's own: this says which are of one sector";
        self.sector().is_none().then_some(("sector_identifier_uri", unclear))
    }
}
