//! An application gives a token back (RFC 7009): the whole family ends. Of what is not its own it learns nothing.

use super::held::{self, Found, Who, found};
use crate::audit::{self, Keep};
use crate::join::sign_out;
use crate::login::Stop;
use crate::login::refusal::Refusal;
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::Params;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{grants, machine_grants};
use crate::telemetry::names;
use crate::web::visitor::Visitor;

pub async fn revoke(visitor: &Visitor, params: &Params) -> Result<(), Stop> {
    let (application, token) = held::asked(visitor, params, "token.revocation_refused", Who::Anybody).await?;
    let broker = visitor.broker();
    let now = broker.now();
    let Some(found) = found(visitor, &token, now).await? else {
        // An application that believes otherwise would think that its session is over.
        return match held::is_id_token(visitor, &token).await? {
            true => {
                let error = OAuthError::unsupported_token_type("an ID token runs out by itself");
                Err(Refusal::Protocol(error).into())
            }
            false => Ok(()),
        };
    };
    if found.application() != application.id {
        return Ok(());
    }
    let keep = Keep {
        random: broker.random.clone(),
        project: visitor.project.clone(),
        actor: Actor::Anonymous,
        by: None,
        request: Some(visitor.request),
        now,
    };
    let ended = broker
        .db
        .write(async move |tx| {
            if !ends(tx, &keep, &found).await? {
                return Ok(false);
            }
            let event = AuditEvent::new(application.project_id, "token.revoked", Outcome::Changed)
                .request(keep.request)
                .with("application", application.id.to_string());
            audit::record(tx, &keep.random, keep.now, &of(event, &found)).await?;
            Ok::<_, StoreError>(true)
        })
        .await?;
    if ended {
        names::family_ended("revoked");
    }
    Ok(())
}

async fn ends(tx: &mut Tx<'_>, keep: &Keep, found: &Found) -> Result<bool, StoreError> {
    match found {
        Found::Family(grant, _) => {
            let ended = grants::revoke_living(tx, grant.id, keep.now).await?;
            if ended {
                sign_out::given_back(tx, keep, grant).await?;
            }
            Ok(ended)
        }
        Found::Machine(grant, _) => machine_grants::revoke_living(tx, grant.id, keep.now).await,
    }
}

fn of(event: AuditEvent, found: &Found) -> AuditEvent {
    match found {
        Found::Family(grant, _) => {
            event.organization(grant.organization).actor(grant.user_id).subject(grant.id)
        }
        Found::Machine(grant, _) => {
            event.organization(grant.organization.map(|(id, _)| id)).subject(grant.id)
        }
    }
}
