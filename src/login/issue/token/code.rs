//! An authorization code (RFC 6749, section 4.1.3), which is good once (threats C23).

use super::signing::{Granted, sign};
use super::{Denied, Lifetimes, first_refresh_token, invalid_grant};
use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::RequestId;
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;
use crate::keys::keyring::Keyring;
use crate::login::Stop;
use crate::login::issue::{mint, minting};
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::grant::{self, Grant};
use crate::protocol::oauth::confirmation::Confirmation;
use crate::protocol::oauth::token::{CodeRequest, TokenAnswer};
use crate::protocol::oauth::{dpop, pkce, resource};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::grants::{self, Code};
use crate::telemetry::names;
use crate::web::visitor::Visitor;

type Redeemed = Result<Granted, Denied>;

pub async fn redeem(
    visitor: &Visitor,
    application: Application,
    request: CodeRequest,
    proved: Confirmation,
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
        proved,
    };
    // Who loses against another transaction with the same code finds it used: that is a reuse like any other, and ends
    // what the winner got.
    match broker.db.write_again_on_snapshot(async move |tx| redeem.run(tx).await).await? {
        Ok(granted) => sign(visitor, &granted).await,
        Err(denied) => Err(denied.told(visitor).await?.into()),
    }
}

fn unknown() -> Refusal {
    invalid_grant("the code is unknown or has run out")
}

/// One code's redemption, in one transaction. A refusal is committed too: the code is burnt, the event recorded. A code that
/// has run out is worth what an unknown one is: whoever brings it changes nothing.
struct Redeem {
    keyring: Keyring,
    random: Random,
    now: Moment,
    tag: RequestId,
    issuer: String,
    lifetimes: Lifetimes,
    application: Application,
    request: CodeRequest,
    proved: Confirmation,
}

impl Redeem {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Redeemed, StoreError> {
        let Some(id) = grant::of_code(&self.request.code) else {
            return Ok(Err(Denied::Unrecorded(self.application.id, unknown())));
        };
        // What the application can ask for better does not use up the code.
        let has = self.application.resources(&self.issuer);
        if let Err(error) = resource::within(&self.request.resources, &has) {
            return Ok(Err(Denied::Unrecorded(self.application.id, Refusal::Protocol(error))));
        }
        let digest = Secret::new(self.request.code.as_str()).digest();
        let code = Code { project: self.application.project_id, grant: id, digest };
        let settings = &self.application.settings;
        let refresh = first_refresh_token(
            settings,
            &self.lifetimes,
            (&self.keyring, &self.random),
            (id, &self.proved),
            self.now,
        );
        let (refresh_token, refresh) = refresh.unzip();
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
                audit::record(tx, &self.random, self.now, &minted.describe(event)).await?;
                let granted = Granted::of(tx, grant, minted, &self.proved, self.now).await?;
                Ok(Ok(granted.first().for_audiences(resources).with_refresh_token(refresh_token)))
            }
            Err(refusal) => {
                names::login_refused(refusal.name());
                grants::revoke(tx, grant.id, self.now).await?;
                self.record_refusal(tx, event, &refusal).await?;
                Ok(Err(Denied::Recorded(refusal)))
            }
        }
    }

    /// A code that comes a second time kills what the first one gave (RFC 6749, section 4.1.2).
    async fn replayed(&self, tx: &mut Tx<'_>, code: Code) -> Result<Denied, StoreError> {
        let (project, application) = (self.application.project_id, self.application.id);
        let replayed = invalid_grant("the code was used before");
        let Some(grant) = grants::revoke_by_code(tx, code, self.now).await? else {
            let used = grants::was_used(tx, code).await?;
            return Ok(Denied::Unrecorded(application, if used { replayed } else { unknown() }));
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

    /// The code was issued to this application, for this redirect URI, to the holder of the verifier.
    fn fits(&self, grant: &Grant) -> Result<(), Refusal> {
        let request = &grant.request;
        if grant.application_id != self.application.id {
            return Err(invalid_grant("the code was issued to another client"));
        }
        if grant.revoked_at.is_some() {
            return Err(unknown());
        }
        if request.redirect_uri != self.request.redirect_uri {
            return Err(invalid_grant("redirect_uri is not the one of the authorization request"));
        }
        if request.redirect_uri.as_ref().is_some_and(|uri| !self.application.settings.is_answered_at(uri)) {
            return Err(invalid_grant("redirect_uri is not registered any more"));
        }
        self.holds_its_key(grant)?;
        match (&request.code_challenge, &self.request.code_verifier) {
            (None, None) => Ok(()),
            (Some(challenge), Some(verifier)) if pkce::matches(challenge, verifier) => Ok(()),
            (Some(_), None) => Err(invalid_grant("code_verifier is missing")),
            (Some(_), Some(_)) => Err(invalid_grant("code_verifier does not match")),
            (None, Some(_)) => Err(invalid_grant("code_verifier without a code_challenge")),
        }
    }

    /// The key that the authorization request named, if it did (RFC 9449, section 10).
    fn holds_its_key(&self, grant: &Grant) -> Result<(), Refusal> {
        match (&grant.request.dpop_jkt, &self.proved.jkt) {
            (None, _) => Ok(()),
            (Some(named), Some(jkt)) if dpop::is_same_key(named, jkt) => Ok(()),
            (Some(_), _) => Err(invalid_grant("the code is for who holds the key that dpop_jkt named")),
        }
    }
}
