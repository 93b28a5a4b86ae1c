//! People who get in when their organization's own sign-in is down, in the durable store. Whoever makes one is still to
//! come: until then there is none, and nothing here lets anybody in.

use super::engine::{Read, StoreError, params};
use crate::foundation::clock::Moment;
use crate::foundation::id::OrganizationId;
use crate::model::role;

/// Whether somebody who owns or administers the organization has shown, since then, that they get in, with a second factor
/// that they hold: nobody else could let the others in again (S1-T2).
pub async fn is_proved(
    db: &mut impl Read,
    organization: OrganizationId,
    since: Moment,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM break_glass b
               JOIN memberships m ON m.organization_id = b.organization_id AND m.user_id = b.user_id
               JOIN membership_roles r ON r.membership_id = m.id AND r.role IN ($3, $4)
               JOIN users u ON u.id = b.user_id
               WHERE b.organization_id = $1 AND b.factor_verified_at IS NOT NULL AND b.last_used_at >= $2
                 AND m.status = 'active' AND u.disabled_at IS NULL LIMIT 1";
    Ok(db.one(sql, params![organization, since, role::OWNER, role::ADMIN]).await?.is_some())
}
