//! What somebody opens to people by letting a provider say who they are: it must be theirs to give (threats C02, H01).

use super::authority::{OWNERS_FRESH, Standing, is_fresh, may_grant};
use super::desk::Change;
use super::refused::{Code, Refused};
use crate::foundation::id::OrganizationId;
use crate::store::durable::roles;
use crate::store::durable::vouched::Vouched;

/// Refuses who may not give all that is opened: an owner in person who has just signed in may, and the operator; others, and
/// an application that the owner had to allow, only what they may grant. `detail`: what they are told then.
pub async fn may_open(
    change: &mut Change<'_, '_>,
    of: OrganizationId,
    opened: &Vouched,
    detail: &str,
) -> Result<(), Refused> {
    let refused = || Err(Refused::new(Code::OwnerRequired, detail));
    if *opened == Vouched::default() {
        return Ok(());
    }
    match &change.standing {
        Standing::Operator(_) => Ok(()),
        Standing::Within { is_owner: true, .. } => {
            match is_fresh(&change.standing, OWNERS_FRESH, change.keep.now) {
                true => Ok(()),
                false => Err(Refused::stale(OWNERS_FRESH)),
            }
        }
        Standing::Within { .. } => match may_give(change, of, opened).await? {
            true => Ok(()),
            false => refused(),
        },
        Standing::Nobody | Standing::Inactive(_) | Standing::KeysOff(_) => refused(),
    }
}

async fn may_give(
    change: &mut Change<'_, '_>,
    of: OrganizationId,
    opened: &Vouched,
) -> Result<bool, Refused> {
    let custom = roles::permissions(change.tx, change.keep.project.id, of).await?;
    // A role that is no more gives nothing.
    let gives = |name: &String| {
        matches!(may_grant(&change.standing, name, &custom, change.keep.now), Ok(()) | Err(Code::RoleUnknown))
    };
    Ok(!opened.elsewhere && opened.own.iter().all(gives))
}
