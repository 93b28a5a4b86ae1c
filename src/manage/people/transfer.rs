//! An owner gives an organization to somebody else (S1-R11): at once, or when they have accepted it.

use std::time::Duration;

use super::{owns, present, written};
use crate::foundation::id::{OrganizationId, TransferId, UserId};
use crate::join::notices;
use crate::manage::desk::Change;
use crate::manage::last_way::LastWay;
use crate::manage::refused::{Code, Refused};
use crate::model::mail::Kind;
use crate::model::membership::{Membership, MembershipStatus};
use crate::model::permission::Permission;
use crate::model::role;
use crate::store::durable::transfers::{self, Transfer};
use crate::store::durable::{memberships, users, vouched};

/// How long an offer waits.
const WAITS: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Offers it; nothing changes until it is accepted.
pub async fn offer(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    from: UserId,
    to: UserId,
) -> Result<Transfer, Refused> {
    heir(change, organization, from, to).await?;
    let keep = change.keep;
    if transfers::pending(change.tx, organization, keep.now).await?.is_some() {
        return Err(Refused::new(Code::TransferPending, Code::TransferPending.title()));
    }
    let id = TransferId::new(&keep.random, keep.now);
    let expires_at = keep.now.plus(WAITS);
    let offered = Transfer { id, organization_id: organization, from, to, created_at: keep.now, expires_at };
    transfers::insert(change.tx, keep.project.id, &offered).await?;
    let event = keep.event("organization.ownership_offered", organization).subject(to);
    change.record(&event.with("transfer", id.to_string()).with("from", from.to_string())).await?;
    notices::person(change.tx, keep, organization, to, (Kind::OwnershipOffered, Some(from))).await?;
    Ok(offered)
}

/// Gives it at once.
pub async fn give(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    from: UserId,
    to: UserId,
) -> Result<(), Refused> {
    let heir = heir(change, organization, from, to).await?;
    // What was offered to somebody else is offered no more: of two heirs there is one.
    cancelled(change, organization).await?;
    hand_over(change, organization, from, heir).await
}

/// Accepts what waits for this person. Whoever offered it must own the organization still, and they are to be known by the
/// same word as then.
pub async fn accept(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    to: UserId,
) -> Result<UserId, Refused> {
    let taken = transfers::accept(change.tx, organization, to, change.keep.now).await?;
    let Transfer { from, created_at, .. } = taken.ok_or_else(Refused::hidden)?;
    // It was offered to whom another word named, which may be somebody else (threats C02).
    if vouched::is_anothers_word(change.tx, (change.keep.project.id, to), created_at).await? {
        let detail = "since it was offered, another version of their connection has gone live, or somebody has said what \
                      their provider calls them: it is to be taken back, and offered anew";
        return Err(Refused::new(Code::OfferOutdated, detail));
    }
    let heir = heir(change, organization, from, to).await?;
    hand_over(change, organization, from, heir).await?;
    Ok(from)
}

/// Takes it back, or turns it down.
pub async fn cancel(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    who: UserId,
) -> Result<(), Refused> {
    let waits = transfers::pending(change.tx, organization, change.keep.now).await?;
    let waits = waits.ok_or_else(Refused::hidden)?;
    let owns = change.standing.may(Permission::OrganizationTransfer, organization);
    if waits.from != who && waits.to != who && !owns {
        return Err(Refused::hidden());
    }
    cancelled(change, organization).await
}

async fn cancelled(change: &mut Change<'_, '_>, organization: OrganizationId) -> Result<(), Refused> {
    if let Some(gone) = transfers::cancel(change.tx, organization, change.keep.now).await? {
        let event = change.keep.event("organization.ownership_offer_cancelled", organization);
        change.record(&event.subject(gone.to).with("transfer", gone.id.to_string())).await?;
    }
    Ok(())
}

/// The active member who is to own it.
async fn heir(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    from: UserId,
    to: UserId,
) -> Result<Membership, Refused> {
    let inactive = || Refused::by(Code::TargetNotActive);
    if from == to {
        return Err(Refused::by(Code::AlreadyOwner));
    }
    let heir = present(change, organization, to).await?;
    if heir.status != MembershipStatus::Active {
        return Err(inactive());
    }
    let user = users::by_id(change.tx, change.keep.project.id, to).await?;
    user.filter(|user| user.disabled_at.is_none()).map(|_| heir).ok_or_else(inactive)
}

/// The one becomes an owner, the other an administrator: both or neither.
async fn hand_over(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    from: UserId,
    heir: Membership,
) -> Result<(), Refused> {
    let old = memberships::locked(change.tx, organization, from).await?;
    let old = old.filter(owns);
    let old = old.ok_or_else(|| Refused::by(Code::NotOwner))?;
    let (to, action) = (heir.user_id, "organization.member.role_changed");
    let last_way = LastWay::before(change, organization).await?;
    let after = Membership { roles: with(role::OWNER, &heir.roles), ..heir.clone() };
    if after != heir {
        written(change, action, &heir, &after).await?;
    }
    let after = Membership { roles: with(role::ADMIN, &old.roles), ..old.clone() };
    written(change, action, &old, &after).await?;
    last_way.stays(change, false).await?;
    let keep = change.keep;
    let event = keep.event("organization.ownership_transferred", organization).subject(to);
    change.record(&event.with("from", from.to_string())).await?;
    notices::person(change.tx, keep, organization, to, (Kind::OwnershipGiven, Some(from))).await?;
    Ok(notices::person(change.tx, keep, organization, from, (Kind::OwnershipHandedOver, None)).await?)
}

/// A built-in role, and whatever other roles they have.
fn with(built_in: &str, roles: &[String]) -> Vec<String> {
    let others = roles.iter().filter(|name| role::built_in(name).is_none()).cloned();
    std::iter::once(built_in.to_owned()).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_r11_an_owner_becomes_an_administrator_and_keeps_what_else_they_are() {
        let roles = ["owner", "billing", "member"].map(str::to_owned);
        assert_eq!(with(role::ADMIN, &roles), ["admin", "billing"]);
        assert_eq!(with(role::OWNER, &["member".to_owned()]), ["owner"]);
    }
}
