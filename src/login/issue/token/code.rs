//! An authorization code (RFC 6749, section 4.1.3), which is good once (threats C23).

use std::sync::Arc;

use super::signing::sign;
use super::{Denied, Granted, Lifetimes, invalid_grant};
use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::{GrantId, RequestId};
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;
use crate::keys::keyring::Keyring;
use crate::keys::refresh_tokens::Family;
use crate::login::Stop;
use crate::login::issue::{TRIES, entered, mint, minting};
use crate::login::refusal::Refusal;
use crate::model::application::{Application, GrantType};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::grant::{self, Grant, Refresh};
use crate::protocol::oauth::token::{CodeRequest, TokenAnswer};
use crate::protocol::oauth::{pkce, resource};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::grants::{self, Code};
use crate::telemetry::names;
use crate::web::visitor::Visitor;

type Redeemed = Result<Granted, Denied>;

pub async fn redeem(
    visitor: &Visitor,
    application: Application,
    request: CodeRequest,
) -> Result<TokenAnswer, Stop> {
    let broker = visitor.broker();
    let redeem = Redeem {
        keyring: broker.keyring.clone(),
        random: broker.random.clone(),
        now: broker.now(),
        tag: visitor.request,
        issuer: visitor.issuer(),
        lifetimes: Lifetimes::of(visitor, &application.settings),
        application,
        request,
    };
    match redeemed(visitor, redeem).await? {
        Ok(granted) => sign(visitor, &granted).await,
        Err(denied) => Err(denied.told(visitor).await?.into()),
    }
}

/// Whoever loses against another transaction looks again. If it was the same code, it is used by now: to lose the
/// race is a reuse like any other, and ends what the winner got.
async fn redeemed(visitor: &Visitor, redeem: Redeem) -> Result<Redeemed, Stop> {
    let redeem = Arc::new(redeem);
    for _ in 0..TRIES {
        let redeem = Arc::clone(&redeem);
        match visitor.broker().db.write_on_snapshot(async move |tx| redeem.run(tx).await).await {
            Err(StoreError::Conflict) => {}
            outcome => return Ok(outcome?),
        }
    }
    Err(StoreError::Conflict.into())
}

fn unknown() -> Refusal {
    invalid_grant("the code is unknown or has run out")
}

/// One code's redemption, in one transaction. A refusal is committed too: the code is burnt, the event recorded.
struct Redeem {
    keyring: Keyring,
    random: Random,
    now: Moment,
    tag: RequestId,
    issuer: String,
    lifetimes: Lifetimes,
    application: Application,
    request: CodeRequest,
}

impl Redeem {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Redeemed, StoreError> {
        let Some(id) = grant::of_code(&self.request.code) else {
            return Ok(Err(Denied::Unrecorded(self.application.id, unknown())));
        };
        let digest = Secret::new(self.request.code.as_str()).digest();
        let code = Code { project: self.application.project_id, grant: id, digest };
        let (refresh_token, refresh) = self.refresh_token(id).unzip();
        let Some(grant) = grants::use_code(tx, code, refresh, self.now).await? else {
            return self.replayed(tx, code).await.map(Err);
        };
        let outcome = match self.fits(&grant).and_then(|()| self.resources(&grant)) {
            Ok(resources) => {
                mint::run(tx, &minting(&grant, self.now)).await?.map(|minted| (minted, resources))
            }
            Err(refusal) => Err(refusal),
        };
        let event = AuditEvent::new(self.application.project_id, "token.issued", Outcome::Granted)
            .organization(grant.organization)
            .actor(grant.user_id)
            .subject(grant.id)
            .request(Some(self.tag));
        match outcome {
            Ok((minted, resources)) => {
                entered(tx, &grant, &minted, self.now).await?;
                audit::record(tx, &self.random, self.now, &minted.describe(event)).await?;
                let scopes = grant.request.scopes.clone();
                Ok(Ok(Granted { grant, minted, scopes, resources, is_first: true, refresh_token }))
            }
            Err(refusal) => {
                names::login_refused(refusal.name());
                grants::revoke(tx, grant.id, self.now).await?;
                self.record_refusal(tx, event, &refusal).await?;
                Ok(Err(Denied::Recorded(refusal)))
            }
        }
    }

    /// The first of its family, where the application may refresh.
    /// And how its family goes on, until when.
    fn refresh_token(&self, grant: GrantId) -> Option<(Secret, (Refresh, Moment))> {
        if !self.application.settings.may_use(GrantType::RefreshToken) {
            return None;
        }
        let (family, secret) = Family::new(&self.keyring, &self.random, grant);
        let ends = self.now.plus(self.lifetimes.family);
        let idle = self.now.plus(self.lifetimes.idle).min(ends);
        let refresh = Refresh { secret, generation: 0, rotated_at: self.now, expires_at: idle };
        Some((family.token(0), (refresh, ends)))
    }

    /// A code that comes a second time kills what the first one gave (RFC 6749, section 4.1.2).
    async fn replayed(&self, tx: &mut Tx<'_>, code: Code) -> Result<Denied, StoreError> {
        let (project, application) = (self.application.project_id, self.application.id);
        let replayed = invalid_grant("the code was used before");
        let Some(grant) = grants::revoke_by_code(tx, code, self.now).await? else {
            let known = grants::has_code(tx, code).await?;
            return Ok(Denied::Unrecorded(application, if known { replayed } else { unknown() }));
        };
        grants::revoke_of_origin(tx, grant.id, self.now).await?;
        names::login_refused(replayed.name());
        let event = AuditEvent::new(project, "token.code_replayed", Outcome::Refused)
            .organization(grant.organization)
            .subject(grant.id)
            .request(Some(self.tag));
        self.record_refusal(tx, event, &replayed).await?;
        Ok(Denied::Recorded(replayed))
    }

    async fn record_refusal(
        &self,
        tx: &mut Tx<'_>,
        mut event: AuditEvent,
        refusal: &Refusal,
    ) -> Result<(), StoreError> {
        event.outcome = Outcome::Refused;
        let event = event.reason(refusal.name()).with("application", self.application.id.to_string());
        audit::record(tx, &self.random, self.now, &event).await
    }

    /// For which audiences the token is (RFC 8707, section 2.2).
    fn resources(&self, grant: &Grant) -> Result<Vec<String>, Refusal> {
        let has = self.application.resources(&self.issuer);
        resource::chosen(&self.request.resources, &grant.request.resources, &has).map_err(Refusal::Protocol)
    }

    /// The code was issued to this application, for this redirect URI, to the holder of the verifier, just now.
    fn fits(&self, grant: &Grant) -> Result<(), Refusal> {
        let request = &grant.request;
        if grant.application_id != self.application.id {
            return Err(invalid_grant("the code was issued to another client"));
        }
        if grant.revoked_at.is_some() || self.now >= grant.code_expires_at {
            return Err(unknown());
        }
        if request.redirect_uri != self.request.redirect_uri {
            return Err(invalid_grant("redirect_uri is not the one of the authorization request"));
        }
        match (&request.code_challenge, &self.request.code_verifier) {
            (None, None) => Ok(()),
            (Some(challenge), Some(verifier)) if pkce::matches(challenge, verifier) => Ok(()),
            (Some(_), None) => Err(invalid_grant("code_verifier is missing")),
            (Some(_), Some(_)) => Err(invalid_grant("code_verifier does not match")),
            (None, Some(_)) => Err(invalid_grant("code_verifier without a code_challenge")),
        }
    }
}
