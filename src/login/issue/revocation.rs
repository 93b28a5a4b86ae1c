//! An application gives a token back (RFC 7009): the whole family ends. Of what is not its own it learns nothing.

use super::held::{self, found};
use crate::audit;
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::store::durable::grants;
use crate::telemetry::names;
use crate::web::visitor::Visitor;

pub async fn revoke(visitor: &Visitor, params: &Params) -> Result<(), Stop> {
    let (application, token) = held::asked(visitor, params, "token.revocation_refused").await?;
    let broker = visitor.broker();
    let (random, now, tag) = (broker.random.clone(), broker.now(), visitor.request);
    let Some((grant, _)) = found(visitor, &token, now).await? else {
        // An application that believes otherwise would think that its session is over.
        return match held::is_id_token(visitor, &token).await? {
            true => {
                Err(Refusal::Protocol(OAuthError::unsupported_token_type("an ID token runs out by itself"))
                    .into())
            }
            false => Ok(()),
        };
    };
    if grant.application_id != application.id {
        return Ok(());
    }
    let ended = broker
        .db
        .write(async move |tx| {
            if !grants::revoke_living(tx, grant.id, now).await? {
                return Ok(false);
            }
            let event = AuditEvent::new(grant.project_id, "token.revoked", Outcome::Changed)
                .organization(grant.organization)
                .actor(grant.user_id)
                .subject(grant.id)
                .request(Some(tag))
                .with("application", application.id.to_string());
            audit::record(tx, &random, now, &event).await?;
            Ok::<_, crate::store::durable::engine::StoreError>(true)
        })
        .await?;
    if ended {
        names::family_ended("revoked");
    }
    Ok(())
}
