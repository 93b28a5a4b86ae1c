//! The protocol's own errors (RFC 6749, sections 4.1.2.1 and 5.2; OpenID Connect Core, section 3.1.2.6).

use std::borrow::Cow;

use super::client_authentication::Unproved;

/// An error code and a description for the developer: printable ASCII without `"` and `\`. Codes of which no standard
/// knows are those that other brokers use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct OAuthError {
    pub code: &'static str,
    pub description: Cow<'static, str>,
    /// Which check failed, where the answer does not tell: for the trail alone.
    pub check: Option<Unproved>,
}

macro_rules! codes {
    ($($name:ident),+ $(,)?) => {$(
        pub fn $name(description: impl Into<Cow<'static, str>>) -> Self {
            let description: Cow<'static, str> = description.into();
            debug_assert_ne!(description, stringify!($name), "it says no more than the code");
            Self { code: stringify!($name), description, check: None }
        }
    )+};
}

impl OAuthError {
    codes! {
        invalid_request, unauthorized_client, access_denied, unsupported_response_type, invalid_scope, server_error,
        temporarily_unavailable, invalid_client, invalid_grant, unsupported_grant_type, interaction_required,
        login_required, consent_required, registration_not_supported, invalid_token, insufficient_scope, unsupported_token_type,
        invalid_redirect_uri, invalid_client_metadata, unapproved_software_statement, invalid_request_object,
        invalid_request_uri, invalid_target, unmet_authentication_requirements, organization_selection_required,
        sso_required, mfa_required, invalid_dpop_proof, use_dpop_nonce, authorization_pending, slow_down, expired_token,
    }

    /// The same answer, of which the trail tells more.
    #[must_use]
    pub fn because(self, check: Unproved) -> Self {
        Self { check: Some(check), ..self }
    }
}
