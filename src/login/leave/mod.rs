//! They sign out: here, at the applications that they have used, and at their identity provider.
//!
//! Whatever ends a session ends it in one transaction (`Ending`): the session, the token families that hang on it, the
//! event, and the row by which applications are told afterwards ([`crate::chores::logouts`]). A person comes by the
//! [`pages`], on their own or sent by an application whose [`request`] is judged there; their identity provider comes by
//! [`saml`] or [`oidc`]. Then the browser goes on in one order: to the provider, if it can sign them out, too; and back to the
//! application that wanted it, or to the page that says what is known ([`after`]).

pub mod after;
pub mod oidc;
pub mod pages;
pub mod request;
pub mod saml;

use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::{OrganizationId, ProjectId, RequestId, SessionId, UserId};
use crate::foundation::random::Random;
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::sign_out::Ended;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{grants, sessions, sign_outs};
use crate::telemetry::names;
use crate::web::visitor::Visitor;

/// By whose wish a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The person's, on our page.
    Person,
    /// An application's that proved whose session it is.
    Application,
    /// Their identity provider's.
    Provider,
}

impl Cause {
    const fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Application => "application",
            Self::Provider => "provider",
        }
    }
}

/// Ends a session and the token families that hang on it: all but those for offline access.
pub async fn end(visitor: &Visitor, session: SessionId, cause: Cause) -> Result<(), StoreError> {
    let ending = Ending::of(visitor, cause);
    visitor.broker().db.write(async move |tx| ending.end(tx, session).await).await
}

/// Ends what a session has for one organization: it goes on, and so does what it has for others.
pub async fn end_within(
    visitor: &Visitor,
    session: SessionId,
    organization: OrganizationId,
    cause: Cause,
) -> Result<(), StoreError> {
    let ending = Ending::of(visitor, cause);
    visitor.broker().db.write(async move |tx| ending.end_within(tx, session, organization).await).await
}

/// Ends every session of somebody, in this browser and in others, and all that was issued to them.
pub async fn end_everywhere(visitor: &Visitor, user: UserId) -> Result<(), StoreError> {
    let ending = Ending::of(visitor, Cause::Person);
    visitor.broker().db.write(async move |tx| ending.end_everywhere(tx, user).await).await
}

/// The end of sessions, as part of a transaction.
struct Ending {
    random: Random,
    now: Moment,
    project: ProjectId,
    request: RequestId,
    cause: Cause,
}

impl Ending {
    fn of(visitor: &Visitor, cause: Cause) -> Self {
        let broker = visitor.broker();
        let (random, now) = (broker.random.clone(), broker.now());
        Self { random, now, project: visitor.project.id, request: visitor.request, cause }
    }

    async fn end(&self, tx: &mut Tx<'_>, session: SessionId) -> Result<(), StoreError> {
        if sessions::end(tx, session, self.now).await? {
            grants::end_of_session(tx, session, self.now).await?;
            sign_outs::queue(tx, self.project, Ended::Session(session), self.now).await?;
            self.told(tx, session, None).await?;
        }
        Ok(())
    }

    async fn end_within(
        &self,
        tx: &mut Tx<'_>,
        session: SessionId,
        organization: OrganizationId,
    ) -> Result<(), StoreError> {
        let families = grants::revoke_within(tx, session, organization, self.now).await?;
        sessions::leave(tx, session, organization).await?;
        sign_outs::queue(tx, self.project, Ended::Within(session, organization), self.now).await?;
        let event = AuditEvent::new(self.project, "session.organization_left", Outcome::Changed)
            .organization(Some(organization))
            .subject(session)
            .request(Some(self.request))
            .with("cause", self.cause.word())
            .with("families", families);
        audit::record(tx, &self.random, self.now, &event).await
    }

    async fn end_everywhere(&self, tx: &mut Tx<'_>, user: UserId) -> Result<(), StoreError> {
        let ended = sessions::end_of_user(tx, user, self.now).await?;
        grants::revoke_of_user(tx, user, self.now).await?;
        sign_outs::queue_sessions_of(tx, user, self.now).await?;
        for session in ended {
            self.told(tx, session, Some(user)).await?;
        }
        Ok(())
    }

    /// `by`: who ended it from another one of theirs, perhaps.
    async fn told(&self, tx: &mut Tx<'_>, session: SessionId, by: Option<UserId>) -> Result<(), StoreError> {
        names::signed_out(self.cause.word(), 1);
        let event = AuditEvent::new(self.project, "session.ended", Outcome::Changed)
            .actor(by.map_or(Actor::Anonymous, Actor::User))
            .subject(session)
            .request(Some(self.request))
            .with("cause", self.cause.word())
            .with("everywhere", by.is_some());
        audit::record(tx, &self.random, self.now, &event).await
    }
}
