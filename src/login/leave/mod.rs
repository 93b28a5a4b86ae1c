//! They sign out: here, at the applications that they have used, and at their identity provider.
//!
//! Whatever ends a session ends it in one transaction ([`crate::join::sign_out`]): the session, the token families that hang on it, the
//! event, and the row by which applications are told afterwards ([`crate::chores::logouts`]). A person comes by the
//! [`pages`], on their own or sent by an application whose [`request`] is judged there; their identity provider comes by
//! [`saml`] or [`oidc`]. Then the browser goes on in one order: to the provider, if it can sign them out, too; and back to the
//! application that wanted it, or to the page that says what is known ([`after`]).

pub mod after;
pub mod oidc;
pub mod pages;
pub mod request;
pub mod saml;

use crate::audit::Keep;
use crate::foundation::id::{OrganizationId, SessionId, UserId};
use crate::join::sign_out;
use crate::login::departure::Departure;
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::connection::Connection;
use crate::store::durable::engine::{StoreError, Tx};
use crate::telemetry::names;
use crate::web::visitor::Visitor;

pub use crate::join::sign_out::Cause;

/// Where a sign-out goes on to when it is done here.
pub enum Onward {
    /// To the identity provider, which is asked to sign them out, too.
    Asks(Departure),
    /// It offers that, and cannot be asked for it: why.
    Unasked(&'static str),
    /// It offers nothing of that kind.
    Nowhere,
}

/// The event of a sign-out that somebody may still be signed in after, at the provider or elsewhere.
fn incomplete(visitor: &Visitor, connection: &Connection) -> AuditEvent {
    AuditEvent::new(connection.project_id, "logout.incomplete", Outcome::Refused)
        .organization(connection.organization_id)
        .subject(connection.id)
        .request(Some(visitor.request))
        .reason("sign_out_incomplete")
        .with("connection", connection.id.to_string())
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
    let Ending { keep, cause } = Ending::of(visitor, cause);
    let work = async move |tx: &mut Tx<'_>| {
        sign_out::end_within(tx, &keep, session, organization, cause).await.map(drop)
    };
    visitor.broker().db.write(work).await
}

/// Ends every session of somebody, in this browser and in others, and all that was issued to them.
pub async fn end_everywhere(visitor: &Visitor, user: UserId) -> Result<(), StoreError> {
    let Ending { mut keep, cause } = Ending::of(visitor, Cause::Person);
    keep.actor = Actor::User(user);
    let work = async move |tx: &mut Tx<'_>| {
        let ended = sign_out::end_everywhere(tx, &keep, user, cause).await?;
        names::signed_out(cause.word(), ended as u64);
        Ok(())
    };
    visitor.broker().db.write(work).await
}

/// The end of sessions, as part of a transaction.
struct Ending {
    keep: Keep,
    cause: Cause,
}

impl Ending {
    fn of(visitor: &Visitor, cause: Cause) -> Self {
        let broker = visitor.broker();
        let (project, request) = (visitor.project.clone(), Some(visitor.request));
        let (random, now) = (broker.random.clone(), broker.now());
        Self { keep: Keep { random, project, actor: Actor::Anonymous, by: None, request, now }, cause }
    }

    async fn end(&self, tx: &mut Tx<'_>, session: SessionId) -> Result<(), StoreError> {
        if sign_out::end(tx, &self.keep, session, self.cause).await? {
            names::signed_out(self.cause.word(), 1);
        }
        Ok(())
    }
}
