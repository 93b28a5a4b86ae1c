//! A grant: a token family of one (session, application, organization). It begins as an authorization code, when a device
//! is let in, or by switching from another family of the same session, or by an exchange of one of its tokens.

use serde::{Deserialize, Serialize};

use super::consent::Place;
use super::login::Context;
use super::session::{Assurance, Session};
use crate::foundation::clock::Moment;
use crate::foundation::id::{
    ApplicationId, DelegationId, GrantId, OrganizationId, ProjectId, SessionId, UserId,
};
use crate::foundation::secret::Secret;
use crate::protocol::oauth::claims_parameter::Named;
pub use crate::protocol::oauth::confirmation::Confirmation;
use crate::protocol::oauth::scope;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
    /// The family of the code that all of this began with, if somebody switched to this one.
    pub origin: Option<GrantId>,
    /// The family of the token that this one was exchanged for, without which it is worth nothing.
    pub subject: Option<GrantId>,
    pub project_id: ProjectId,
    pub session_id: SessionId,
    pub application_id: ApplicationId,
    pub user_id: UserId,
    /// One organization, or none, for as long as the family lives.
    pub organization: Option<OrganizationId>,
    pub delegation: Option<DelegationId>,
    /// In which it was given: it is dead in any other.
    pub epochs: Epochs,
    pub request: GrantRequest,
    pub code_expires_at: Moment,
    pub expires_at: Moment,
    pub revoked_at: Option<Moment>,
    /// Absent: it cannot be refreshed.
    pub refresh: Option<Refresh>,
}

impl Grant {
    pub fn context(&self) -> Context {
        match (self.organization, self.delegation) {
            (None, _) => Context::Personal,
            (Some(target), Some(delegation)) => Context::Delegate { target, delegation },
            (Some(organization), None) => Context::Member(organization),
        }
    }

    /// Whether it outlives the session that it was given in (OpenID Connect Core, section 11).
    pub fn is_offline(&self) -> bool {
        self.request.scopes.iter().any(|one| one == scope::OFFLINE_ACCESS)
    }
}

/// Characters of a grant's id behind its prefix.
const ID: usize = 26;

/// The authorization code that a family begins with: its id, by which it is found, and what nobody can guess.
pub fn code(id: GrantId, secret: &Secret) -> Secret {
    let id = id.to_string();
    let id = id.strip_prefix(GrantId::PREFIX).unwrap_or_default();
    Secret::new(format!("{id}{}", secret.expose()))
}

/// Whose code this would be. Nothing: it is none of ours.
pub fn of_code(code: &str) -> Option<GrantId> {
    let (id, _) = code.split_at_checked(ID)?;
    format!("{}{id}", GrantId::PREFIX).parse().ok()
}

/// How far a family has been refreshed. Of its refresh tokens one is good at any time: that of this generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// What all of its refresh tokens are derived of, sealed.
    pub secret: Vec<u8>,
    pub generation: i64,
    /// When this generation took over.
    pub rotated_at: Moment,
    /// When it runs out unless it is used.
    pub expires_at: Moment,
    /// What whoever comes with it must prove to hold.
    pub bound: Confirmation,
}

/// Of the organization that is acted for, and of the home of a delegate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    pub organization: Option<i64>,
    pub home: Option<i64>,
}

/// What the authorization request said that the token endpoint needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<String>,
    /// The thumbprint of the key that whoever redeems the code must hold (RFC 9449, section 10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    pub scopes: Vec<String>,
    /// Claims that are wanted beyond what the scopes give.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub claims: Named,
    /// For which audiences the access tokens are; empty: for all that the application has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// How the person signed in: as it was then, however the session goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<SignedIn>,
    /// Whether somebody let a device in from another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_device: bool,
    /// Where it led the person, which is what they may have allowed; absent: it is an application that acts for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The family in whose place somebody switched to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<GrantId>,
    /// How its one token came of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchanged: Option<Exchanged>,
}

/// An exchange (RFC 8693): there is one access token, and what it says beyond the person and the organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchanged {
    /// The applications that act, by their client ids, the last one first.
    pub act: Vec<String>,
    pub audience: Vec<String>,
    /// How many exchanges it took.
    pub times: u32,
}

/// The sign-in that a family stands on. ID tokens tell of it, whenever they are made (OpenID Connect Core, section 12.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    pub at: Moment,
    pub assurance: Assurance,
    /// When whatever stands on it must end.
    pub until: Moment,
}

impl SignedIn {
    pub fn of(session: &Session) -> Self {
        Self { at: session.authenticated_at, assurance: session.assurance.clone(), until: session.expires_at }
    }
}
