//! Who answers for what a connection does once it is live: whose word is believed, who becomes a member, and as what.

mod given;
mod trust;

use super::Held;
use crate::foundation::id::OrganizationId;
use crate::manage::authority::Standing;
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::connection::Settings;

pub use given::{assigned, fits};
pub use trust::refuse_unread;

/// Whether the caller answers for what these settings do as soon as they are live: whose word is believed, and who becomes
/// a member.
pub async fn may_be_live(change: &mut Change<'_, '_>, before: &Held, next: &Settings) -> Result<(), Refused> {
    trust::refuse_foreign_trust(change, before, next).await?;
    given::lets_in(change, &before.connection, next).await
}

/// Whether the roles that the draft gives, beyond those that are given now, may still be given.
pub async fn roles_fit(change: &mut Change<'_, '_>, before: &Held) -> Result<(), Refused> {
    let live = before.connection.is_active().then_some(&*before.connection.settings);
    given::may_come(change, before.connection.organization_id, live, before.head().0).await
}

/// Into which further organizations people come is the operator's to say, also where it was so once.
pub fn refuse_further_places(
    change: &Change<'_, '_>,
    live: &Settings,
    next: &Settings,
) -> Result<(), Refused> {
    let further = |id: &OrganizationId| !live.assign_organizations.contains(id);
    if next.assign_organizations.iter().any(further) && !matches!(change.standing, Standing::Operator(_)) {
        return Err(Refused::new(Code::OperatorRequired, "assign_organizations is the operator's"));
    }
    Ok(())
}
