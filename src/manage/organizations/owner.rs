//! Whose a new organization is (S1-L2, S1-R02): who made it, whoever the operator names, or who is invited to it.

use crate::broker::Broker;
use crate::foundation::email::Email;
use crate::foundation::id::{OrganizationId, UserId};
use crate::join::{Joined, Joining, join};
use crate::manage::desk::Change;
use crate::manage::invitations::{self, InvitationMade};
use crate::manage::refused::{Code, Refused};
use crate::model::membership::{MembershipKind, MembershipSource};
use crate::model::project::MembershipMode;
use crate::model::role;
use crate::protocol::problem::Place;
use crate::store::durable::engine::Lock;
use crate::store::durable::{domains, people, users};

/// Who is to own it, as they are named.
#[derive(Clone, Debug)]
pub enum Owner {
    User(UserId),
    /// Of this address: whoever has proved it, or whoever will.
    Email(Email),
}

/// Makes them its owner, or invites them where nobody has proved the address yet.
pub(super) async fn give(
    change: &mut Change<'_, '_>,
    at: &Broker,
    organization: OrganizationId,
    owner: &Owner,
) -> Result<Option<InvitationMade>, Refused> {
    let (user, place) = match owner {
        Owner::User(id) => (*id, "/owner_user_id"),
        Owner::Email(email) => match whose(change, email).await? {
            Some(id) => (id, "/owner_email"),
            None => return invitations::invite_owner(change, at, organization, email).await.map(Some),
        },
    };
    refuse_unknown(change, user, place).await?;
    let exclusive = change.keep.project.settings.membership_mode == MembershipMode::Exclusive;
    let kind = if exclusive { MembershipKind::Home } else { MembershipKind::Member };
    let (source, roles) = (MembershipSource::Manual, [role::OWNER.to_owned()]);
    let joining = Joining { user, organization, kind, source, roles: &roles };
    match join(change.tx, change.keep, &joining).await? {
        Joined::Now(_) | Joined::Already(_) => Ok(None),
        Joined::Elsewhere => Err(Refused::new(Code::MembershipExclusive, Code::MembershipExclusive.title())),
    }
}

/// Who has proved the address to the domain's present holder.
async fn whose(change: &mut Change<'_, '_>, email: &Email) -> Result<Option<UserId>, Refused> {
    let project = change.keep.project.id;
    match domains::held(change.tx, project, email.domain()).await? {
        Some(domain) => Ok(people::of_claim(change.tx, project, domain.id, email).await?),
        None => Ok(None),
    }
}

/// Somebody who may sign in; nobody disables them meanwhile.
async fn refuse_unknown(change: &mut Change<'_, '_>, user: UserId, at: &str) -> Result<(), Refused> {
    change.tx.lock(Lock::Shared, "users", &user.to_string()).await?;
    let found = users::by_id(change.tx, change.keep.project.id, user).await?;
    match found.filter(|user| user.disabled_at.is_none()) {
        Some(_) => Ok(()),
        None => Err(Refused::at(
            Code::UserNotFound,
            Place::Pointer(at.into()),
            "there is nobody who could own it",
        )),
    }
}
