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
    pub request: GrantRequest,
    pub code_expires_at: Moment,
    pub expires_at: Moment,
    pub revoked_at: Option<Moment>,
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
