//! What an application was given for itself (RFC 6749, section 4.4): one access token, of nobody.

use crate::foundation::clock::Moment;
use crate::foundation::id::{ApplicationId, GrantId, OrganizationId, ProjectId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineGrant {
    pub id: GrantId,
    pub project_id: ProjectId,
    pub application_id: ApplicationId,
    /// In which it works, and in which of its epochs that was given; in any other it is dead.
    pub organization: Option<(OrganizationId, i64)>,
    pub scopes: Vec<String>,
    pub expires_at: Moment,
    pub revoked_at: Option<Moment>,
}
