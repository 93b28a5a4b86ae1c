//! What kind of member somebody is: for whom they may act besides.

use super::{refuse_own, refuse_roles};
use crate::manage::desk::Change;
use crate::manage::opening::may_open;
use crate::manage::refused::{Code, Refused};
use crate::model::membership::{Membership, MembershipKind};
use crate::model::role;
use crate::store::durable::users;
use crate::store::durable::vouched::{self, Place, Vouched};

/// Who is a guest no more acts for whomever others let the organization's own people act for: that is given like a role
/// (threats H01), by nobody's leave and to nobody by themselves; and where there is somebody to act for, by an owner.
pub(super) async fn refuse(
    change: &mut Change<'_, '_>,
    before: &Membership,
    (kind, roles): (MembershipKind, &[String]),
) -> Result<(), Refused> {
    let is_own = |kind| matches!(kind, MembershipKind::Home | MembershipKind::Member);
    if is_own(before.kind) || !is_own(kind) {
        return Ok(());
    }
    if change.standing.is_by_leave() {
        return Err(Refused::new(
            Code::RoleCeiling,
            "whom others let act for them is nobody's to say by a leave",
        ));
    }
    let (organization, project) = (before.organization_id, change.keep.project.id);
    refuse_roles(change, organization, roles).await?;
    refuse_own(change, before.user_id, &[role::MEMBER.to_owned()]).await?;
    let user = users::by_id(change.tx, project, before.user_id).await?.ok_or_else(Refused::hidden)?;
    let place = Place { project, organization, now: change.keep.now };
    let elsewhere = vouched::by_kind(change.tx, place, user.proved_email()).await?;
    let opened = Vouched { elsewhere, ..Vouched::default() };
    let detail = "others let the organization's own people act for them: an owner who has just signed in says who is one";
    may_open(change, organization, &opened, detail).await
}
