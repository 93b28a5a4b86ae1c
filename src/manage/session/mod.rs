//! Who a caller is, what they may do and why, and for whom they act.

pub mod api;
mod reasons;
mod view;

use super::api::page::{Keys, Slice};
use super::authority::Standing;
use super::caller::{Acting, Who};
use super::desk::{Change, Desk};
use super::refused::{Code, Refused};
use crate::foundation::clock::Moment;
use crate::foundation::id::{DelegationId, OrganizationId, SessionId};
use crate::model::organization::Organization;
use crate::model::user::User;
use crate::store::durable::choices::{self, Choice, Told};
use crate::store::durable::engine::{Database, StoreError};
use crate::store::durable::{applications, consents, sessions, standing};
use crate::web::holder::{ActsFor, Barred, Holder, Issued, NotActing, Prepared};
use crate::web::reply::Fault;

/// The person who asks, by one of their tokens.
pub fn person(desk: &Desk) -> Result<Acting, Refused> {
    match desk.caller.who {
        Who::Person(acting) => Ok(acting),
        _ => Err(Refused::new(Code::PersonRequired, Code::PersonRequired.title())),
    }
}

pub fn gone() -> Refused {
    Refused::new(Code::Unauthenticated, Code::Unauthenticated.title())
}

/// Whom their token stands for, with what only the pipeline tells.
async fn holder(desk: &Desk) -> Result<Holder, Refused> {
    let (grant, project, now) = (person(desk)?.grant, desk.project().id, desk.now);
    let look_again = desk.visitor.front.look_again;
    let found = desk.db().read(async move |tx| look_again(tx, project, grant, now).await).await?;
    found.ok_or_else(gone)
}

async fn standing_of(desk: &Desk) -> Result<standing::Standing, Refused> {
    let found = standing::of(&mut desk.db(), desk.project().id, person(desk)?.session).await?;
    found.ok_or_else(gone)
}

/// What the session has as its current organization, if the person may still act for it (S0-30 f), and their application
/// is told of it.
async fn current(desk: &Desk, standing: &standing::Standing) -> Result<Option<Choice>, Refused> {
    match sessions::current(&mut desk.db(), standing.session.id).await? {
        Some(id) if desk.told().await?.is_of(&mut desk.db(), id).await? => {
            Ok(choices::to(&mut desk.db(), &standing.user, id, desk.now).await?)
        }
        _ => Ok(None),
    }
}

/// Where the list of somebody's organizations goes on: their own come before those that others let them act for.
#[derive(Clone, Copy)]
pub enum Next {
    Own(Option<OrganizationId>),
    Delegated(Option<DelegationId>),
}

impl Keys for Next {
    fn texts(&self) -> Vec<String> {
        let (part, id) = match self {
            Self::Own(id) => ("own", id.map(|id| id.to_string())),
            Self::Delegated(id) => ("delegated", id.map(|id| id.to_string())),
        };
        vec![part.to_owned(), id.unwrap_or_default()]
    }

    fn of_texts(texts: &[String]) -> Option<Self> {
        let [part, id] = texts else { return None };
        match (&**part, &**id) {
            ("own", id) => id.parse().ok().map(|id| Self::Own(Some(id))),
            ("delegated", "") => Some(Self::Delegated(None)),
            ("delegated", id) => id.parse().ok().map(|id| Self::Delegated(Some(id))),
            _ => None,
        }
    }
}

/// Some of the organizations that somebody may act for, whose names begin so, with the cursor of the next ones.
pub async fn mine(
    mut db: &Database,
    (user, told, now): (&User, Told, Moment),
    search: &str,
    slice: &Slice<Next>,
) -> Result<(Vec<Choice>, Option<String>), StoreError> {
    let after = match slice.after.unwrap_or(Next::Own(None)) {
        Next::Delegated(after) => after.map(|id| id.to_string()).unwrap_or_default(),
        Next::Own(after) => {
            let after = after.map(|id| id.to_string()).unwrap_or_default();
            let found = choices::own_page(&mut db, (user.id, told), search, &after, slice.most()).await?;
            let (found, next) = slice.page(found, |last| Next::Own(Some(last.organization)));
            if next.is_some() {
                return Ok((found, next));
            }
            // Where their own end, the others begin.
            let Some(rest) = slice.rest(found.len()) else {
                let others = choices::delegated_page(&mut db, (user, told, now), search, "", 1).await?;
                let turn = (!others.is_empty()).then(|| slice.cursor(&Next::Delegated(None)));
                return Ok((found, turn));
            };
            let (others, next) = delegated(db, (user, told, now), search, "", &rest).await?;
            return Ok(([found, others].concat(), next));
        }
    };
    delegated(db, (user, told, now), search, &after, slice).await
}

/// The same of those for which others let them act.
async fn delegated(
    mut db: &Database,
    whose: (&User, Told, Moment),
    search: &str,
    after: &str,
    slice: &Slice<Next>,
) -> Result<(Vec<Choice>, Option<String>), StoreError> {
    let found = choices::delegated_page(&mut db, whose, search, after, slice.most()).await?;
    let keys = |(last, _): &(Choice, bool)| Next::Delegated(last.delegation.as_ref().map(|by| by.id));
    let (found, next) = slice.page(found, keys);
    Ok((found.into_iter().filter(|(_, meant)| *meant).map(|(choice, _)| choice).collect(), next))
}

/// Makes it the session's current one, if every check of the pipeline lets them, with a token for it.
async fn switch(
    change: &mut Change<'_, '_>,
    acting: Acting,
    (named, to): (&str, &Prepared),
) -> Result<(ActsFor, Issued), Refused> {
    let outcome = to.run(change.tx).await.map_err(|fault| match fault {
        Fault::Store(error) => Refused::from(error),
        other => Refused::from(other),
    })?;
    let (acts, issued) = match outcome {
        Ok(done) => done,
        Err(Barred { why, login_url }) => {
            // For whom else they may act is nothing that they have allowed it to be told, nor what is wanted of them there.
            let told = may_be_told(change, acting, named).await?;
            let why = if told { why } else { NotActing::NotAMember };
            let login_url = login_url.filter(|_| told && why != NotActing::ConsentRequired);
            return Err(refused(why).with_login_url(login_url));
        }
    };
    // Which organization is current is the whole browser's, and no application's of others to say (threats C22).
    if !is_by_consent(change) {
        switched(change, acting.session, &acts.organization).await?;
    }
    Ok((acts, issued))
}

fn is_by_consent(change: &Change<'_, '_>) -> bool {
    matches!(change.standing, Standing::Within { is_by_consent: true, .. })
}

/// Whether the application by which somebody comes may know that they act for the organization of this name.
async fn may_be_told(change: &mut Change<'_, '_>, acting: Acting, named: &str) -> Result<bool, Refused> {
    if !is_by_consent(change) {
        return Ok(true);
    }
    let project = change.keep.project.id;
    match applications::by_id(change.tx, project, acting.application).await? {
        Some(application) => Ok(consents::knows(change.tx, acting.user, &application, &[named]).await?),
        None => Ok(false),
    }
}

/// Writes it down for a session whose person may act for it.
pub async fn switched(
    change: &mut Change<'_, '_>,
    session: SessionId,
    to: &Organization,
) -> Result<(), Refused> {
    if !sessions::switch(change.tx, session, to.id, to.epoch).await? {
        return Err(gone());
    }
    let event = change.keep.event("session.organization_switched", to.id).subject(session);
    change.record(&event).await
}

/// Why somebody does not act for an organization, as a caller is told.
pub fn refused(why: NotActing) -> Refused {
    let code = match why {
        NotActing::NotAMember | NotActing::ConsentRequired => Code::NotAMember,
        NotActing::SsoRequired => Code::SsoRequired,
        NotActing::MfaRequired => Code::MfaRequired,
        NotActing::TooOld => Code::ReauthenticationRequired,
    };
    Refused::new(code, code.title())
}
