//! We vouch for them: a code, then tokens. Whatever is issued went through [`mint`].

pub mod api;
mod claims;
mod client;
pub mod mint;

use std::time::Duration;

use super::Stop;
use crate::audit;
use crate::foundation::id::GrantId;
use crate::foundation::secret::Secret;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::grant::{Grant, GrantRequest};
use crate::model::login::Ready;
use crate::store::durable::engine::StoreError;
use crate::store::durable::grants;
use crate::web::visitor::Visitor;

/// How long a token family lives at most without a refresh token: the code, and the longest access token.
const FAMILY: Duration = Duration::from_secs(3_600 + 120);

/// A code for somebody who passes every check of the pipeline; only its digest is kept.
pub async fn code(visitor: &Visitor, ready: &Ready) -> Result<Secret, Stop> {
    let broker = visitor.broker();
    let (random, now) = (broker.random.clone(), broker.now());
    let code = random.token();
    let digest = code.digest();
    let request = mint::Request {
        project: ready.project(),
        application: ready.asked().application,
        session: ready.session(),
        context: ready.context(),
        scopes: ready.asked().scopes.clone(),
        now,
    };
    let lifetime = Duration::from_secs(broker.config.tokens.code_lifetime);
    let asked = ready.asked();
    let kept = GrantRequest {
        redirect_uri: asked.redirect_uri_given.then(|| asked.redirect_uri.clone()),
        code_challenge: asked.code_challenge.clone(),
        nonce: asked.nonce.clone(),
        scopes: asked.scopes.clone(),
    };
    let tag = visitor.request;
    let issued = broker.db.write_on_snapshot(async move |tx| {
        let minted = match mint::run(tx, &request).await? {
            Ok(minted) => minted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let grant = Grant {
            id: GrantId::new(&random, now),
            project_id: request.project,
            session_id: request.session,
            application_id: request.application,
            user_id: minted.user.id,
            organization: request.context.organization(),
            delegation: request.context.delegation(),
            request: kept,
            code_expires_at: now.plus(lifetime),
            expires_at: now.plus(FAMILY),
            revoked_at: None,
        };
        grants::insert(tx, &grant, digest, now).await?;
        let event = AuditEvent::new(request.project, "login.code_issued", Outcome::Granted)
            .organization(grant.organization)
            .actor(minted.user.id)
            .subject(grant.id)
            .request(Some(tag));
        let event = minted.describe(event);
        audit::record(tx, &random, now, &event).await?;
        Ok::<_, StoreError>(Ok(()))
    });
    match issued.await? {
        Ok(()) => Ok(code),
        Err(refusal) => Err(Stop::Refused(refusal)),
    }
}
