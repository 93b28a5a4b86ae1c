//! They sign out, here. What they hold elsewhere ends with the session: UserInfo answers no more, but for what was given
//! for offline access.

pub mod pages;
pub mod saml;

use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::{ProjectId, RequestId, SessionId};
use crate::foundation::random::Random;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{grants, sessions};
use crate::web::visitor::Visitor;

/// Ends a session and the token families that hang on it, by a sign-out.
pub async fn end(visitor: &Visitor, session: SessionId) -> Result<(), StoreError> {
    let ending = Ending::of(visitor);
    visitor.broker().db.write(async move |tx| ending.end(tx, session).await).await
}

/// The end of sessions, as part of a transaction.
struct Ending {
    random: Random,
    now: Moment,
    project: ProjectId,
    request: RequestId,
}

impl Ending {
    fn of(visitor: &Visitor) -> Self {
        let broker = visitor.broker();
        let (random, now) = (broker.random.clone(), broker.now());
        Self { random, now, project: visitor.project.id, request: visitor.request }
    }

    async fn end(&self, tx: &mut Tx<'_>, session: SessionId) -> Result<(), StoreError> {
        if sessions::end(tx, session, self.now).await? {
            grants::end_of_session(tx, session, self.now).await?;
            let event = AuditEvent::new(self.project, "session.ended", Outcome::Changed)
                .subject(session)
                .request(Some(self.request));
            audit::record(tx, &self.random, self.now, &event).await?;
        }
        Ok(())
    }
}
