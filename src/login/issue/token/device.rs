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
use crate::model::device::{DeviceCode, State};
use crate::model::grant::{self, Refresh};
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
    usual.unwrap_or_else(|| OAuthError::access_denied(refusal.description()))
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
        State::Pending | State::Approved if is_over => {
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
        State::Approved => {
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

/// Between the click and the tokens, by whoever may end what it would have had.
fn taken_back() -> Refusal {
    Refusal::Protocol(OAuthError::access_denied("what let the device in was taken back since"))
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
        let (id, application) = (self.device.id, self.application.id);
        if !device_codes::take(tx, id, self.now).await? {
            let used = invalid_grant("the device code was used before");
            return Ok(Err(Denied::Unrecorded(application, used)));
        }
        // Its session may be forgotten by now, and the family with it.
        let Some(waiting) = grants::by_id(tx, id).await? else {
            return Ok(Err(Denied::Unrecorded(application, taken_back())));
        };
        let event = AuditEvent::new(waiting.project_id, "token.issued", Outcome::Granted)
            .organization(waiting.organization)
            .actor(waiting.user_id)
            .subject(id)
            .request(Some(self.tag))
            .with("grant_type", "device_code");
        // Nothing is offline yet: whoever has signed out since does not let it in any more.
        let request = mint::Request { offline: false, ..minting(&waiting, self.now) };
        let (refresh_token, refresh) = self.refresh_token();
        let outcome = match mint::run(tx, &request).await? {
            Ok(minted) => grants::meet_device(tx, id, refresh, self.now)
                .await?
                .map(|grant| (grant, minted))
                .ok_or_else(taken_back),
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok((grant, minted)) => {
                audit::record(tx, &self.random, self.now, &minted.describe(event)).await?;
                let granted = Granted::of(tx, grant, minted, &self.proved, self.now).await?;
                Ok(Ok(granted.for_audiences(self.resources.clone()).with_refresh_token(refresh_token)))
            }
            Err(refusal) => {
                names::login_refused(refusal.name());
                grants::revoke(tx, id, self.now).await?;
                let event = AuditEvent { outcome: Outcome::Refused, ..event }
                    .reason(refusal.name())
                    .with("application", application.to_string());
                audit::record(tx, &self.random, self.now, &event).await?;
                Ok(Err(Denied::Recorded(refusal)))
            }
        }
    }

    /// The first of its refresh tokens, and how its family goes on, until when.
    fn refresh_token(&self) -> (Option<Secret>, (Option<Refresh>, Moment)) {
        let refresh = first_refresh_token(
            &self.application.settings,
            &self.lifetimes,
            (&self.keyring, &self.random),
            (self.device.id, &self.proved),
            self.now,
        );
        let (refresh_token, refresh) = refresh.unzip();
        let (refresh, ends) = refresh.unzip();
        (refresh_token, (refresh, ends.unwrap_or_else(|| self.now.plus(FAMILY))))
    }
}
