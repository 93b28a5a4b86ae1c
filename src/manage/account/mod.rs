//! What is somebody's own: where they are signed in, what applications hold of them, which organizations they belong to.
//! They see and end it themselves, on [`pages`] of ours or by an application; of a member, whoever looks after an
//! organization's members sees and ends what concerns that organization, and nothing else.

pub mod api;
mod here;
pub mod pages;
mod view;

use super::desk::Change;
use super::people::{self, Going};
use super::refused::Refused;
use super::session;
use crate::foundation::id::{ApplicationId, OrganizationId, SessionId, UserId};
use crate::join::sign_out::{self, Cause, Held, Within};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::consent::Told;
use crate::store::durable::{consents, sessions, signed_in};
use crate::telemetry::names;
use crate::web::holder::{ActsFor, NotActing, StandFor};

/// Ends one of somebody's own sessions, as a sign-out there would. Somebody else's reads as what there is not.
async fn end_session(change: &mut Change<'_, '_>, user: UserId, id: SessionId) -> Result<(), Refused> {
    let now = change.keep.now;
    let found = sessions::by_id(change.tx, change.keep.project.id, id).await?;
    let own = found.is_some_and(|session| session.user_id == user && session.is_alive(now));
    if !own || !sign_out::end(change.tx, change.keep, id, Cause::Person).await? {
        return Err(Refused::hidden());
    }
    names::signed_out(Cause::Person.word(), 1);
    Ok(())
}

/// Takes back what an application holds of somebody, and with it what they have allowed it: it asks them again.
async fn take_back(
    change: &mut Change<'_, '_>,
    user: UserId,
    application: ApplicationId,
    within: Within,
) -> Result<(), Refused> {
    let held = Held { user, application, within };
    let families = sign_out::take_back(change.tx, change.keep, &held).await?;
    let organization = match within {
        Within::Everything | Within::Personal => None,
        Within::Organization(id) => Some(id),
    };
    let goes = |told: &Told| within == Within::Everything || told.organization == organization;
    let withdrawn = consents::withdraw(change.tx, user, application, goes, change.keep.now).await?;
    if withdrawn {
        let event = AuditEvent::new(change.keep.project.id, "consent.withdrawn", Outcome::Changed)
            .organization(organization)
            .actor(change.keep.actor)
            .subject(application)
            .request(change.keep.request);
        change.record(&event).await?;
    }
    if families == 0 && !withdrawn { Err(Refused::hidden()) } else { Ok(()) }
}

/// Ends what a member's session has for the organization, and no more of it: the rest is not the organization's. Nobody
/// ends it for who stands above them.
async fn end_within(
    change: &mut Change<'_, '_>,
    (organization, user): (OrganizationId, UserId),
    session: SessionId,
) -> Result<(), Refused> {
    people::touchable(change, organization, user).await?;
    let now = change.keep.now;
    if !signed_in::is_within(change.tx, (organization, user), session, now).await? {
        return Err(Refused::hidden());
    }
    sign_out::end_within(change.tx, change.keep, session, organization, Cause::Organization).await?;
    Ok(())
}

/// Whether somebody may act for an organization by the session that they have, with every check of what is issued. It is
/// locked as whoever changes it does, and first.
async fn stands(
    change: &mut Change<'_, '_>,
    session: SessionId,
    organization: OrganizationId,
    stand_for: StandFor,
) -> Result<ActsFor, Refused> {
    change.organization(organization).await?;
    let (project, now) = (change.keep.project.id, change.keep.now);
    let found = stand_for(change.tx, project, session, organization, now).await?;
    found.map_err(|why| match why {
        // At one's own page nothing is said of what one does not belong to.
        NotActing::NotAMember => Refused::hidden(),
        why => session::refused(why),
    })
}

/// Makes it the session's current organization.
async fn switch(
    change: &mut Change<'_, '_>,
    session: SessionId,
    organization: OrganizationId,
    stand_for: StandFor,
) -> Result<(), Refused> {
    let acts = stands(change, session, organization, stand_for).await?;
    session::switched(change, session, &acts.organization).await
}

/// They leave an organization of theirs, by the rules that there are wherever somebody leaves.
async fn leave(
    change: &mut Change<'_, '_>,
    (session, user): (SessionId, UserId),
    organization: OrganizationId,
    stand_for: StandFor,
) -> Result<(), Refused> {
    let acts = stands(change, session, organization, stand_for).await?;
    if acts.delegation.is_some() {
        return Err(Refused::hidden());
    }
    people::remove(change, organization, user, Going::Leaving).await
}
