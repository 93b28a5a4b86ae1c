//! An identity: what one upstream calls the user. `(connection, issuer, subject)` is unique.

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
