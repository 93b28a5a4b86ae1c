//! We vouch for them: a code, then tokens. Whatever is issued went through [`mint`].

pub mod api;
mod claims;
pub mod client;
pub mod device;
mod held;
pub mod holder;
mod introspection;
pub mod mint;
pub mod possession;
mod presented;
mod revocation;
mod token;
mod way_in;

use std::time::Duration;

use super::Stop;
use super::flow::Claim;
use super::refusal::Refusal;
use crate::foundation::clock::Moment;
use crate::foundation::id::{GrantId, RequestId, SessionId};
use crate::foundation::random::Random;
use crate::foundation::secret::{Digest, Secret};
use crate::keys::pairwise::Names;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::consent::Place;
use crate::model::grant::{self, Grant, GrantRequest, SignedIn};
use crate::model::login::{Asked, Context, Ready};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{grants, sessions};
use crate::store::ephemeral::Kind;
use crate::web::visitor::Visitor;
use mint::Minted;

/// How long a token family lives at most without a refresh token: the code, and the longest access token.
const FAMILY: Duration = Duration::from_secs(3_600 + 120);

/// What a family is minted as, in the epochs in which it was given.
fn minting(grant: &Grant, now: Moment) -> mint::Request {
    mint::Request {
        project: grant.project_id,
        application: grant.application_id,
        session: grant.session_id,
        context: grant.context(),
        scopes: grant.request.scopes.clone(),
        claims: grant.request.claims.clone(),
        listed: claims::READ,
        offline: grant.is_offline(),
        now,
        epochs: Some(grant.epochs),
        on_device: grant.request.on_device,
        place: grant.request.place.clone(),
        is_for_us: false,
    }
}

/// What the application calls whom it got tokens for.
async fn names(visitor: &Visitor, minted: &Minted) -> Result<Names, Stop> {
    let (user, session) = (minted.user.id, minted.session.id);
    Ok(visitor.broker().pairwise.names(&minted.application, user, session).await?)
}

/// A code for somebody who passes every check of the pipeline; only its digest is kept. A login gives one, and a session
/// no more in a minute than a network may begin logins: each is a row, and an event that is never forgotten.
pub async fn code(visitor: &Visitor, ready: &Ready, _: &Claim) -> Result<Secret, Stop> {
    let broker = visitor.broker();
    let key = format!("codes {}", ready.session());
    if broker.ephemeral.count(Kind::RateCounter, &key, MINUTE).await? > broker.config.login.flows_per_minute {
        return Err(Refusal::TooManyRequests.into());
    }
    let id = GrantId::new(&broker.random, broker.now());
    let code = grant::code(id, &broker.random.token());
    let asked = ready.asked();
    let issue = Issue {
        id,
        random: broker.random.clone(),
        code: code.digest(),
        code_lifetime: Duration::from_secs(broker.config.tokens.code_lifetime),
        tag: visitor.request,
        kept: GrantRequest {
            redirect_uri: asked.redirect_uri_given.then(|| asked.redirect_uri.clone()),
            code_challenge: asked.code_challenge.clone(),
            dpop_jkt: asked.dpop_jkt.clone(),
            nonce: asked.nonce.clone(),
            scopes: asked.scopes.clone(),
            claims: asked.claims.clone(),
            resources: asked.resources.clone(),
            ..GrantRequest::default()
        },
        request: of_code(visitor, ready),
    };
    Ok(broker.db.write_again_on_snapshot(async move |tx| issue.run(tx).await).await?.map(|()| code)?)
}

const MINUTE: Duration = Duration::from_secs(60);

/// As what somebody would be given what is asked here, of which nothing was given yet.
fn first(visitor: &Visitor, asked: &Asked, (session, context): (SessionId, Context)) -> mint::Request {
    mint::Request {
        project: visitor.project.id,
        application: asked.application,
        session,
        context,
        scopes: asked.scopes.clone(),
        claims: asked.claims.clone(),
        // Nothing is told yet.
        listed: 0,
        offline: false,
        now: visitor.broker().now(),
        epochs: None,
        on_device: asked.device.is_some(),
        place: asked.invitation.is_none().then(|| Place::of(asked)),
        is_for_us: false,
    }
}

fn of_code(visitor: &Visitor, ready: &Ready) -> mint::Request {
    first(visitor, ready.asked(), (ready.session(), ready.context()))
}

/// Whether somebody would be given a code, if they allow what they are asked. It leaves no trace.
pub async fn judge(visitor: &Visitor, ready: &Ready) -> Result<Result<(), Refusal>, StoreError> {
    judged(visitor, of_code(visitor, ready)).await
}

/// Whether this would be minted, if the person allows it: that is the last of all checks, and what they are asked.
async fn judged(visitor: &Visitor, request: mint::Request) -> Result<Result<(), Refusal>, StoreError> {
    let minted = visitor.broker().db.read(async move |tx| mint::run(tx, &request).await).await?;
    Ok(match minted {
        Ok(_) | Err(Refusal::ConsentRequired) => Ok(()),
        Err(refusal) => Err(refusal),
    })
}

/// One code's issue, in one transaction.
struct Issue {
    id: GrantId,
    random: Random,
    code: Digest,
    code_lifetime: Duration,
    tag: RequestId,
    kept: GrantRequest,
    request: mint::Request,
}

impl Issue {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Result<(), Refusal>, StoreError> {
        let (request, now) = (&self.request, self.request.now);
        let minted = match mint::run(tx, request).await? {
            Ok(minted) => minted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let kept = GrantRequest {
            login: Some(SignedIn::of(&minted.session)),
            place: request.place.clone(),
            ..self.kept.clone()
        };
        let grant = Grant {
            id: self.id,
            origin: None,
            subject: None,
            project_id: request.project,
            session_id: request.session,
            application_id: request.application,
            user_id: minted.user.id,
            organization: request.context.organization(),
            delegation: request.context.delegation(),
            epochs: minted.epochs(),
            request: kept,
            code_expires_at: now.plus(self.code_lifetime),
            expires_at: now.plus(FAMILY),
            revoked_at: None,
            refresh: None,
        };
        grants::insert(tx, &grant, self.code, now).await?;
        sessions::seen(tx, request.session, now).await?;
        let event = AuditEvent::new(request.project, "login.code_issued", Outcome::Granted)
            .organization(grant.organization)
            .actor(minted.user.id)
            .subject(grant.id)
            .request(Some(self.tag));
        minted.record(tx, &self.random, now, event).await?;
        Ok(Ok(()))
    }
}
