//! A device without a browser asks to be let in (RFC 8628, section 3.1), and somebody answers.

use std::time::Duration;

use super::mint::{self, Minted};
use super::{client, first, judged, of_code};
use crate::audit;
use crate::foundation::id::{GrantId, OrganizationId, RequestId, SessionId};
use crate::foundation::random::Random;
use crate::keys::user_codes;
use crate::login::refusal::Refusal;
use crate::login::{Stop, note_claimed};
use crate::model::application::{Application, GrantType};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::consent::Told;
use crate::model::device::{DeviceCode, DeviceRequest, State, UserCode};
use crate::model::grant::{self, Grant, GrantRequest, SignedIn};
use crate::model::login::{Asked, Context, DeviceShown, OrganizationAsked, Ready};
pub use crate::protocol::oauth::device::PATH;
use crate::protocol::oauth::device::{Answer, Request, request};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::params::{self, Params};
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{consents, device_codes, grants, sessions};
use crate::store::ephemeral::Kind;
use crate::telemetry::names;
use crate::web::visitor::Visitor;

/// Long enough to sign in, and short enough for who leads somebody to it to come too late (threats H23).
const LIFETIME: Duration = Duration::from_secs(600);
/// Seconds between two questions.
const INTERVAL: i64 = 5;
const MINUTE: Duration = Duration::from_secs(60);
/// Requests of one network in a minute, and of a project for as long as a code lives.
const REQUESTS_OF_A_NETWORK: u64 = 60;
const REQUESTS_OF_A_PROJECT: u64 = 10_000;

/// What a device is told that asks to be let in.
pub async fn begin(visitor: &Visitor, params: &Params) -> Result<Answer, Stop> {
    let (application, request) = match asked(visitor, params).await {
        Err(Stop::Refused(refusal)) => {
            let claimed = client::claimed(visitor, params);
            note_claimed(visitor, "device.refused", &refusal, claimed.as_deref()).await?;
            return Err(refusal.into());
        }
        other => other?,
    };
    let broker = visitor.broker();
    let (random, now) = (&broker.random, broker.now());
    let id = GrantId::new(random, now);
    let device_code = grant::code(id, &random.token());
    let device = DeviceCode {
        id,
        project_id: visitor.project.id,
        application_id: application.id,
        digest: device_code.digest(),
        request,
        created_at: now,
        expires_at: now.plus(LIFETIME),
        interval: INTERVAL,
        state: State::Pending,
    };
    let user_code = kept(visitor, device).await?;
    let verification_uri = format!("{}{PATH}", visitor.issuer());
    let text = user_code.to_string();
    Ok(Answer {
        device_code: device_code.expose().to_owned(),
        verification_uri_complete: params::append(&verification_uri, [("user_code", text.as_str())]),
        user_code: text,
        verification_uri,
        expires_in: LIFETIME.as_secs(),
        interval: INTERVAL,
    })
}

/// Which application asks, proved, and for what; it may.
async fn asked(visitor: &Visitor, params: &Params) -> Result<(Application, DeviceRequest), Stop> {
    if let Some(error) = params.twice() {
        return Err(Refusal::Protocol(OAuthError::invalid_request(error.to_string())).into());
    }
    let application = client::authenticate(visitor, params).await?;
    let read = request(params).map_err(Refusal::Protocol)?;
    let address = visitor.address.to_string();
    let wanted = wanted(&application, read, address).map_err(Refusal::Protocol)?;
    may_ask(visitor).await?;
    Ok((application, wanted))
}

fn wanted(application: &Application, read: Request, address: String) -> Result<DeviceRequest, OAuthError> {
    let settings = &application.settings;
    if !settings.may_use(GrantType::DeviceCode) {
        return Err(OAuthError::unauthorized_client("this application lets no devices in"));
    }
    let organization = OrganizationAsked::of(&read.scopes, read.organization.as_ref())?;
    settings.may_ask_for_organizations(organization != OrganizationAsked::Unsaid, &read.scopes)?;
    let scopes = settings.granted_scopes(&read.scopes)?;
    let prompt = |word: &str| read.prompts.iter().any(|prompt| prompt == word);
    Ok(DeviceRequest {
        scopes,
        organization,
        login: prompt("login"),
        select_account: prompt("select_account"),
        select_organization: prompt("select_organization"),
        address,
    })
}

/// Whether one more may wait: each network has its share, and so has the project.
async fn may_ask(visitor: &Visitor) -> Result<(), Stop> {
    let (ephemeral, project) = (&visitor.broker().ephemeral, visitor.project.id);
    let of_network = format!("devices {project} {}", visitor.network());
    let of_project = format!("devices {project}");
    for (key, window, most) in
        [(of_network, MINUTE, REQUESTS_OF_A_NETWORK), (of_project, LIFETIME, REQUESTS_OF_A_PROJECT)]
    {
        if ephemeral.count(Kind::RateCounter, &key, window).await? > most {
            let error = OAuthError::temporarily_unavailable("too many devices ask at once");
            return Err(Refusal::Protocol(error).into());
        }
    }
    Ok(())
}

/// Keeps it under a code that no other one shows.
async fn kept(visitor: &Visitor, device: DeviceCode) -> Result<UserCode, Stop> {
    let broker = visitor.broker();
    let event = AuditEvent::new(device.project_id, "device.requested", Outcome::Granted)
        .subject(device.id)
        .request(Some(visitor.request))
        .with("application", device.application_id.to_string())
        .with("address", device.request.address.as_str());
    loop {
        let code = UserCode::new(&broker.random);
        let digest = user_codes::digest(&broker.keyring, device.project_id, &code);
        let (device, event, random) = (device.clone(), event.clone(), broker.random.clone());
        let kept = broker
            .db
            .write(async move |tx| {
                if !device_codes::insert(tx, &device, digest).await? {
                    return Ok(false);
                }
                audit::record(tx, &random, device.created_at, &event).await?;
                Ok::<_, StoreError>(true)
            })
            .await?;
        if kept {
            return Ok(code);
        }
    }
}

/// Whether somebody could let a device in as this, if they allow what the page says: nobody is asked for what would be
/// refused. It leaves no trace.
pub async fn judge(
    visitor: &Visitor,
    asked: &Asked,
    session: SessionId,
    context: Context,
) -> Result<Result<(), Refusal>, StoreError> {
    judged(visitor, first(visitor, asked, (session, context))).await
}

/// The person lets the device in, if the pipeline would let them in themselves. What the page told them that an application
/// of others is told, they allow by that.
pub async fn approve(
    visitor: &Visitor,
    application: &Application,
    ready: &Ready,
    device: DeviceShown,
) -> Result<(), Stop> {
    let broker = visitor.broker();
    let asks = application.settings.client.consent_required;
    let work = Approving {
        random: broker.random.clone(),
        tag: visitor.request,
        address: visitor.address.to_string(),
        device,
        told: asks.then(|| Told::of(application, ready.asked(), ready.context(), broker.now())),
        application: application.clone(),
        request: of_code(visitor, ready),
    };
    Ok(broker.db.write_again_on_snapshot(async move |tx| work.run(tx).await).await??)
}

/// One answer, in one transaction.
struct Approving {
    random: Random,
    tag: RequestId,
    address: String,
    device: DeviceShown,
    application: Application,
    /// Where it is somebody else's.
    told: Option<Told>,
    request: mint::Request,
}

impl Approving {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Result<(), Refusal>, StoreError> {
        let request = &self.request;
        let judged = mint::run(tx, request).await?;
        match (&judged, &self.told) {
            // They say so by this, and nothing else is in its way: it is the last check.
            (Err(Refusal::ConsentRequired), Some(_)) | (Ok(_), _) => {}
            (Err(refusal), _) => return Ok(Err(refusal.clone())),
        }
        let Some(device) = device_codes::approve(tx, self.device.id, request.now).await? else {
            return Ok(Err(Refusal::DeviceOver));
        };
        let minted = match (judged, &self.told) {
            (Err(_), Some(told)) => {
                self.allow(tx, told).await?;
                mint::run(tx, request).await?
            }
            (judged, _) => judged,
        };
        // What it was allowed for has changed under the person's hand: the device has been let in for nothing.
        let minted = match minted {
            Ok(minted) => minted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        grants::await_device(tx, &family(request, &minted, device), request.now).await?;
        let event = AuditEvent::new(request.project, "device.approved", Outcome::Granted)
            .organization(request.context.organization())
            .actor(minted.user.id)
            .subject(self.device.id)
            .request(Some(self.tag))
            .with("address", self.address.as_str())
            .with("device_address", self.device.address.as_str());
        minted.record(tx, &self.random, request.now, event).await?;
        Ok(Ok(()))
    }
}

impl Approving {
    /// Whoever lets it in allows what the page says.
    async fn allow(&self, tx: &mut Tx<'_>, told: &Told) -> Result<(), StoreError> {
        let request = &self.request;
        let session = sessions::by_id(tx, request.project, request.session).await?;
        let Some(session) = session else { return Ok(()) };
        let said = (self.application.display_name.as_str(), told);
        consents::allow(tx, session.user_id, request.application, said, request.now).await?;
        let event = told
            .event(&self.application)
            .actor(session.user_id)
            .request(Some(self.tag))
            .with("address", self.address.as_str())
            .with("device", self.device.id.to_string());
        audit::record(tx, &self.random, request.now, &event).await
    }
}

/// What the device will have, as it is let in now.
fn family(request: &mint::Request, minted: &Minted, device: DeviceCode) -> Grant {
    Grant {
        id: device.id,
        origin: None,
        subject: None,
        project_id: device.project_id,
        session_id: request.session,
        application_id: device.application_id,
        user_id: minted.user.id,
        organization: request.context.organization(),
        delegation: request.context.delegation(),
        epochs: minted.epochs(),
        request: GrantRequest {
            scopes: device.request.scopes,
            login: Some(SignedIn::of(&minted.session)),
            on_device: true,
            place: request.place.clone(),
            ..GrantRequest::default()
        },
        code_expires_at: device.expires_at,
        expires_at: device.expires_at,
        revoked_at: None,
        refresh: None,
    }
}

/// The person does not let it in.
pub async fn deny(visitor: &Visitor, ready: &Ready, device: &DeviceShown) -> Result<(), Stop> {
    let (session, organization) = (ready.session(), ready.context().organization());
    denied(visitor, ready.asked(), (session, organization), device, BY_THE_PERSON).await
}

/// The same of who could not, whomever they acted for.
pub async fn decline(
    visitor: &Visitor,
    asked: &Asked,
    session: SessionId,
    device: &DeviceShown,
) -> Result<(), Stop> {
    denied(visitor, asked, (session, None), device, BY_THE_PERSON).await
}

const BY_THE_PERSON: &str = "denied_by_the_person";

/// Whoever answers for the person lets no device in: it is told so at once, and does not ask until its code has run out.
pub async fn turn_away(
    visitor: &Visitor,
    asked: &Asked,
    whose: (SessionId, Option<OrganizationId>),
    device: &DeviceShown,
    refusal: &Refusal,
) -> Result<(), Stop> {
    denied(visitor, asked, whose, device, refusal.name()).await?;
    names::login_refused(refusal.name());
    Ok(())
}

async fn denied(
    visitor: &Visitor,
    asked: &Asked,
    (session, organization): (SessionId, Option<OrganizationId>),
    device: &DeviceShown,
    reason: &'static str,
) -> Result<(), Stop> {
    let (broker, project, id) = (visitor.broker(), visitor.project.id, device.id);
    let (random, now) = (broker.random.clone(), broker.now());
    let event = AuditEvent::new(project, "device.denied", Outcome::Refused)
        .reason(reason)
        .organization(organization)
        .subject(id)
        .request(Some(visitor.request))
        .with("application", asked.application.to_string())
        .with("address", visitor.address.to_string())
        .with("device_address", device.address.as_str());
    let denied = broker
        .db
        .write(async move |tx| {
            let session = sessions::by_id(tx, project, session).await?;
            let Some(session) = session.filter(|session| session.is_alive(now)) else {
                return Ok(Err(Refusal::SessionEnded));
            };
            if !device_codes::deny(tx, id, now).await? {
                return Ok(Err(Refusal::DeviceOver));
            }
            audit::record(tx, &random, now, &event.actor(session.user_id)).await?;
            Ok::<_, StoreError>(Ok(()))
        })
        .await?;
    Ok(denied?)
}
