//! A client registers itself, reads, changes and ends itself: each in one transaction, by the operations of all
//! applications. The token that a client shows is another one after each change, and worth nothing once somebody has
//! disabled the application: nothing that a client holds brings it back (threats M07).

pub mod api;
mod members;
mod metadata;
mod view;

use serde_json::{Map, Value, json};

use crate::audit::{self, Keep};
use crate::foundation::id::{ApplicationId, RegistrationTokenId};
use crate::foundation::secret::{Digest, Secret};
use crate::keys::keyring::Keyring;
use crate::manage::applications::{self as room, Wanted, Whole};
use crate::manage::desk::Change;
use crate::manage::refused::{Code, Refused};
use crate::model::audit_event::{Actor, AuditEvent, Outcome};
use crate::model::registration::{Limits, Registered, TokenText};
use crate::protocol::oauth::error::OAuthError;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{applications, registrations};
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

use members::Metadata;

/// Why a client is not what it wants to be.
#[derive(Debug)]
pub enum Stop {
    Refused(OAuthError),
    /// Whoever it is, they hold nothing that opens this.
    Token,
    /// Its metadata came in a coding.
    Encoded,
    Failed(Fault),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<OAuthError> for Stop {
    fn from(error: OAuthError) -> Self {
        Self::Refused(error)
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        match refused {
            // What was there is not there any more: its token is worth nothing.
            Refused::Told(told) if told.code == Code::NotFound => Self::Token,
            Refused::Told(told) if told.code == Code::AuditUnavailable => {
                Self::Failed(Fault::Other("the change could not be recorded"))
            }
            Refused::Told(told) => Self::Refused(metadata::refused(&told)),
            Refused::Conflict => Self::Failed(StoreError::Conflict.into()),
            Refused::Failed(fault) => Self::Failed(*fault),
        }
    }
}

/// What the client is told of itself.
pub struct Known {
    pub members: Map<String, Value>,
}

impl Known {
    fn of(visitor: &Visitor, whole: &Whole, token: &Secret, secret: Option<&Secret>) -> Self {
        let application = &whole.application;
        let mut members = view::shown(application);
        let uri = format!("{}/register/{}", visitor.issuer(), application.client_id);
        members.insert("registration_client_uri".into(), json!(uri));
        members.insert("registration_access_token".into(), json!(token.expose()));
        if let Some(secret) = secret {
            members.insert("client_secret".into(), json!(secret.expose()));
            // It never runs out (RFC 7591, section 3.2.1).
            members.insert("client_secret_expires_at".into(), json!(0));
        }
        Self { members }
    }
}

fn keep(visitor: &Visitor, actor: Actor) -> Keep {
    Keep {
        random: visitor.broker().random.clone(),
        project: visitor.project.clone(),
        actor,
        by: None,
        request: Some(visitor.request),
        now: visitor.broker().now(),
    }
}

/// Registers a client (RFC 7591, section 3). Who shows no token that works is told nothing, and nothing is asked for them.
pub async fn register(visitor: &Visitor, token: &str, members: Map<String, Value>) -> Result<Known, Stop> {
    let (broker, project) = (visitor.broker(), visitor.project.id);
    let text = TokenText::<RegistrationTokenId>::parse(token).ok_or(Stop::Token)?;
    let digest = text.secret.digest();
    let found = registrations::shown(&mut &broker.db, project, text.id, digest).await?;
    let found = found.filter(|token| token.is_alive(broker.now())).ok_or(Stop::Token)?;
    let body = Metadata::new(members).new_application(&found.limits)?;
    let wanted = body.checked()?.looked_at(broker, project, None).await?;
    let work = Registering {
        keep: keep(visitor, Actor::RegistrationToken(text.id)),
        keyring: broker.keyring.clone(),
        token: (text.id, digest),
        wanted,
    };
    let (whole, secret, own) = broker.db.write_again(async move |tx| work.run(tx).await).await?;
    Ok(Known::of(visitor, &whole, &own, secret.as_ref()))
}

struct Registering {
    keep: Keep,
    keyring: Keyring,
    token: (RegistrationTokenId, Digest),
    wanted: Wanted,
}

impl Registering {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<(Whole, Option<Secret>, Secret), Refused> {
        let (keep, (id, digest)) = (&self.keep, self.token);
        let limits = registrations::take(tx, keep.project.id, id, digest, keep.now).await?;
        let limits = limits.ok_or_else(Refused::hidden)?;
        let mut change = Change::of_operator(tx, keep, &self.keyring);
        let (whole, secret) = room::create(&mut change, None, &self.wanted).await?;
        let own = TokenText::new(&keep.random, whole.application.id);
        let client = Registered { application: whole.application.id, token: id, limits };
        registrations::register(tx, &client, own.secret.digest(), keep.now).await?;
        let event = event(keep, "client.registered", client.application).with("token", id.to_string());
        audit::record(tx, &keep.random, keep.now, &event).await.map_err(Refused::unrecorded)?;
        Ok((whole, secret, own.text()))
    }
}

fn event(keep: &Keep, action: &'static str, application: ApplicationId) -> AuditEvent {
    AuditEvent::new(keep.project.id, action, Outcome::Changed)
        .actor(keep.actor)
        .request(keep.request)
        .subject(application)
}

/// A client that showed its token.
pub struct Own {
    whole: Whole,
    text: TokenText<ApplicationId>,
    limits: Limits,
}

/// Whose token this is. One of another client, or of one that is disabled, is none.
pub async fn own(visitor: &Visitor, client_id: &str, token: &str) -> Result<Own, Stop> {
    let (db, project) = (&mut &visitor.broker().db, visitor.project.id);
    let text = TokenText::<ApplicationId>::parse(token).ok_or(Stop::Token)?;
    let known = registrations::registered(db, project, text.id, text.secret.digest()).await?;
    let limits = known.ok_or(Stop::Token)?.limits;
    let application = applications::by_id(db, project, text.id).await?;
    let application = application.filter(|found| found.client_id == client_id).ok_or(Stop::Token)?;
    let listed = applications::listed(db, text.id).await?;
    let secrets = applications::secrets(db, text.id).await?.len();
    Ok(Own { whole: Whole { application, listed, secrets }, text, limits })
}

impl Own {
    /// The client as it is (RFC 7592, section 2.1); its secret is known to nobody any more.
    pub fn read(&self, visitor: &Visitor) -> Known {
        Known::of(visitor, &self.whole, &self.text.text(), None)
    }

    /// Makes it what it says, all of it: what is not said is as it usually is (RFC 7592, section 2.2).
    pub async fn update(self, visitor: &Visitor, members: Map<String, Value>) -> Result<Known, Stop> {
        let broker = visitor.broker();
        let (id, project) = (self.text.id, visitor.project.id);
        let metadata = Metadata::new(members);
        let secrets = applications::secrets(&mut &broker.db, id).await?;
        metadata.is_of(&self.whole.application, |text| secrets.iter().any(|digest| digest.matches(text)))?;
        let body = metadata.application(&self.limits, Some(&self.whole.application))?;
        let wanted = body.checked()?.looked_at(broker, project, Some(id)).await?;
        let work = Updating {
            keep: keep(visitor, Actor::Application(id)),
            keyring: broker.keyring.clone(),
            id,
            digest: self.text.secret.digest(),
            limits: self.limits,
            wanted,
        };
        let (whole, secret, own) = broker.db.write_again(async move |tx| work.run(tx).await).await?;
        Ok(Known::of(visitor, &whole, &own, secret.as_ref()))
    }

    /// Ends it (RFC 7592, section 2.3).
    pub async fn delete(self, visitor: &Visitor) -> Result<(), Stop> {
        let (id, digest) = (self.text.id, self.text.secret.digest());
        let (keep, keyring) = (keep(visitor, Actor::Application(id)), visitor.broker().keyring.clone());
        let work = async move |tx: &mut Tx<'_>| {
            still(tx, &keep, id, digest).await?;
            room::disable(&mut Change::of_operator(tx, &keep, &keyring), id).await
        };
        Ok(visitor.broker().db.write_again(work).await?)
    }
}

/// Whether the token is still worth something, now that nobody else changes the application.
async fn still(
    tx: &mut Tx<'_>,
    keep: &Keep,
    id: ApplicationId,
    digest: Digest,
) -> Result<Registered, Refused> {
    room::lock(tx, id).await?;
    registrations::registered(tx, keep.project.id, id, digest).await?.ok_or_else(Refused::hidden)
}

struct Updating {
    keep: Keep,
    keyring: Keyring,
    id: ApplicationId,
    digest: Digest,
    /// Within which it was judged.
    limits: Limits,
    wanted: Wanted,
}

impl Updating {
    async fn run(&self, tx: &mut Tx<'_>) -> Result<(Whole, Option<Secret>, Secret), Refused> {
        let (keep, id) = (&self.keep, self.id);
        // What the operator has narrowed meanwhile is not overwritten by what was judged before.
        if still(tx, keep, id, self.digest).await?.limits != self.limits {
            return Err(Refused::new(
                Code::Busy,
                "the operator has just changed this client: read it, and try again",
            ));
        }
        let mut change = Change::of_operator(tx, keep, &self.keyring);
        let mut whole = room::update(&mut change, id, &self.wanted, false).await?;
        if let Some(name) = self.limits.brought_back(&whole.application) {
            let why = "has what the operator has taken out of this registration";
            return Err(Refused::value(&format!("/{name}"), why));
        }
        let mut secret = None;
        if whole.lacks_secret() {
            let (with, made) = room::rotate(&mut change, id, false).await?;
            (whole, secret) = (with, Some(made));
        }
        let own = TokenText::new(&keep.random, id);
        let digests = (self.digest, own.secret.digest());
        if !registrations::rotate(tx, id, digests, keep.now).await? {
            return Err(Refused::hidden());
        }
        Ok((whole, secret, own.text()))
    }
}

/// Writes down that somebody was refused, as often as their network may.
pub async fn note(visitor: &Visitor, reason: &'static str, client: Option<&str>) -> Result<(), Fault> {
    if !visitor.may_be_noted().await? {
        return Ok(());
    }
    let event = AuditEvent::new(visitor.project.id, "registration.refused", Outcome::Refused)
        .reason(reason)
        .request(Some(visitor.request));
    let event = match client {
        Some(client) => event.with("client_id", client.chars().take(100).collect::<String>()),
        None => event,
    };
    Ok(visitor.broker().record(event).await?)
}
