//! How what people are signed in to ends, whoever ends it: one transaction ends it with the token families that hang on it,
//! tells of it, and queues what applications are told afterwards.

use std::collections::BTreeSet;

use crate::audit::Keep;
use crate::foundation::id::{ApplicationId, NoticeId, OrganizationId, SessionId, SignOutId, UserId};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::grant::Grant;
use crate::model::sign_out::{Ended, Entered, Notice};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{applications, grants, logout_notices, sessions, sign_outs};

/// By whose wish something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The person's own.
    Person,
    /// An application's that proved whose session it is.
    Application,
    /// Their identity provider's.
    Provider,
    /// That of whoever looks after the members of an organization.
    Organization,
    /// Nobody's: somebody else has signed in, in the same browser.
    Successor,
}

impl Cause {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Application => "application",
            Self::Provider => "provider",
            Self::Organization => "organization",
            Self::Successor => "somebody_else_signed_in",
        }
    }
}

/// Something has ended in this transaction, with which sessions, or what they have for some organization, are over:
/// applications are told of it after it.
pub async fn ended(tx: &mut Tx<'_>, keep: &Keep, what: Ended) -> Result<(), StoreError> {
    let turn = SignOutId::new(&keep.random, keep.now);
    sign_outs::queue(tx, keep.project.id, what, (turn, keep.now)).await
}

/// Ends a session and the token families that hang on it: all but those for offline access. True: it was alive until now.
pub async fn end(tx: &mut Tx<'_>, keep: &Keep, session: SessionId, cause: Cause) -> Result<bool, StoreError> {
    if !sessions::end(tx, session, keep.now).await? {
        return Ok(false);
    }
    grants::end_of_session(tx, session, keep.now).await?;
    ended(tx, keep, Ended::Session(session)).await?;
    told(tx, keep, session, cause, false).await?;
    Ok(true)
}

/// Ends what a session has for one organization: it goes on, and so does what it has for others. Tells how many families
/// that was.
pub async fn end_within(
    tx: &mut Tx<'_>,
    keep: &Keep,
    session: SessionId,
    organization: OrganizationId,
    cause: Cause,
) -> Result<u64, StoreError> {
    let families = grants::revoke_within(tx, session, organization, keep.now).await?;
    sessions::leave(tx, session, organization).await?;
    let entered = sign_outs::take_within(tx, session, organization).await?;
    tell(tx, keep, &entered, Whole::No).await?;
    let event = keep
        .event("session.organization_left", organization)
        .subject(session)
        .with("cause", cause.word())
        .with("families", families);
    keep.record(tx, &event).await?;
    Ok(families)
}

/// Ends every session of somebody, and all that was issued to them. Tells how many were alive.
pub async fn end_everywhere(
    tx: &mut Tx<'_>,
    keep: &Keep,
    user: UserId,
    cause: Cause,
) -> Result<usize, StoreError> {
    let over = sessions::end_of_user(tx, user, keep.now).await?;
    grants::revoke_of_user(tx, user, keep.now).await?;
    sign_outs::queue_sessions_of(tx, user, keep.now).await?;
    for session in &over {
        told(tx, keep, *session, cause, true).await?;
    }
    Ok(over.len())
}

async fn told(
    tx: &mut Tx<'_>,
    keep: &Keep,
    session: SessionId,
    cause: Cause,
    everywhere: bool,
) -> Result<(), StoreError> {
    let event = AuditEvent::new(keep.project.id, "session.ended", Outcome::Changed)
        .actor(keep.actor)
        .subject(session)
        .request(keep.request)
        .with("cause", cause.word())
        .with("everywhere", everywhere);
    keep.record(tx, &event).await
}

/// What an application holds of somebody: all of it, or what is for one organization, or for none.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub user: UserId,
    pub application: ApplicationId,
    pub within: Within,
}

/// For whom it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    Everything,
    Personal,
    Organization(OrganizationId),
}

/// Takes back what an application holds of somebody, for offline access or not, and codes that it has still to redeem;
/// it is told, as of a sign-out. Their sessions go on. Tells how many families that was; none: there is nothing to tell
/// of either.
pub async fn take_back(tx: &mut Tx<'_>, keep: &Keep, held: &Held) -> Result<usize, StoreError> {
    let gone = grants::take_back(tx, held.user, held.application, held.within.filter(), keep.now).await?;
    // In the trail of each organization that it concerns, and in nobody else's.
    let mut places: Vec<_> = gone.clone();
    places.sort_unstable();
    places.dedup();
    for place in places {
        let event = AuditEvent::new(keep.project.id, "grant.taken_back", Outcome::Changed)
            .organization(place)
            .actor(keep.actor)
            .subject(held.application)
            .request(keep.request)
            .with("families", gone.iter().filter(|one| **one == place).count());
        keep.record(tx, &event).await?;
    }
    if !gone.is_empty() {
        let (user, application) = (held.user, held.application);
        let entered = match held.within {
            // A logout token that names no organization ends all that the application has by that session: until the rest is
            // over, too, it is told of none.
            Within::Personal => sign_outs::take_last_of_application(tx, user, application, keep.now).await?,
            within => sign_outs::take_of_application(tx, user, application, within.filter()).await?,
        };
        let whole = if held.within == Within::Everything { Whole::Yes } else { Whole::No };
        tell(tx, keep, &entered, whole).await?;
    }
    Ok(gone.len())
}

/// An application has itself given back what it had of this family. It knows that, but may wait to be told of what was taken
/// back before, for no organization: now, if this was the last that it had besides.
pub async fn given_back(tx: &mut Tx<'_>, keep: &Keep, grant: &Grant) -> Result<(), StoreError> {
    let Some(organization) = grant.organization else { return Ok(()) };
    let of = (grant.application_id, organization);
    let rest = sign_outs::given_back(tx, grant.session_id, of, keep.now).await?;
    tell(tx, keep, rest.as_slice(), Whole::Yes).await
}

/// Whether all is over that an application has by a session, or what it has for one organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

/// Puts in line what applications are told of it: in this transaction, so that whoever opens one again at once is not signed
/// out by that.
async fn tell(tx: &mut Tx<'_>, keep: &Keep, entered: &[Entered], whole: Whole) -> Result<(), StoreError> {
    let of = |one: &Entered| {
        (one.application, one.session, one.user, one.organization.filter(|_| whole == Whole::No))
    };
    let rest = match whole {
        Whole::Yes => Vec::new(),
        Whole::No => sign_outs::take_rest(tx, entered).await?,
    };
    let told: BTreeSet<_> = entered.iter().chain(&rest).map(of).collect();
    let mut last: Option<(ApplicationId, bool)> = None;
    for (application_id, session_id, user_id, organization_id) in told {
        let is_told = match last {
            Some((known, is_told)) if known == application_id => is_told,
            _ => {
                let found = applications::by_id(tx, keep.project.id, application_id).await?;
                found.is_some_and(|one| one.settings.sign_out.backchannel_logout_uri.is_some())
            }
        };
        last = Some((application_id, is_told));
        if !is_told {
            continue;
        }
        let notice = Notice {
            id: NoticeId::new(&keep.random, keep.now),
            project_id: keep.project.id,
            application_id,
            session_id,
            user_id,
            organization_id,
            created_at: keep.now,
            expires_at: keep.now.plus(Notice::TRIED_FOR),
        };
        logout_notices::queue(tx, &notice).await?;
    }
    Ok(())
}

impl Within {
    /// As a query has it: nothing for all of it, an empty text for what is for no organization.
    fn filter(self) -> Option<String> {
        match self {
            Self::Everything => None,
            Self::Personal => Some(String::new()),
            Self::Organization(id) => Some(id.to_string()),
        }
    }
}
