//! Somebody is asked whether an application of others may be told of them: before the first code, and again where it wants
//! to know more. What they have allowed is remembered until they take it back at their account.

pub mod pages;

use super::Stop;
use super::refusal::Refusal;
use crate::audit;
use crate::model::application::Application;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::consent;
use crate::model::login::{Acting, Asked};
use crate::store::durable::engine::StoreError;
use crate::store::durable::{consents, sessions};
use crate::web::visitor::Visitor;

/// What they are asked to allow.
fn wanted(asked: &Asked) -> Vec<String> {
    consent::wanted(&asked.scopes, &asked.claims)
}

/// Remembers that the person allows it.
async fn allow(
    visitor: &Visitor,
    application: &Application,
    asked: &Asked,
    acting: &Acting,
) -> Result<(), Stop> {
    let (broker, project) = (visitor.broker(), visitor.project.id);
    let (random, now) = (broker.random.clone(), broker.now());
    let (session, id, scopes) = (acting.session, application.id, wanted(asked));
    let organization = acting.context.organization();
    let event = AuditEvent::new(project, "consent.granted", Outcome::Granted)
        .organization(organization)
        .subject(id)
        .request(Some(visitor.request))
        .with("scopes", scopes.join(" "))
        .with("address", visitor.address.to_string());
    let kept = broker
        .db
        .write(async move |tx| {
            let session = sessions::by_id(tx, project, session).await?;
            let Some(session) = session.filter(|session| session.is_alive(now)) else {
                return Ok(Err(Refusal::SessionEnded));
            };
            consents::allow(tx, session.user_id, id, (&scopes, organization), now).await?;
            audit::record(tx, &random, now, &event.actor(session.user_id)).await?;
            Ok::<_, StoreError>(Ok(()))
        })
        .await?;
    Ok(kept?)
}
