//! They sign out, here. What they hold elsewhere ends with the session: UserInfo answers no more.

pub mod pages;
pub mod saml;

use crate::audit;
use crate::foundation::id::SessionId;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::store::durable::engine::StoreError;
use crate::store::durable::{grants, sessions};
use crate::web::visitor::Visitor;

/// Ends a session and the token families that hang on it.
pub async fn end(visitor: &Visitor, session: SessionId) -> Result<(), StoreError> {
    let broker = visitor.broker();
    let (random, now) = (broker.random.clone(), broker.now());
    let event = AuditEvent::new(visitor.project.id, "session.ended", Outcome::Changed)
        .subject(session)
        .request(Some(visitor.request));
    broker
        .db
        .write(async move |tx| {
            if sessions::end(tx, session, now).await? {
                grants::revoke_of_session(tx, session, now).await?;
                audit::record(tx, &random, now, &event).await?;
            }
            Ok(())
        })
        .await
}
