//! Every way in which a login can end badly: one table of what the log, the visitor and the application are told.

use std::borrow::Cow;

use http::StatusCode;

use crate::foundation::email::Email;
use crate::join::auto::WhyNot;
use crate::join::invited::NotAccepted;
use crate::model::identity::Naming;
use crate::protocol::oauth::client_authentication::Unproved;
use crate::protocol::oauth::error::OAuthError;
use crate::web::templates::Problem;

/// Why a login does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    // Before it is known that the application may be answered.
    UnknownApplication,
    BadRedirectUri,
    BadRequest(String),
    /// The flow is unknown, too old, or was begun in another browser.
    FlowExpired,
    /// A form that was not posted from our own page.
    ForeignForm,
    /// A link to try a connection has been used, or is none.
    TrialOver,
    TooManyRequests,
    /// So many logins are under way that one more would cost somebody theirs.
    Crowded,
    // Told to the application at once.
    Protocol(OAuthError),
    LoginRequired,
    SelectionRequired,
    /// The connection that was asked for does not exist, is not in use, or is not for this application.
    ConnectionNotAllowed,
    Cancelled,
    // On the way to the identity provider and back.
    EmailInvalid,
    OrganizationNameInvalid,
    NoIdentityProvider,
    /// What they picked is unknown, not in use any more, or none of the ways in here: nobody is told which.
    ConnectionNotOffered,
    IdpUnreachable(&'static str),
    /// It answers, and says of itself what cannot be believed. To everybody but its own trail that is the same.
    IdpUnusable(&'static str),
    /// It sent the person back with this error (RFC 6749, section 4.1.2.1).
    IdpRefused(String),
    /// Its token endpoint answered with this error (RFC 6749, section 5.2).
    TokenRefused(String),
    IdpAnswerInvalid(&'static str),
    /// It did not say when the person proved who they are, as whoever is asked for `max_age` must (OpenID Connect Core,
    /// section 2): so nobody knows whether they did so anew.
    AuthTimeMissing,
    /// They did not prove who they are in a way that the application cannot do without.
    AcrUnmet,
    /// A SAML message came by a way that we do not speak.
    BindingUnsupported,
    /// A SAML message failed this check.
    AssertionRefused(&'static str),
    /// An answer to a sign-out failed this check: nobody knows whether the identity provider did it.
    SignOutUnconfirmed(&'static str),
    /// A request to sign out failed this check: nobody is signed out by it, and nobody sent back.
    SignOutRefused(&'static str),
    /// A provider's logout token failed this check.
    LogoutTokenRefused(&'static str),
    EmailDomainNotAllowed,
    EmailInUse,
    /// Somebody is known by the same text, which is a name of this kind: another one than it is now.
    SubjectKind(Box<Naming>),
    NotExpected(Box<Newcomer>),
    ConnectionChanged,
    /// The identity provider has ended, since, what its answer tells of.
    SignedOutThere,
    // By an invitation.
    InvitationUnknown,
    /// Used, taken back or run out, or its organization is not active.
    InvitationOver,
    InvitationForAnother,
    InviterLostRights,
    InvitationBlocked,
    /// In an exclusive project.
    BelongsElsewhere,
    // The checks of the mint pipeline.
    ProjectDisabled,
    ApplicationDisabled,
    UserDisabled,
    SessionEnded,
    ConnectionInactive,
    NoOrganization,
    OrganizationNotAllowed,
    /// What was picked is not on the page.
    ChoiceNotOffered,
    /// What was given is for an organization, and the application is told of none.
    OrganizationsNotUsed,
    OrganizationInactive,
    /// It was deactivated after something was given for it, and is active again: that stays over (S0-30).
    OrganizationWasInactive,
    MembershipInactive,
    DelegationInactive,
    ApplicationNotAllowed,
    SsoRequired,
    MethodNotAllowed,
    DelegationNotAccepted,
    MfaRequired,
    AuthenticationTooOld,
    /// The organization lets no devices in.
    DeviceNotAllowed,
    /// An application of others is to be told of the person, who has not said that it may.
    ConsentRequired,
    /// They have said that it may not.
    ConsentDenied,
    // Of a device that waits.
    /// No device shows the code that somebody typed, or not any more.
    UserCodeUnknown,
    /// It was answered before, or it is too late.
    DeviceOver,
}

/// Somebody whom nobody lets in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Newcomer {
    /// Theirs, in a domain of the organization's own: its administrators may know who asks (demands 29).
    pub email: Option<Email>,
    /// By their domain they would have joined, but for this (S1-D7 to S1-D10).
    pub why: Option<WhyNot>,
}

impl Refusal {
    /// What the audit event, the metric and the log call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnknownApplication => "unknown_application",
            Self::BadRedirectUri => "bad_redirect_uri",
            Self::BadRequest(_) => "bad_request",
            Self::FlowExpired => "flow_expired",
            Self::ForeignForm => "foreign_form",
            Self::TrialOver => "trial_over",
            Self::TooManyRequests => "too_many_requests",
            Self::Crowded => "too_many_logins",
            Self::Protocol(error) => error.code,
            Self::LoginRequired => "login_required",
            Self::SelectionRequired => "organization_selection_required",
            Self::ConnectionNotAllowed => "connection_not_allowed",
            Self::Cancelled => "cancelled",
            Self::EmailInvalid => "email_invalid",
            Self::OrganizationNameInvalid => "organization_name_invalid",
            Self::NoIdentityProvider => "no_identity_provider",
            Self::ConnectionNotOffered => "connection_not_offered",
            Self::IdpUnreachable(_) => "idp_unreachable",
            Self::IdpRefused(error) if is_outage(error) => "idp_failed",
            Self::IdpRefused(_) => "idp_refused",
            Self::TokenRefused(error) => match error.as_str() {
                "invalid_client" => "token_endpoint_invalid_client",
                "invalid_grant" => "token_endpoint_invalid_grant",
                _ => "token_endpoint_refused",
            },
            Self::IdpUnusable(why)
            | Self::IdpAnswerInvalid(why)
            | Self::AssertionRefused(why)
            | Self::SignOutUnconfirmed(why)
            | Self::SignOutRefused(why)
            | Self::LogoutTokenRefused(why) => why,
            Self::AuthTimeMissing => "auth_time_missing",
            Self::AcrUnmet => "acr_unmet",
            Self::BindingUnsupported => "binding_unsupported",
            Self::EmailDomainNotAllowed => "email_domain_not_allowed",
            Self::EmailInUse => "email_in_use_by_other_identity",
            Self::SubjectKind(_) => "subject_kind",
            Self::NotExpected(_) => "not_expected",
            Self::ConnectionChanged => "connection_changed",
            Self::SignedOutThere => "signed_out_there",
            Self::InvitationUnknown => "invitation_unknown",
            Self::InvitationOver => "invitation_over",
            Self::InvitationForAnother => "wrong_account",
            Self::InviterLostRights => "inviter_lost_rights",
            Self::InvitationBlocked => "membership_blocked",
            Self::BelongsElsewhere => "membership_exclusive",
            Self::ProjectDisabled => "project_disabled",
            Self::ApplicationDisabled => "application_disabled",
            Self::UserDisabled => "user_disabled",
            Self::SessionEnded => "session_ended",
            Self::ConnectionInactive => "connection_inactive",
            Self::NoOrganization => "no_organization",
            Self::OrganizationNotAllowed => "organization_not_allowed",
            Self::ChoiceNotOffered => "choice_not_offered",
            Self::OrganizationsNotUsed => "organizations_not_used",
            Self::OrganizationInactive => "organization_inactive",
            Self::OrganizationWasInactive => "organization_was_inactive",
            Self::MembershipInactive => "membership_inactive",
            Self::DelegationInactive => "delegation_inactive",
            Self::ApplicationNotAllowed => "application_not_allowed",
            Self::SsoRequired => "sso_required",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::DelegationNotAccepted => "delegation_not_accepted",
            Self::MfaRequired => "mfa_required",
            Self::AuthenticationTooOld => "authentication_too_old",
            Self::DeviceNotAllowed => "device_not_allowed",
            Self::ConsentRequired => "consent_required",
            Self::ConsentDenied => "consent_denied",
            Self::UserCodeUnknown => "user_code_unknown",
            Self::DeviceOver => "device_code_over",
        }
    }

    /// Whether other settings of the connection could have avoided it, when the provider itself has answered: what is
    /// wrong is neither the person, nor the provider's being away, nor what a stranger may have brought along.
    pub fn is_of_the_settings(&self) -> bool {
        match self {
            // A code that was given to another login: by whoever brought it here.
            Self::IdpAnswerInvalid(why) => {
                !matches!(*why, "nonce_mismatch" | "code_missing" | "connection_mismatch")
            }
            Self::AssertionRefused(why) => !matches!(*why, "replayed" | "connection" | "relay_state"),
            Self::TokenRefused(_) | Self::EmailDomainNotAllowed | Self::SubjectKind(_) => true,
            _ => false,
        }
    }

    /// Whether it tells how somebody stands to an organization, or what that one wants of them.
    pub fn is_of_an_organization(&self) -> bool {
        matches!(
            self,
            Self::ConnectionInactive
                | Self::NoOrganization
                | Self::OrganizationNotAllowed
                | Self::OrganizationInactive
                | Self::OrganizationWasInactive
                | Self::MembershipInactive
                | Self::DelegationInactive
                | Self::ApplicationNotAllowed
                | Self::SsoRequired
                | Self::MethodNotAllowed
                | Self::DelegationNotAccepted
                | Self::MfaRequired
                | Self::AuthenticationTooOld
        )
    }

    /// What exactly could not be reached, for the audit event and the log.
    pub fn unreachable(&self) -> Option<&'static str> {
        match self {
            Self::IdpUnreachable(what) => Some(what),
            _ => None,
        }
    }

    /// The error code by which the provider itself said no, for the audit event and the log; it is printable and short.
    pub fn idp_error(&self) -> Option<&str> {
        match self {
            Self::IdpRefused(error) | Self::TokenRefused(error) => Some(error),
            _ => None,
        }
    }

    /// What is wrong with a request, for the developer who sees the page of it.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::BadRequest(why) => Some(format!("invalid_request: {why}")),
            Self::Protocol(error) => Some(error.to_string()),
            _ => None,
        }
    }

    /// Which check failed of a proof that the answer tells nothing of, for the audit event.
    pub fn check(&self) -> Option<&'static str> {
        match self {
            Self::Protocol(error) => error.check.map(Unproved::word),
            _ => None,
        }
    }

    /// What would have been taken instead, for the administrator of the connection whose answer is refused.
    pub fn wanted(&self) -> Cow<'static, str> {
        let wanted = match self {
            Self::SubjectKind(kind) => {
                return format!(
                    "{kind}, by which somebody is known; the same person, if an owner says so: \
                     POST /connections/{{id}}/relink/names"
                )
                .into();
            }
            Self::EmailDomainNotAllowed => {
                "an address within a domain that is verified now and routed to this connection"
            }
            Self::EmailInUse => {
                "an address that no other identity has; whoever is called otherwise by the provider now, an owner leads on: \
                 POST /connections/{id}/relink/people/{user_id}"
            }
            Self::OrganizationInactive => "an organization that is active",
            Self::NotExpected(_) => "somebody who is expected as a member",
            Self::UserDisabled => "somebody whose user is not disabled",
            Self::ConnectionChanged => "the connection as it was when the login began",
            Self::SignedOutThere => "an answer that was issued after the provider signed the person out",
            Self::AssertionRefused("replayed") => "an assertion that was not used before",
            Self::TooManyRequests => "as many messages as the limit allows; try again in a minute",
            Self::Crowded => "as many logins at once as there is room for",
            _ => "an answer that may sign somebody in",
        };
        wanted.into()
    }

    /// What a developer reads of it beside the error of the protocol.
    pub fn description(&self) -> &'static str {
        match self {
            Self::ConsentRequired => "the person has not allowed this application to be told of them",
            Self::ConsentDenied => "the person does not allow this application to be told of them",
            Self::SessionEnded => {
                "the session that this was given in is over: the person has to sign in again"
            }
            Self::SignedOutThere => {
                "the identity provider has signed the person out meanwhile: they have to sign in again"
            }
            Self::OrganizationsNotUsed => "this application does not use organizations",
            Self::OrganizationWasInactive => {
                "the organization was deactivated after this was given: the person has to sign in again"
            }
            other => other.name(),
        }
    }

    /// What the visitor is told, and with which status.
    pub fn visitor(&self) -> (StatusCode, Problem) {
        use Problem as P;
        match self {
            Self::UnknownApplication => (StatusCode::BAD_REQUEST, P::UnknownApplication),
            Self::BadRedirectUri => (StatusCode::BAD_REQUEST, P::BadRedirectUri),
            Self::BadRequest(_) | Self::Protocol(_) | Self::ConnectionNotAllowed => {
                (StatusCode::BAD_REQUEST, P::BadRequest)
            }
            Self::FlowExpired | Self::ForeignForm => (StatusCode::FORBIDDEN, P::FlowExpired),
            Self::TrialOver => (StatusCode::GONE, P::TrialOver),
            Self::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, P::TooManyRequests),
            Self::Crowded => (StatusCode::SERVICE_UNAVAILABLE, P::TooManyRequests),
            Self::EmailInvalid => (StatusCode::UNPROCESSABLE_ENTITY, P::EmailInvalid),
            Self::OrganizationNameInvalid => (StatusCode::UNPROCESSABLE_ENTITY, P::OrganizationNameInvalid),
            Self::LoginRequired
            | Self::SelectionRequired
            | Self::Cancelled
            | Self::ConsentRequired
            | Self::ConsentDenied => (StatusCode::FORBIDDEN, P::FlowExpired),
            Self::AuthenticationTooOld => (StatusCode::FORBIDDEN, P::ProvedTooLongAgo),
            Self::NoIdentityProvider => (StatusCode::FORBIDDEN, P::NoIdentityProvider),
            Self::ConnectionNotOffered => (StatusCode::FORBIDDEN, P::ConnectionNotOffered),
            Self::IdpUnreachable(_) => (StatusCode::BAD_GATEWAY, P::IdpUnreachable),
            Self::IdpUnusable(_) => (StatusCode::BAD_GATEWAY, P::IdpUnusable),
            Self::IdpRefused(error) if is_outage(error) => (StatusCode::BAD_GATEWAY, P::IdpUnreachable),
            Self::IdpRefused(_) => (StatusCode::FORBIDDEN, P::IdpRefused),
            Self::TokenRefused(_) => (StatusCode::UNAUTHORIZED, P::IdpAnswerInvalid),
            Self::IdpAnswerInvalid(why) => (answer_status(why), P::IdpAnswerInvalid),
            Self::AuthTimeMissing => (StatusCode::FORBIDDEN, P::NotProvedAnew),
            Self::BindingUnsupported => (StatusCode::BAD_REQUEST, P::BindingUnsupported),
            // What cannot even be read is told apart (threats C06); everything else looks the same (C04).
            Self::AssertionRefused("malformed_saml") => (StatusCode::BAD_REQUEST, P::IdpAnswerInvalid),
            // The provider itself says no, or that it was cancelled there.
            Self::AssertionRefused("status") => (StatusCode::FORBIDDEN, P::IdpRefused),
            Self::AssertionRefused(_) => (StatusCode::FORBIDDEN, P::IdpAnswerInvalid),
            Self::SignOutUnconfirmed("malformed_saml") => (StatusCode::BAD_REQUEST, P::SignOutUnconfirmed),
            Self::SignOutUnconfirmed("binding_unsupported") => {
                (StatusCode::BAD_REQUEST, P::SignOutBindingUnsupported)
            }
            Self::SignOutUnconfirmed(_) => (StatusCode::FORBIDDEN, P::SignOutUnconfirmed),
            Self::LogoutTokenRefused(_) => (StatusCode::BAD_REQUEST, P::BadRequest),
            Self::SignOutRefused(_) => (StatusCode::BAD_REQUEST, P::SignOutRefused),
            Self::EmailDomainNotAllowed => (StatusCode::FORBIDDEN, P::EmailDomainNotAllowed),
            Self::EmailInUse => (StatusCode::CONFLICT, P::EmailInUse),
            Self::SubjectKind(_) => (StatusCode::FORBIDDEN, P::IdpAnswerInvalid),
            Self::InvitationUnknown => (StatusCode::NOT_FOUND, P::InvitationOver),
            Self::InvitationOver => (StatusCode::GONE, P::InvitationOver),
            Self::InvitationForAnother => (StatusCode::FORBIDDEN, P::InvitationForAnother),
            Self::InviterLostRights => (StatusCode::FORBIDDEN, P::InvitationVoid),
            Self::InvitationBlocked => (StatusCode::FORBIDDEN, P::MembershipBlocked),
            Self::BelongsElsewhere => (StatusCode::CONFLICT, P::BelongsElsewhere),
            Self::ConnectionChanged | Self::ConnectionInactive => {
                (StatusCode::FORBIDDEN, P::ConnectionChanged)
            }
            Self::ProjectDisabled | Self::ApplicationDisabled => {
                (StatusCode::FORBIDDEN, P::UnknownApplication)
            }
            Self::UserDisabled => (StatusCode::FORBIDDEN, P::UserDisabled),
            Self::SessionEnded | Self::SignedOutThere => (StatusCode::FORBIDDEN, P::SignedOutElsewhere),
            Self::NoOrganization | Self::NotExpected(_) => (StatusCode::FORBIDDEN, P::NoOrganization),
            Self::OrganizationNotAllowed
            | Self::ChoiceNotOffered
            | Self::OrganizationsNotUsed
            | Self::OrganizationInactive
            | Self::OrganizationWasInactive
            | Self::DelegationInactive
            | Self::ApplicationNotAllowed => (StatusCode::FORBIDDEN, P::OrganizationNotAllowed),
            Self::MembershipInactive => (StatusCode::FORBIDDEN, P::MembershipBlocked),
            Self::SsoRequired | Self::DelegationNotAccepted | Self::MethodNotAllowed => {
                (StatusCode::FORBIDDEN, P::SsoRequired)
            }
            Self::MfaRequired | Self::AcrUnmet => (StatusCode::FORBIDDEN, P::MfaRequired),
            Self::DeviceNotAllowed => (StatusCode::FORBIDDEN, P::DeviceNotAllowed),
            Self::UserCodeUnknown => (StatusCode::UNPROCESSABLE_ENTITY, P::UserCodeUnknown),
            Self::DeviceOver => (StatusCode::GONE, P::UserCodeUnknown),
        }
    }

    /// What the application is told at its redirect URI; `None` where nothing may be sent to it.
    pub fn application(&self) -> Option<OAuthError> {
        Some(match self {
            Self::UnknownApplication
            | Self::BadRedirectUri
            | Self::BadRequest(_)
            | Self::SignOutRefused(_)
            | Self::LogoutTokenRefused(_)
            | Self::FlowExpired
            | Self::ForeignForm
            | Self::InvitationUnknown
            | Self::InvitationOver
            | Self::InvitationForAnother
            | Self::InviterLostRights
            | Self::InvitationBlocked
            | Self::BelongsElsewhere
            | Self::UserCodeUnknown
            | Self::DeviceOver
            | Self::ChoiceNotOffered
            | Self::TrialOver => {
                return None;
            }
            Self::Protocol(error) => error.clone(),
            // One text whether it exists elsewhere or not.
            Self::ConnectionNotAllowed => {
                OAuthError::invalid_request("connection names none that this application may use")
            }
            Self::TooManyRequests | Self::Crowded | Self::IdpUnreachable(_) => {
                OAuthError::temporarily_unavailable(self.name())
            }
            Self::IdpUnusable(_) => OAuthError::temporarily_unavailable(Self::IdpUnreachable("").name()),
            Self::IdpRefused(error) if is_outage(error) => {
                OAuthError::temporarily_unavailable(Self::IdpUnreachable("").name())
            }
            // Who cannot be made to prove it again has to be asked for again (OpenID Connect Core, section 3.1.2.1).
            Self::LoginRequired => OAuthError::login_required("nobody is signed in as it was asked for"),
            Self::SessionEnded
            | Self::SignedOutThere
            | Self::AuthenticationTooOld
            | Self::AuthTimeMissing => OAuthError::login_required(self.description()),
            // OpenID Connect Core Error Code unmet_authentication_requirements 1.0.
            Self::AcrUnmet => OAuthError::unmet_authentication_requirements(self.name()),
            Self::SelectionRequired => OAuthError::interaction_required(self.name()),
            // One text for unknown and not allowed: the answer is no oracle of who is a customer.
            Self::OrganizationNotAllowed
            | Self::OrganizationInactive
            | Self::OrganizationWasInactive
            | Self::MembershipInactive
            | Self::DelegationInactive
            | Self::ApplicationNotAllowed => OAuthError::access_denied("organization_not_allowed"),
            Self::ProjectDisabled | Self::ApplicationDisabled => OAuthError::unauthorized_client(self.name()),
            Self::Cancelled
            | Self::EmailInvalid
            | Self::OrganizationNameInvalid
            | Self::NoIdentityProvider
            | Self::ConnectionNotOffered
            | Self::IdpRefused(_)
            | Self::TokenRefused(_)
            | Self::IdpAnswerInvalid(_)
            | Self::AssertionRefused(_)
            | Self::SignOutUnconfirmed(_)
            | Self::BindingUnsupported
            | Self::EmailDomainNotAllowed
            | Self::EmailInUse
            | Self::SubjectKind(_)
            | Self::NotExpected(_)
            | Self::ConnectionChanged
            | Self::ConnectionInactive
            | Self::UserDisabled
            | Self::NoOrganization
            | Self::OrganizationsNotUsed
            | Self::SsoRequired
            | Self::MethodNotAllowed
            | Self::DelegationNotAccepted
            | Self::DeviceNotAllowed
            | Self::ConsentDenied
            | Self::MfaRequired => OAuthError::access_denied(self.description()),
            Self::ConsentRequired => OAuthError::consent_required(self.description()),
        })
    }
}

/// Why somebody who came by an invitation is none the richer.
impl From<NotAccepted> for Refusal {
    fn from(why: NotAccepted) -> Self {
        match why {
            NotAccepted::Unknown => Self::InvitationUnknown,
            NotAccepted::Gone => Self::InvitationOver,
            NotAccepted::WrongAccount => Self::InvitationForAnother,
            NotAccepted::InviterLostRights => Self::InviterLostRights,
            NotAccepted::Blocked => Self::InvitationBlocked,
            NotAccepted::Elsewhere => Self::BelongsElsewhere,
            // Whoever asks has looked at these two before.
            NotAccepted::AlreadyMember | NotAccepted::Store(_) => Self::TooManyRequests,
        }
    }
}

/// Whether the provider says of itself that it does not work, and nothing of the person.
fn is_outage(error: &str) -> bool {
    matches!(error, "server_error" | "temporarily_unavailable")
}

/// A message that says of itself that it is not meant for us is a bad request (threats C12); one that came to another
/// connection's door (C11), or that contradicts itself (C01), is forbidden; whatever else fails proves nobody (C13, C14).
fn answer_status(why: &str) -> StatusCode {
    match why {
        "iss_mismatch" | "iss_missing" | "code_missing" | "parameter_twice" | "parameters_malformed" => {
            StatusCode::BAD_REQUEST
        }
        "connection_mismatch" => StatusCode::FORBIDDEN,
        userinfo if userinfo.starts_with("userinfo_") => StatusCode::FORBIDDEN,
        _ => StatusCode::UNAUTHORIZED,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_an_application_is_told_says_more_than_the_code() {
        use Refusal as R;
        let all = [
            R::LoginRequired,
            R::SelectionRequired,
            R::ConnectionNotAllowed,
            R::Cancelled,
            R::TooManyRequests,
            R::Crowded,
            R::EmailInvalid,
            R::NoIdentityProvider,
            R::ConnectionNotOffered,
            R::IdpUnreachable("token_endpoint"),
            R::IdpUnusable("issuer"),
            R::IdpRefused("access_denied".to_owned()),
            R::IdpRefused("temporarily_unavailable".to_owned()),
            R::TokenRefused("invalid_grant".to_owned()),
            R::IdpAnswerInvalid("nonce_mismatch"),
            R::AuthTimeMissing,
            R::AcrUnmet,
            R::BindingUnsupported,
            R::AssertionRefused("status"),
            R::EmailDomainNotAllowed,
            R::EmailInUse,
            R::NotExpected(Box::default()),
            R::ConnectionChanged,
            R::SignedOutThere,
            R::ProjectDisabled,
            R::ApplicationDisabled,
            R::UserDisabled,
            R::SessionEnded,
            R::ConnectionInactive,
            R::NoOrganization,
            R::OrganizationNotAllowed,
            R::OrganizationsNotUsed,
            R::OrganizationInactive,
            R::OrganizationWasInactive,
            R::MembershipInactive,
            R::DelegationInactive,
            R::ApplicationNotAllowed,
            R::SsoRequired,
            R::MethodNotAllowed,
            R::DelegationNotAccepted,
            R::MfaRequired,
            R::AuthenticationTooOld,
            R::DeviceNotAllowed,
            R::ConsentRequired,
            R::ConsentDenied,
        ];
        for refusal in all {
            let told = refusal.application().unwrap();
            assert_ne!(told.code, told.description, "{refusal:?}");
            assert!(!told.description.is_empty(), "{refusal:?}");
        }
    }
}
