//! A grant: a token family of one (session, application, organization). It begins as an authorization code.

use serde::{Deserialize, Serialize};

use crate::foundation::clock::Moment;
use crate::foundation::id::{
    ApplicationId, DelegationId, GrantId, OrganizationId, ProjectId, SessionId, UserId,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    pub scopes: Vec<String>,
}
