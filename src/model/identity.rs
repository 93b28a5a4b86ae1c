//! An identity: what one upstream calls the user. `(connection, issuer, subject)` is unique.

use serde::{Deserialize, Serialize};

use crate::foundation::clock::Moment;
use crate::foundation::id::{ConnectionId, IdentityId, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub id: IdentityId,
    pub user_id: UserId,
    pub connection_id: ConnectionId,
    pub issuer: String,
    pub subject: String,
    pub last_login_at: Moment,
}

/// What an identity's last login said beyond the profile, for the pins of organizations (S3-32).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdentityFacts {
    /// The domain of the person's Google Workspace (`hd`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosted_domain: Option<String>,
    /// The person's Microsoft tenant (`tid`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}
