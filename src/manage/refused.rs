//! Every way in which the administration API says no: a stable code, a status and a title each.

use std::time::Duration;

use serde_json::{Map, Value};

use super::authority::OWNERS_FRESH;
use crate::protocol::problem::{Complaint, Place};
use crate::store::durable::engine::StoreError;
use crate::store::durable::engine::tries::Undone;
use crate::store::ephemeral::EphemeralError;
use crate::telemetry::names;
use crate::web::reply::Fault;
use crate::web::{coding, json, query};

macro_rules! codes {
    ($($code:ident = $status:literal $word:literal $title:literal;)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($code),+ }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$code),+];
            pub const fn word(self) -> &'static str {
                match self { $(Self::$code => $word),+ }
            }
            pub const fn status(self) -> u16 {
                match self { $(Self::$code => $status),+ }
            }
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title),+ }
            }
        }
    };
}

codes! {
    InvalidJson = 400 "invalid_json" "The body is not one JSON object";
    InvalidBody = 400 "invalid_body" "A value of the body is missing or of another type";
    UnknownField = 400 "unknown_field" "The body has a field that nothing is known of";
    BodyUnexpected = 400 "body_unexpected" "No body is taken here";
    UnknownParameter = 400 "unknown_parameter" "The query has a parameter that nothing is known of";
    DuplicateParameter = 400 "duplicate_parameter" "The query has a parameter twice";
    InvalidParameter = 400 "invalid_parameter" "A parameter or a header cannot be read";
    IfMatchUnexpected = 400 "if_match_unexpected" "This has no ETag that If-Match could name";
    UriInvalid = 400 "invalid_uri" "This is no address that is shown to people";
    MfaImpossible = 400 "mfa_impossible" "No method that is on could ever give a second factor";
    CursorInvalid = 400 "cursor_invalid" "The cursor is not one of this list";
    TooManyRows = 400 "too_many_rows" "More rows than are taken at once";
    SearchTooShort = 400 "search_too_short" "A search needs at least two characters";
    TwoHosts = 400 "invalid_request" "The request is for more than one host";
    OrganizationRequired = 400 "organization_required" "The request does not say which organization is meant";
    Unauthenticated = 401 "unauthenticated" "A valid token or key is missing";
    DpopNonceWanted = 401 "use_dpop_nonce" "The proof needs a nonce of ours";
    DpopProofInvalid = 401 "invalid_dpop_proof" "The proof that the token needs is missing, or not good";
    TokenWithoutSso = 401 "sso_required" "The organization wants its own sign-in";
    TokenWithoutMfa = 401 "mfa_required" "The organization wants more than one factor";
    PermissionMissing = 403 "permission_missing" "The permission for this is missing";
    OrganizationFunctionMissing = 403 "organization_function_missing" "The organization may not do this at all";
    OperatorRequired = 403 "operator_required" "Only the operator may do this";
    PersonRequired = 403 "person_required" "Only a person may do this, for themselves";
    ReauthenticationRequired = 403 "reauthentication_required" "It has been too long since the person proved who they are";
    RoleCeiling = 403 "role_ceiling" "Nobody gives a role that may more than they may themselves";
    OwnerRequired = 403 "owner_required" "Only an owner in person, who has just signed in, or the operator may do this";
    CustomRolesDisabled = 403 "custom_roles_disabled" "The organization makes no roles of its own";
    ApiKeysDisabled = 403 "api_keys_disabled" "The organization's keys are switched off";
    NotAMember = 403 "not_a_member" "The person does not belong to this organization";
    BeyondConsent = 403 "beyond_consent" "What the person has allowed their application here is to act for one organization";
    SsoRequired = 403 "sso_required" "The organization wants its own sign-in";
    MfaRequired = 403 "mfa_required" "The organization wants more than one factor";
    WrongAccount = 403 "wrong_account" "The invitation is for another address, or the address is not proved";
    InviterLostRights = 403 "inviter_lost_rights" "Whoever invited may not give this any more";
    OrganizationInactive = 403 "organization_inactive" "The organization is deactivated";
    NotFound = 404 "not_found" "There is nothing here";
    UserNotFound = 404 "user_not_found" "There is nobody here who could be added";
    MethodNotAllowed = 405 "method_not_allowed" "This door opens with another method";
    AlreadyMember = 409 "already_member" "They are a member already";
    MembershipExclusive = 409 "membership_exclusive" "They belong to another organization, and to one alone";
    MembershipBlocked = 409 "membership_blocked" "They were removed, or are blocked";
    LastOwner = 409 "last_owner" "An organization that has an owner keeps one";
    ManagedByDirectory = 409 "managed_by_directory" "The organization's directory says who is a member";
    UserNotMovable = 409 "user_not_movable" "Nobody is moved from one organization to another";
    TargetNotActive = 409 "target_not_active" "Whoever is to own the organization must be an active member";
    AlreadyOwner = 409 "already_owner" "They own the organization already";
    NotOwner = 409 "not_owner" "Whoever gives the organization away does not own it";
    TransferPending = 409 "transfer_pending" "The ownership has been offered to somebody already";
    OfferOutdated = 409 "offer_outdated" "By whose word the person is known has changed since it was offered to them";
    InvitationPending = 409 "invitation_pending" "An invitation waits for this address already";
    InvitationAccepted = 409 "invitation_accepted" "The invitation has been accepted";
    MailNotConfigured = 409 "mail_not_configured" "No mail is sent from here";
    OrganizationExists = 409 "organization_exists" "There is an organization with this id";
    SlugTaken = 409 "slug_taken" "Another organization has or had this slug";
    DomainExists = 409 "domain_exists" "The organization claims this domain already";
    DomainTaken = 409 "domain_taken" "Another organization holds this domain";
    DomainNotVerified = 409 "domain_not_verified" "The domain is not verified";
    TooManyDomains = 409 "too_many_domains" "The organization claims as many domains as it may";
    EnforcementDepends = 409 "enforcement_depends" "The organization's sign-in policy depends on it";
    ConfirmationRequired = 409 "confirmation_required" "What takes so much away must be confirmed by name";
    NotDeleted = 409 "not_deleted" "The organization is not deleted";
    EnforcementNotReady = 409 "enforcement_not_ready" "Whoever would be locked out is not safe yet";
    PolicyLocksOut = 409 "policy_locks_out" "Whoever must be able to sign in could not any more";
    MethodNotAvailable = 409 "method_not_available" "There is no such method yet";
    RoleExists = 409 "role_exists" "There is a role of this name";
    LimitReached = 409 "limit_reached" "There are as many as there may be";
    RoleRuleExists = 409 "role_rule_exists" "There is such a rule already";
    RoleInUse = 409 "role_in_use" "Somebody has this role";
    NotMovable = 409 "not_movable" "What belongs to an organization stays with it, and a connection keeps its type";
    ConnectionExists = 409 "connection_exists" "There is a connection of this slug";
    ConnectionIncomplete = 409 "connection_incomplete" "Nobody could sign in by it as it is";
    ConnectionNotActive = 409 "connection_not_active" "The connection is not active";
    RelinkConflict = 409 "relink_conflict" "Somebody is known to the connection by the same name already";
    ChangedMeanwhile = 409 "changed_meanwhile" "Somebody else was faster: read it again, and decide again";
    PlanChanged = 409 "plan_changed" "The plan that was looked at is not true any more";
    NoVersion = 409 "no_version" "There is no such version to make live";
    Untested = 409 "untested" "People sign in by it, and nobody has tried the new version yet";
    Gone = 410 "gone" "The link has been used or taken back, or has run out";
    DelegationExists = 409 "delegation_exists" "The two have a delegation, or one that waits";
    DelegationRevoked = 409 "delegation_revoked" "The delegation is revoked, for good";
    AlreadyApproved = 409 "already_approved" "This side has approved it as it is";
    PausedByOther = 409 "paused_by_other" "The other side paused it";
    ClientIdTaken = 409 "client_id_taken" "Another application has this client_id";
    NoSecrets = 409 "no_secrets" "This method of authentication has no secret";
    ApiKeyEnded = 409 "api_key_ended" "The key has ended";
    PreconditionFailed = 412 "precondition_failed" "It has changed since it was read";
    TooLarge = 413 "too_large" "The body is too large";
    UriTooLong = 414 "uri_too_long" "The address is too long";
    UnsupportedMediaType = 415 "unsupported_media_type" "The body must be JSON";
    UnsupportedContentEncoding = 415 "unsupported_content_encoding" "The body is compressed, or otherwise encoded";
    MisdirectedRequest = 421 "misdirected_request" "This server answers by another name";
    InvalidValue = 422 "invalid_value" "A value breaks a rule";
    DomainInvalid = 422 "domain_invalid" "This is not the name of a domain";
    MixedScript = 422 "mixed_script" "The name could be taken for another one";
    PublicSuffix = 422 "public_suffix" "Nobody holds this name alone";
    FreeMailDomain = 422 "free_mail_domain" "Anybody may have a mailbox in this domain";
    ProofNotFound = 422 "proof_not_found" "What is expected was not found";
    RoleNotAllowed = 422 "role_not_allowed" "Nobody is given this role unasked";
    RoleNotMappable = 422 "role_not_mappable" "Nobody has this role by what a provider says";
    RoleUnknown = 422 "role_unknown" "There is no role of this name";
    DiscoveryFailed = 422 "discovery_failed" "What the provider says of itself could not be had, or cannot be used";
    IssuerMismatch = 422 "issuer_mismatch" "The provider calls itself otherwise";
    MetadataInvalid = 422 "metadata_invalid" "The metadata describes no provider that could be believed";
    AddressNotAllowed = 422 "address_not_allowed" "This is no address that is asked from here";
    IdempotencyKeyReused = 422 "idempotency_key_reused" "The key has named another request";
    DraftOutdated = 428 "draft_outdated" "What is live now is named by whoever makes live what was drafted before";
    DraftUnread = 428 "draft_unread" "What somebody else has drafted is named by whoever goes on with it";
    PreconditionRequired = 428 "precondition_required" "What is agreed to is named by its ETag";
    TooManyRenames = 429 "too_many_renames" "The organization has had as many slugs as it may have in a day";
    RateLimited = 429 "rate_limited" "Too many requests";
    HeadersTooLarge = 431 "headers_too_large" "The headers are too long";
    ServerError = 500 "server_error" "Our own failure";
    DnsUnavailable = 503 "dns_unavailable" "Nobody can say now whether the proof is there";
    AuditUnavailable = 503 "audit_unavailable" "The change could not be recorded, so it was not made";
    Timeout = 503 "timeout" "The request took too long";
    Busy = 503 "busy" "Others were faster each time";
}

/// Nothing was done.
#[derive(Debug)]
pub enum Refused {
    Told(Box<Told>),
    /// Lost against a transaction at the same time: to be tried again.
    Conflict,
    Failed(Box<Fault>),
}

/// What the caller is told.
#[derive(Debug)]
pub struct Told {
    pub code: Code,
    pub detail: String,
    pub errors: Vec<Complaint>,
    /// Within how many seconds the person must have proved who they are (RFC 9470).
    pub max_age: Option<u64>,
    /// After how many seconds it is worth another try (RFC 9110, section 10.2.3); absent: as every limit by the minute.
    pub retry_after: Option<u64>,
    /// Further members of the problem (RFC 9457, section 3.2).
    pub more: Map<String, Value>,
}

impl Refused {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::Told(Box::new(Told {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            max_age: None,
            retry_after: None,
            more: Map::new(),
        }))
    }

    /// With no more to be said than the code does.
    pub fn by(code: Code) -> Self {
        Self::new(code, code.title())
    }

    /// Too much within a time, which is over in `left`.
    pub fn limited(code: Code, detail: impl Into<String>, left: Duration) -> Self {
        let mut refused = Self::new(code, detail);
        if let Self::Told(told) = &mut refused {
            told.retry_after = Some(left.as_secs() + u64::from(left.subsec_nanos() > 0));
        }
        refused
    }

    /// The same with a further member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Self::Told(told) = &mut self {
            told.more.insert(name.to_owned(), value.into());
        }
        self
    }

    /// With where the person could do what is missing, if that is known.
    #[must_use]
    pub fn with_login_url(self, login_url: Option<String>) -> Self {
        match login_url {
            Some(url) => self.with("login_url", url),
            None => self,
        }
    }

    /// What is unknown and what is not for this caller read the same.
    pub fn hidden() -> Self {
        Self::new(Code::NotFound, "it does not exist, or not for you")
    }

    /// Who proved who they are longer ago than this must do so again.
    pub fn stale(within: Duration) -> Self {
        let (code, max_age) = (Code::ReauthenticationRequired, Some(within.as_secs()));
        let detail = format!(
            "sign in again: this needs a sign-in of the last {} minutes, and that the identity provider says so",
            within.as_secs() / 60
        );
        let mut refused = Self::new(code, detail);
        if let Self::Told(told) = &mut refused {
            told.max_age = max_age;
        }
        refused
    }

    /// Why somebody may not give a role, or take it.
    pub fn ceiling(code: Code, detail: impl Into<String>) -> Self {
        match code {
            Code::ReauthenticationRequired => Self::stale(OWNERS_FRESH),
            code => Self::new(code, detail),
        }
    }

    /// A value of the body that breaks a rule, at a pointer (RFC 6901).
    pub fn value(pointer: &str, rule: impl Into<String>) -> Self {
        Self::at(Code::InvalidValue, Place::Pointer(pointer.into()), rule)
    }

    /// Several things at once, each at a pointer.
    pub fn listing(code: Code, all: impl IntoIterator<Item = (String, String)>) -> Self {
        let complaint = |(pointer, detail)| Complaint { place: Place::Pointer(pointer), detail };
        let errors: Vec<_> = all.into_iter().map(complaint).collect();
        let detail = errors.iter().map(|error| error.detail.as_str()).collect::<Vec<_>>().join(", ");
        let mut refused = Self::new(code, detail);
        if let Self::Told(told) = &mut refused {
            told.errors = errors;
        }
        refused
    }

    pub fn parameter(name: &str, rule: impl Into<String>) -> Self {
        Self::at(Code::InvalidParameter, Place::Parameter(name.into()), rule)
    }

    pub fn at(code: Code, place: Place, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let name = match &place {
            Place::Pointer(name) | Place::Parameter(name) => name,
        };
        let text = format!("{name}: {detail}");
        let mut refused = Self::new(code, text);
        if let Self::Told(told) = &mut refused {
            told.errors.push(Complaint { place, detail });
        }
        refused
    }

    /// The audit trail did not take an event: what it tells of is taken back (threats M08).
    pub fn unrecorded(error: StoreError) -> Self {
        if error == StoreError::Conflict {
            return Self::Conflict;
        }
        names::audit_failed();
        tracing::error!(%error, "what cannot be recorded is not done");
        Self::new(Code::AuditUnavailable, Code::AuditUnavailable.title())
    }

    /// Of who has lost against others too often: they are told to come again.
    pub fn told_busy(self) -> Self {
        if matches!(self, Self::Conflict) { Self::by(Code::Busy) } else { self }
    }

    /// The same, where the body said by another name what is wrong: `(ours, theirs)`.
    #[must_use]
    pub fn spelled(mut self, names: &[(&str, &str)]) -> Self {
        if let Self::Told(told) = &mut self {
            for (ours, theirs) in names {
                told.detail = told.detail.replace(ours, theirs);
                for error in &mut told.errors {
                    if let Place::Pointer(pointer) = &mut error.place {
                        *pointer = pointer.replace(ours, theirs);
                    }
                }
            }
        }
        self
    }

    pub fn code(&self) -> Code {
        match self {
            Self::Told(told) => told.code,
            Self::Conflict => Code::Busy,
            Self::Failed(_) => Code::ServerError,
        }
    }
}

/// What a unique index is called, and what it means when a value is taken.
const TAKEN: [(&str, Code); 16] = [
    ("identities_connection_id_issuer_subject_key", Code::RelinkConflict),
    ("connections_primary_key", Code::Busy),
    ("connections_project_id_slug_key", Code::ConnectionExists),
    ("domains_organization_id_name_key", Code::DomainExists),
    ("domains_project_id_name_key", Code::DomainTaken),
    ("roles_by_place", Code::RoleExists),
    ("invitations_organization_id_pending_key", Code::InvitationPending),
    ("memberships_organization_id_user_id_key", Code::AlreadyMember),
    ("memberships_exclusive_user_key", Code::MembershipExclusive),
    ("ownership_transfers_pending_key", Code::TransferPending),
    ("applications_project_id_client_id_key", Code::ClientIdTaken),
    ("delegations_home_organization_id_target_organization_id_key", Code::DelegationExists),
    ("delegations_asked_key", Code::DelegationExists),
    ("organizations_pkey", Code::OrganizationExists),
    ("organizations_project_id_slug_key", Code::SlugTaken),
    ("organization_slugs_pkey", Code::SlugTaken),
];

impl Undone for Refused {
    fn is_a_lost_race(&self) -> bool {
        matches!(self, Self::Conflict)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Conflict => Self::Conflict,
            StoreError::Unrecorded(_) => Self::unrecorded(error),
            StoreError::NulInText => Self::new(Code::InvalidValue, "a text holds a NUL"),
            StoreError::Unique { what } => match TAKEN.iter().find(|(index, _)| index == what) {
                Some((_, code)) => Self::new(*code, code.title()),
                None => Self::Failed(Box::new(error.into())),
            },
            _ => Self::Failed(Box::new(error.into())),
        }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Failed(Box::new(fault))
    }
}

impl From<EphemeralError> for Refused {
    fn from(error: EphemeralError) -> Self {
        Fault::from(error).into()
    }
}

impl From<json::Unreadable> for Refused {
    fn from(why: json::Unreadable) -> Self {
        use json::Unreadable;
        let plain = |code: Code| Self::new(code, code.title());
        match why {
            Unreadable::TooLarge => plain(Code::TooLarge),
            Unreadable::Broken => Self::new(Code::InvalidJson, "the body broke off"),
            Unreadable::Encoded => Self::new(Code::UnsupportedContentEncoding, coding::WHY),
            Unreadable::OtherType => plain(Code::UnsupportedMediaType),
            Unreadable::NotJson => plain(Code::InvalidJson),
            Unreadable::Twice => Self::new(Code::InvalidJson, "an object has a member twice"),
            Unreadable::Unknown(at) => Self::at(Code::UnknownField, Place::Pointer(at), "no such field"),
            Unreadable::Wrong(at, why) => Self::at(Code::InvalidBody, Place::Pointer(at), why),
        }
    }
}

impl From<query::Unreadable> for Refused {
    fn from(why: query::Unreadable) -> Self {
        use query::Unreadable;
        match why {
            Unreadable::Twice(name) => {
                Self::at(Code::DuplicateParameter, Place::Parameter(name), "stands there twice")
            }
            Unreadable::Unknown(name) => {
                Self::at(Code::UnknownParameter, Place::Parameter(name), "no such parameter")
            }
            Unreadable::Wrong(name, why) => Self::parameter(&name, why),
        }
    }
}
