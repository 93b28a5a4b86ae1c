//! A session: a browser that stays signed in.

use serde::{Deserialize, Serialize};

use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, IdentityId, OrganizationId, ProjectId, SessionId, UserId};
use crate::protocol::saml::assertion;
use crate::protocol::saml::names::authn_context;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub identity_id: IdentityId,
    pub connection_id: ConnectionId,
    /// As their identity provider says; where it does not, when they came back from there.
    pub authenticated_at: Moment,
    /// When that was taken for the moment; absent: it was said.
    pub assumed_at: Option<Moment>,
    pub assurance: Assurance,
    pub created_at: Moment,
    pub expires_at: Moment,
    pub ended_at: Option<Moment>,
    pub current_organization: Option<OrganizationId>,
}

impl Session {
    pub fn is_alive(&self, now: Moment) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    /// When they proved who they are, if that is known: a provider that does not say may have sent them back without
    /// having asked them anything for days (threats M17).
    pub fn proved_at(&self) -> Option<Moment> {
        if self.assumed_at.is_none() { Some(self.authenticated_at) } else { None }
    }

    /// Whether what was asked about the age of a proof is as true of this one as of the other.
    pub fn is_as_new_as(&self, other: &Self) -> bool {
        self.authenticated_at >= other.authenticated_at && self.proved_at() >= other.proved_at()
    }
}

/// By what the identity provider will name this session when it ends there (SAML 2.0 Core, section 3.7.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamSession {
    /// Absent: it has named nobody, and can be told of the session by its index alone.
    pub name: Option<UpstreamName>,
    pub index: Option<String>,
}

/// A `NameID` (SAML 2.0 Core, section 2.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamName {
    pub value: String,
    pub format: Option<String>,
    pub name_qualifier: Option<String>,
    pub sp_name_qualifier: Option<String>,
    pub secrecy: Secrecy,
}

super::words! {
    /// Who could read a name on its way from the provider, through a browser.
    Secrecy {
        Open = "open",
        /// Nobody but us: what it stood in was encrypted.
        Within = "within",
        /// Nobody but us: it was encrypted by itself, which is done for its own sake.
        Own = "own",
    }
}

impl UpstreamName {
    /// Whether both are one name, in whichever way it was told.
    pub fn is(&self, other: &Self) -> bool {
        Self { secrecy: other.secrecy, ..self.clone() } == *other
    }

    /// What tells it apart from others.
    pub fn lasting(&self) -> String {
        assertion::lasting(&self.value, self.format.as_deref())
    }
}

/// How a person proved who they are, in our own words, from what the identity provider said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assurance {
    /// RFC 8176 values.
    pub amr: Vec<String>,
    pub acr: Acr,
}

super::words! {
    /// The ladder of authentication context classes that our tokens name.
    Acr {
        /// One factor, or nothing better known.
        Single = "urn:behalf:acr:1fa",
        /// More than one factor.
        Multi = "urn:behalf:acr:2fa",
    }
}

/// The words of RFC 8176.
const KNOWN: [&str; 21] = [
    "face", "fpt", "geo", "hwk", "iris", "kba", "mca", "mfa", "otp", "pin", "pop", "pwd", "rba", "retina",
    "sc", "sms", "swk", "tel", "user", "vbm", "wia",
];

impl Assurance {
    /// Keeps the words of RFC 8176 (others are a provider's own, and mean nothing here); `mfa` decides the class.
    pub fn from_upstream(amr: &[String]) -> Self {
        let amr: Vec<_> = amr.iter().filter(|word| KNOWN.contains(&word.as_str())).cloned().collect();
        let acr = if amr.iter().any(|word| word == "mfa") { Acr::Multi } else { Acr::Single };
        Self { amr, acr }
    }

    /// Of SAML classes of authentication: the ones that say something of how.
    pub fn from_authn_contexts<'a>(classes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words: Vec<String> = Vec::new();
        for word in classes.into_iter().filter_map(word_of) {
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
        Self::from_upstream(&words)
    }
    pub fn is_multi_factor(&self) -> bool {
        self.acr == Acr::Multi
    }
    pub fn is_at_least(&self, acr: Acr) -> bool {
        acr == Acr::Single || self.acr == acr
    }
}

/// The word of RFC 8176 for a class.
fn word_of(class: &str) -> Option<&'static str> {
    use authn_context as c;
    Some(match class {
        c::PASSWORD | c::PASSWORD_PROTECTED_TRANSPORT | c::MICROSOFT_PASSWORD => "pwd",
        c::TIME_SYNC_TOKEN => "otp",
        c::SMARTCARD | c::SMARTCARD_PKI => "sc",
        c::X509 | c::TLS_CLIENT | c::MICROSOFT_X509 => "swk",
        c::WINDOWS | c::KERBEROS => "wia",
        c::REFEDS_MFA | c::MICROSOFT_MFA | c::MOBILE_TWO_FACTOR | c::MOBILE_TWO_FACTOR_UNREGISTERED => "mfa",
        _ => return None,
    })
}
