//! Why a message is refused: told in full to the connection's administrator, hardly at all to the visitor.

use std::fmt;

use super::encryption::Undecryptable;
use super::redact::without_addresses;
use super::signature::SignatureError;
use super::xml::Malformed;

/// How much of an expected or found value is kept, in characters.
pub const MAX_SHOWN: usize = 200;

/// How much is kept of one identifier of several.
const MAX_NAME: usize = 80;

/// The one check that a message failed. Checks run in a fixed order and the first failure ends the reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Not well-formed, over a limit, or not of the schema.
    Malformed,
    /// Elements where this profile has none: a second assertion, a stray signature, advice.
    Structure,
    Version,
    Status,
    /// The provider says no, in a message that nobody signed: anybody can say so.
    StatusUnsigned,
    Destination,
    IssuerResponse,
    IssuerAssertion,
    /// The issuer of a request or of a logout message.
    Issuer,
    IssueInstant,
    InResponseTo,
    RelayState,
    SignatureMissing,
    /// The signature is there and none of the keys made it.
    SignatureInvalid,
    /// Not RSA or ECDSA with SHA-256 or better.
    SignatureAlgorithm,
    /// A transform, a reference, an id or another part of the signature is nothing that this profile has.
    SignatureProfile,
    /// What every key would have to be tried on is longer than any provider makes it.
    SignatureSize,
    Canonicalization,
    /// The signature is good, and what was signed has been changed.
    Digest,
    /// The connection has no key to verify by.
    NoKey,
    NotEncrypted,
    EncryptionUnsupported,
    Undecryptable,
    Subject,
    NameId,
    Confirmation,
    ConfirmationInResponseTo,
    ConfirmationNotBefore,
    ConfirmationExpired,
    Recipient,
    Conditions,
    ConditionUnknown,
    NotYetValid,
    Expired,
    Audience,
    AuthnStatement,
    AuthnInstant,
    SessionExpired,
    Attributes,
    SessionIndexes,
}

impl Check {
    /// One word for a row, a metric or a page.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Structure => "structure",
            Self::Version => "version",
            Self::Status => "status",
            Self::StatusUnsigned => "status_unsigned",
            Self::Destination => "destination",
            Self::IssuerResponse => "issuer_response",
            Self::IssuerAssertion => "issuer_assertion",
            Self::Issuer => "issuer",
            Self::IssueInstant => "issue_instant",
            Self::InResponseTo => "in_response_to",
            Self::RelayState => "relay_state",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureInvalid => "signature_invalid",
            Self::SignatureAlgorithm => "signature_algorithm",
            Self::SignatureProfile => "signature_profile",
            Self::SignatureSize => "signature_size",
            Self::Canonicalization => "canonicalization",
            Self::Digest => "digest",
            Self::NoKey => "no_key",
            Self::NotEncrypted => "not_encrypted",
            Self::EncryptionUnsupported => "encryption_unsupported",
            Self::Undecryptable => "undecryptable",
            Self::Subject => "subject",
            Self::NameId => "name_id",
            Self::Confirmation => "confirmation",
            Self::ConfirmationInResponseTo => "confirmation_in_response_to",
            Self::ConfirmationNotBefore => "confirmation_not_before",
            Self::ConfirmationExpired => "confirmation_expired",
            Self::Recipient => "recipient",
            Self::Conditions => "conditions",
            Self::ConditionUnknown => "condition_unknown",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::Audience => "audience",
            Self::AuthnStatement => "authn_statement",
            Self::AuthnInstant => "authn_instant",
            Self::SessionExpired => "session_expired",
            Self::Attributes => "attributes",
            Self::SessionIndexes => "session_indexes",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A refused message: which check, what was expected and what was found instead. Both texts are at most
/// [`MAX_SHOWN`] characters, without control characters and without secrets, and what was found names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{check}: expected {expected}, found {found}")]
pub struct Refused {
    pub check: Check,
    pub expected: String,
    pub found: String,
}

impl Refused {
    pub fn new(check: Check, expected: impl AsRef<str>, found: impl AsRef<str>) -> Self {
        Self { check, expected: shown(expected.as_ref()), found: told(found.as_ref()) }
    }

    /// Whether the provider was told not to ask the person anything and could not do without (`NoPassive`).
    pub fn is_no_passive(&self) -> bool {
        let codes = self.found.split(' ').next().unwrap_or_default();
        matches!(self.check, Check::Status | Check::StatusUnsigned)
            && codes.split('/').any(|code| code == "NoPassive")
    }

    /// The same of what nobody signed. A failure that is not signed is believed no more than a success would be.
    #[must_use]
    pub fn of_nobody(self) -> Self {
        match self.check {
            Check::Status => Self { check: Check::StatusUnsigned, ..self },
            _ => self,
        }
    }

    /// As [`Refused::new`], where the message may have left the value out.
    pub fn missing_or(check: Check, expected: impl AsRef<str>, found: Option<&str>) -> Self {
        Self::new(check, expected, found.unwrap_or("nothing"))
    }
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Self::new(Check::Malformed, "well-formed SAML", malformed.to_string())
    }
}

impl From<SignatureError> for Refused {
    fn from(error: SignatureError) -> Self {
        let check = match &error {
            SignatureError::NoKeys => Check::NoKey,
            SignatureError::Missing => Check::SignatureMissing,
            SignatureError::Signature | SignatureError::Method { .. } => Check::SignatureInvalid,
            SignatureError::Digest => Check::Digest,
            SignatureError::Algorithm(_) => Check::SignatureAlgorithm,
            SignatureError::TooLarge(_) => Check::SignatureSize,
            SignatureError::Canonical(_) => Check::Canonicalization,
            _ => Check::SignatureProfile,
        };
        Self::new(check, error.expected(), error.to_string())
    }
}

impl From<Undecryptable> for Refused {
    fn from(error: Undecryptable) -> Self {
        let check = match &error {
            Undecryptable::Unsupported(_) => Check::EncryptionUnsupported,
            Undecryptable::Malformed(_) => Check::Malformed,
            Undecryptable::Failed => Check::Undecryptable,
        };
        Self::new(check, "something encrypted to a key of this connection", error.to_string())
    }
}

/// What may be told of what a message says where something else was expected; see [`super::redact`].
pub fn told(found: &str) -> String {
    shown(&without_addresses(found))
}

/// What may be shown of a value that a stranger wrote.
pub fn shown(value: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    match value.char_indices().nth(MAX_SHOWN) {
        None => value.chars().map(clean).collect(),
        Some((end, _)) => value[..end].chars().take(MAX_SHOWN - 1).map(clean).chain(['…']).collect(),
    }
}

/// As much of an identifier that a stranger wrote as shows which one it is.
pub fn named(uri: &str) -> String {
    match uri {
        "" => "without a name".to_owned(),
        _ => shown(&uri.chars().take(MAX_NAME).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_and_clean() {
        let refused = Refused::new(Check::Audience, "a\r\nb", "é".repeat(500));
        assert_eq!(refused.expected, "a\u{fffd}\u{fffd}b");
        assert_eq!(refused.found.chars().count(), MAX_SHOWN);
        assert!(refused.found.ends_with('…'));
        assert_eq!(Refused::new(Check::Audience, "", "é".repeat(200)).found, "é".repeat(200));
    }
}
