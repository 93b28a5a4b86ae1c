//! A device asks whether it has been let in (RFC 8628, section 3.4). It is told to wait until somebody has answered, gets
//! its tokens once, and who has let it in is judged once more when it does (threats H23).

use super::signing::{Granted, sign};
use super::{Denied, Lifetimes, NoTokens, first_refresh_token, invalid_grant};
use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::id::RequestId;
use crate::foundation::random::Random;
use crate::foundation::secret::Secret;
use crate::keys::keyring::Keyring;
use crate::login::Stop;
use crate::login::issue::{FAMILY, mint, minting};
use crate::login::refusal::Refusal;
use crate::model::application::Application;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::device::{Approval, DeviceCode, State};
use crate::model::grant::{self, Grant, GrantRequest};
use crate::protocol::oauth::confirmation::Confirmation;
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::resource;
use crate::protocol::oauth::token::{DeviceRequest, TokenAnswer};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{device_codes, grants};
use crate::telemetry::names;
use crate::web::visitor::Visitor;

/// Seconds that whoever asks too soon waits longer from then on (RFC 8628, section 3.5), and the longest that comes to.
const SLOWER: (i64, i64) = (5, 60);

pub async fn poll(
    visitor: &Visitor,
    application: Application,
    request: DeviceRequest,
    proved: Confirmation,
) -> Result<TokenAnswer, NoTokens> {
    let id = application.id;
    match polled(visitor, application, request, proved).await {
        Ok(Polled::Granted(granted)) => Ok(sign(visitor, &granted).await?),
        // Asked for every few seconds: that is nothing to write down.
        Ok(Polled::Waits(error)) => Err(NoTokens::Waits(error)),
        Ok(Polled::Denied(denied)) => Err(told(denied.told(visitor).await.map_err(NoTokens::Failed)?)),
        Err(Stop::Refused(refusal)) => {
            let denied = Denied::Unrecorded(id, refusal);
            Err(told(denied.told(visitor).await.map_err(NoTokens::Failed)?))
        }
        Err(Stop::Failed(fault)) => Err(NoTokens::Failed(fault)),
    }
}

/// RFC 8628, section 3.5: whatever keeps the device out is an error of its own kind.
fn told(refusal: Refusal) -> NoTokens {
    match refusal {
        Refusal::Protocol(error) => NoTokens::Waits(error),
        other => NoTokens::Waits(denied(&other)),
    }
}

/// What the pipeline refuses, in words that are no oracle of who is a customer.
fn denied(refusal: &Refusal) -> OAuthError {
    let usual = refusal.application().filter(|error| error.code == "access_denied");
    usual.unwrap_or_else(|| OAuthError::access_denied(refusal.name()))
}

enum Polled {
    Granted(Box<Granted>),
    Waits(OAuthError),
    Denied(Denied),
}

async fn polled(
    visitor: &Visitor,
    application: Application,
    request: DeviceRequest,
    proved: Confirmation,
) -> Result<Polled, Stop> {
    let broker = visitor.broker();
    let now = broker.now();
    let device = found(visitor, &application, &request.device_code).await?.ok_or(unknown())?;
    // Whatever it is for, before anything is used up.
    let has = application.resources(&visitor.issuer());
    let resources = resource::chosen(&request.resources, &[], &has).map_err(Refusal::Protocol)?;
    let is_over = now >= device.expires_at;
    match &device.state {
        State::Used => Err(invalid_grant("the device code was used before").into()),
        State::Denied => {
            Err(Refusal::Protocol(OAuthError::access_denied("the device was not let in")).into())
        }
        State::Pending | State::Approved(_) if is_over => {
            Err(Refusal::Protocol(OAuthError::expired_token("the device code has run out")).into())
        }
        State::Pending => {
            let id = device.id;
            let polled =
                broker.db.write(async move |tx| device_codes::poll(tx, id, SLOWER, now).await).await?;
            Ok(Polled::Waits(match polled {
                Some(true) => OAuthError::slow_down("wait longer between two questions"),
                _ => OAuthError::authorization_pending("nobody has answered yet"),
            }))
        }
        State::Approved(_) => {
            let work = Taking {
                keyring: broker.keyring.clone(),
                random: broker.random.clone(),
                now,
                tag: visitor.request,
                lifetimes: Lifetimes::of(visitor, &application.settings),
                application,
                device,
                proved,
                resources,
            };
            Ok(match broker.db.write_again_on_snapshot(async move |tx| work.run(tx).await).await? {
                Ok(granted) => Polled::Granted(Box::new(granted)),
                Err(denied) => Polled::Denied(denied),
            })
        }
    }
}

fn unknown() -> Refusal {
    invalid_grant("the device code is unknown")
}

/// The device of this code, if it is this application's.
async fn found(
    visitor: &Visitor,
    application: &Application,
    code: &str,
) -> Result<Option<DeviceCode>, StoreError> {
    let Some(id) = grant::of_code(code) else { return Ok(None) };
    let found = device_codes::by_id(&mut &visitor.broker().db, id).await?;
    let own = |device: &DeviceCode| {
        device.project_id == application.project_id
            && device.application_id == application.id
            && device.digest.matches(code)
    };
    Ok(found.filter(own))
}

/// What was approved is used, in one transaction. A refusal is committed too: the code is burnt, the event recorded.
struct Taking {
    keyring: Keyring,
    random: Random,
    now: Moment,
    tag: RequestId,
    lifetimes: Lifetimes,
    application: Application,
    device: DeviceCode,
    proved: Confirmation,
    /// For which audiences the token is; empty: for all that the application has.
    resources: Vec<String>,
}

impl Taking {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Result<Granted, Denied>, StoreError> {
        let Some(approval) = device_codes::take(tx, self.device.id, self.now).await? else {
            let used = invalid_grant("the device code was used before");
            return Ok(Err(Denied::Unrecorded(self.application.id, used)));
        };
        let (grant, refresh_token) = self.family(approval);
        // Nothing is offline yet: whoever has signed out since does not let it in any more.
        let request = mint::Request { offline: false, ..minting(&grant, self.now) };
        let event = AuditEvent::new(grant.project_id, "token.issued", Outcome::Granted)
            .organization(grant.organization)
            .actor(grant.user_id)
            .subject(grant.id)
            .request(Some(self.tag))
            .with("grant_type", "device_code");
        match mint::run(tx, &request).await? {
            Ok(minted) => {
                grants::insert(tx, &grant, None, self.now).await?;
                audit::record(tx, &self.random, self.now, &minted.describe(event)).await?;
                let granted =
                    Granted::of(tx, grant, minted, (request.scopes, &self.proved), self.now).await?;
                Ok(Ok(granted.for_audiences(self.resources.clone()).with_refresh_token(refresh_token)))
            }
            Err(refusal) => {
                names::login_refused(refusal.name());
                let event = AuditEvent { outcome: Outcome::Refused, ..event }
                    .reason(refusal.name())
                    .with("application", self.application.id.to_string());
                audit::record(tx, &self.random, self.now, &event).await?;
                Ok(Err(Denied::Recorded(refusal)))
            }
        }
    }

    /// The family as it will be, and the first of its refresh tokens.
    fn family(&self, approval: Approval) -> (Grant, Option<Secret>) {
        let (id, epochs) = (self.device.id, approval.epochs());
        let settings = &self.application.settings;
        let refresh = first_refresh_token(
            settings,
            &self.lifetimes,
            (&self.keyring, &self.random),
            (id, &self.proved),
            self.now,
        );
        let (refresh_token, refresh) = refresh.unzip();
        let (refresh, ends) = refresh.unzip();
        let grant = Grant {
            id,
            origin: None,
            subject: None,
            project_id: self.device.project_id,
            session_id: approval.session,
            application_id: self.application.id,
            user_id: approval.user,
            organization: approval.context.organization(),
            delegation: approval.context.delegation(),
            epochs,
            request: GrantRequest {
                scopes: self.device.request.scopes.clone(),
                login: Some(approval.login),
                on_device: true,
                ..GrantRequest::default()
            },
            code_expires_at: self.now,
            expires_at: ends.unwrap_or_else(|| self.now.plus(FAMILY)),
            revoked_at: None,
            refresh,
        };
        (grant, refresh_token)
    }
}
