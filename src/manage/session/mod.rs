//! Who a caller is, what they may do and why, and for whom they act.

pub mod api;
mod reasons;
mod view;

use super::caller::{Acting, Who};
use super::desk::{Change, Desk};
use super::refused::{Code, Refused};
use crate::foundation::id::OrganizationId;
use crate::model::organization::Organization;
use crate::store::durable::choices::{self, Choice};
use crate::store::durable::engine::StoreError;
use crate::store::durable::standing::{self, Standing};
use crate::store::durable::{organizations, sessions};
use crate::web::holder::{ActsFor, Holder, NotActing, TryFor};

/// The person who asks, by one of their tokens.
fn person(desk: &Desk) -> Result<Acting, Refused> {
    match desk.caller.who {
        Who::Person(acting) => Ok(acting),
        _ => Err(Refused::new(Code::PersonRequired, Code::PersonRequired.title())),
    }
}

fn gone() -> Refused {
    Refused::new(Code::Unauthenticated, Code::Unauthenticated.title())
}

/// Whom their token stands for, with what only the pipeline tells.
async fn holder(desk: &Desk) -> Result<Holder, Refused> {
    let (grant, project, now) = (person(desk)?.grant, desk.project().id, desk.now);
    let look_again = desk.visitor.front.look_again;
    let found = desk.db().read(async move |tx| look_again(tx, project, grant, now).await).await?;
    found.ok_or_else(gone)
}

async fn standing_of(desk: &Desk) -> Result<Standing, Refused> {
    let found = standing::of(&mut desk.db(), desk.project().id, person(desk)?.session).await?;
    found.ok_or_else(gone)
}

/// What the session has as its current organization, if the person may still act for it (S0-30 f).
async fn current(desk: &Desk, standing: &Standing) -> Result<Option<Choice>, StoreError> {
    match sessions::current(&mut desk.db(), standing.session.id).await? {
        Some(id) => choices::to(&mut desk.db(), &standing.user, id, desk.now).await,
        None => Ok(None),
    }
}

/// The organization that the person means to act for; what does not exist reads like what is not theirs.
async fn named(change: &mut Change<'_, '_>, name: &str) -> Result<OrganizationId, Refused> {
    let found = organizations::named(change.tx, change.keep.project.id, name).await?;
    Ok(found.ok_or_else(|| refused(NotActing::NotAMember))?.id)
}

/// Makes it the session's current one, if every check of the pipeline lets them.
async fn switch(
    change: &mut Change<'_, '_>,
    acting: Acting,
    id: OrganizationId,
    try_for: TryFor,
) -> Result<ActsFor, Refused> {
    let (project, now) = (change.keep.project.id, change.keep.now);
    let found = try_for(change.tx, project, acting.grant, id, now).await?;
    let acts = found.map_err(refused)?;
    let Organization { epoch, .. } = acts.organization;
    if !sessions::switch(change.tx, acting.session, id, epoch).await? {
        return Err(gone());
    }
    let event = change.keep.event("session.organization_switched", id).subject(acting.session);
    change.record(&event).await?;
    Ok(acts)
}

fn refused(why: NotActing) -> Refused {
    let code = match why {
        NotActing::NotAMember => Code::NotAMember,
        NotActing::SsoRequired => Code::SsoRequired,
        NotActing::MfaRequired => Code::MfaRequired,
        NotActing::TooOld => Code::ReauthenticationRequired,
    };
    Refused::new(code, code.title())
}
