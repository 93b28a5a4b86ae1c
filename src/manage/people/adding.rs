//! Somebody is added, or comes back, by who may give what they get.

use super::{kind, record, refuse_roles, shown};
use crate::foundation::email::Email;
use crate::foundation::id::{OrganizationId, UserId};
use crate::join::{self, Joined, Joining, owners};
use crate::manage::authority::Standing;
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::membership::{Membership, MembershipKind, MembershipSource, MembershipStatus};
use crate::model::project::MembershipMode;
use crate::store::durable::people::{self, Member};
use crate::store::durable::{domains, memberships, users};

/// Whom to add, as they are named.
#[derive(Clone, Debug)]
pub enum Named {
    User(UserId),
    /// Of an address that the organization's own verified domain has proved.
    Email(Email),
}

/// Who is to be a member, and as what.
#[derive(Clone, Debug)]
pub struct Adding {
    pub who: Named,
    pub roles: Vec<String>,
    pub kind: Option<MembershipKind>,
    /// Whether somebody who was removed may come back.
    pub restore: bool,
}

/// Adds a member (S1-R07, S2-35).
pub(super) async fn add(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    adding: &Adding,
) -> Result<Member, Refused> {
    refuse_roles(change, organization, &adding.roles).await?;
    let user = found(change, organization, &adding.who).await?;
    let exclusive = change.keep.project.settings.membership_mode == MembershipMode::Exclusive;
    let kind = adding.kind.unwrap_or(if exclusive { MembershipKind::Home } else { MembershipKind::Member });
    let (source, roles) = (MembershipSource::Manual, &adding.roles);
    let joining = Joining { user, organization, kind, source, roles };
    match join::join(change.tx, change.keep, &joining).await? {
        Joined::Now(_) => {}
        Joined::Elsewhere => {
            return Err(Refused::new(Code::MembershipExclusive, Code::MembershipExclusive.title()));
        }
        Joined::Already(before) => restore(change, adding, before, kind).await?,
    }
    shown(change, organization, user).await
}

/// Who was removed comes back only where that is said.
async fn restore(
    change: &mut Change<'_, '_>,
    adding: &Adding,
    before: Membership,
    kind: MembershipKind,
) -> Result<(), Refused> {
    match before.status {
        MembershipStatus::Removed if adding.restore => {}
        MembershipStatus::Removed => {
            return Err(Refused::new(
                Code::MembershipBlocked,
                "they were removed; say restore to add them again",
            ));
        }
        _ => return Err(Refused::new(Code::AlreadyMember, Code::AlreadyMember.title())),
    }
    kind::refuse(change, &before, (kind, &adding.roles)).await?;
    let (status, source) = (MembershipStatus::Active, MembershipSource::Manual);
    let after = Membership { status, source, kind, roles: adding.roles.clone(), ..before.clone() };
    owners::change(change.tx, change.keep, &after).await?;
    let event = change.keep.event("organization.member.added", after.organization_id);
    let event = event.subject(after.user_id).with("source", source.word()).with("restored", true);
    record(change, event, &before, &after).await
}

/// The user, if they are within reach: of the organization's own, or for the operator anybody of the project.
async fn found(
    change: &mut Change<'_, '_>,
    organization: OrganizationId,
    who: &Named,
) -> Result<UserId, Refused> {
    let is_operator = matches!(change.standing, Standing::Operator(_));
    let project = change.keep.project.id;
    let nobody = || Refused::new(Code::UserNotFound, "invite them, if they have not been here yet");
    match who {
        Named::Email(email) => {
            let domain = domains::held(change.tx, project, email.domain()).await?;
            let domain = domain.filter(|domain| is_operator || domain.organization_id == organization);
            let domain = domain.ok_or_else(nobody)?;
            people::of_claim(change.tx, project, domain.id, email).await?.ok_or_else(nobody)
        }
        Named::User(id) => {
            let user = users::by_id(change.tx, project, *id).await?.ok_or_else(nobody)?;
            let is_known = is_operator || memberships::find(change.tx, organization, *id).await?.is_some();
            let email = user.proved_email().cloned();
            match email {
                _ if is_known => Ok(*id),
                Some(email) => match domains::held(change.tx, project, email.domain()).await? {
                    Some(domain) if domain.organization_id == organization => {
                        let of_claim = people::of_claim(change.tx, project, domain.id, &email).await?;
                        of_claim.filter(|proved| proved == id).ok_or_else(nobody)
                    }
                    _ => Err(nobody()),
                },
                None => Err(nobody()),
            }
        }
    }
}
