//! The doors of a SAML connection: where answers are posted, and where the browser then takes them up.

use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::response::Response;
use tower_sessions::Session;

use super::{answered, unasked};
use crate::broker::Look;
use crate::foundation::email::Email;
use crate::foundation::id::ConnectionId;
use crate::foundation::secret::Secret;
use crate::login::diagnosis::Diagnosis;
use crate::login::flow::{self, Journey};
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, authenticate, next, refused, turn_away};
use crate::model::connection::{Connection, SamlConnection};
use crate::model::login::{Authenticated, Login, Proof, Stage, Vouched};
use crate::protocol::oauth::params::Params;
use crate::protocol::saml::assertion::Assertion;
use crate::protocol::saml::binding::post;
use crate::protocol::saml::message;
use crate::protocol::saml::refused::{Check, Refused};
use crate::protocol::saml::response::{self, Answers, Expected};
use crate::protocol::saml::signature::Verified;
use crate::store::durable::connections;
use crate::store::ephemeral::{EphemeralError, Kind};
use crate::web::form::Form;
use crate::web::reply;
use crate::web::visitor::Visitor;

/// Refusals of one connection in a minute that are written down with the message; beyond them without it.
const SHOWN_A_MINUTE: u64 = 20;
/// Encrypted answers to one connection that one network may post in a minute.
const DECRYPTED_A_MINUTE: u64 = 300;

/// `POST /saml/{connection}/acs`: the identity provider's answer, carried by the person's browser. All that can be judged
/// without the browser's cookies is judged here; nobody is signed in yet.
pub async fn consume(visitor: Visitor, Path(connection): Path<String>, Form(params): Form) -> Response {
    let connection = match named(&visitor, &connection).await {
        Ok(connection) => connection,
        Err(stop) => return answer(&visitor, Err(stop)).await,
    };
    let Some(connection) = connection.saml() else {
        return answer(&visitor, Err(Refusal::AssertionRefused("connection").into())).await;
    };
    let answered = Answered { visitor: &visitor, connection };
    let mut message = None;
    match answered.take(&params, &mut message).await {
        Ok(onward) => reply::see_other(&onward),
        Err(Told::Diagnosis(diagnosis)) => answered.refuse(&diagnosis, message.as_deref()).await,
        Err(Told::Stop(stop)) => answer(&visitor, Err(stop)).await,
    }
}

/// `GET /saml/{connection}/acs`: by redirect or artifact nothing is taken (SAML Profiles, section 4.1.2, step 5).
pub async fn consume_nothing(
    visitor: Visitor,
    Path(connection): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let why = message::unsupported(params.iter().map(|(name, _)| name), false);
    let why = why.unwrap_or("an answer must be posted: choose the HTTP-POST binding");
    let diagnosis = Diagnosis::new(Refusal::BindingUnsupported, "HTTP-POST", why);
    match named(&visitor, &connection).await {
        Ok(connection) => match connection.saml() {
            Some(connection) => Answered { visitor: &visitor, connection }.refuse(&diagnosis, None).await,
            None => answer(&visitor, Err(diagnosis.refusal.into())).await,
        },
        Err(stop) => answer(&visitor, Err(stop)).await,
    }
}

async fn named(visitor: &Visitor, id: &str) -> Result<Connection, Stop> {
    let unknown = Refusal::AssertionRefused("connection");
    let id: ConnectionId = id.parse().map_err(|_| unknown.clone())?;
    let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
    Ok(found.filter(Connection::is_active).ok_or(unknown)?)
}

/// Why an answer is not taken.
pub(super) enum Told {
    Diagnosis(Diagnosis),
    Stop(Stop),
}

impl<E: Into<Diagnosis>> From<E> for Told {
    fn from(why: E) -> Self {
        Self::Diagnosis(why.into())
    }
}

struct Answered<'a> {
    visitor: &'a Visitor,
    connection: SamlConnection<'a>,
}

impl Answered<'_> {
    async fn take(&self, params: &Params, message: &mut Option<Vec<u8>>) -> Result<String, Told> {
        let xml = message.insert(posted(params)?);
        self.may_decrypt(xml).await?;
        let response = response::Posted::parse(xml)?;
        let claimed = response.claimed_in_response_to().map(str::to_owned);
        let login = self.awaiting(claimed.as_deref()).await.map_err(Told::Stop)?;
        // An unknown flow is told after the signature was looked at, as a known one is: the time tells nothing.
        let assertion = match self.verified(&response, claimed.as_deref()).await {
            Err(Told::Diagnosis(diagnosis)) if diagnosis.is_of(Check::SignatureInvalid) => {
                self.verified_anew(&response, claimed.as_deref(), diagnosis).await?
            }
            outcome => outcome?,
        };
        if claimed.is_none() {
            return unasked::led(self.visitor, self.connection, &assertion).await;
        }
        let nothing = || {
            Refused::missing_or(
                Check::InResponseTo,
                "a request that waits for its answer",
                claimed.as_deref(),
            )
        };
        let login = login.ok_or_else(nothing)?;
        let (away, awaited) = login.awaits_saml(self.connection.id).map_err(|_| nothing())?;
        if claimed.as_ref() != Some(&awaited.request) {
            return Err(nothing().into());
        }
        check_relay_state(params, |state| awaited.relay_state.matches(state))?;
        let now = self.visitor.broker().now();
        let proof = answered::proof(self.connection, Some(away), &assertion, now)?;
        self.put_aside(&login, &proof).await
    }

    /// Opening what is encrypted to us is the dearest thing that a stranger can make us do (threats H12).
    async fn may_decrypt(&self, xml: &[u8]) -> Result<(), Told> {
        const ENCRYPTED: &[u8] = b"EncryptedAssertion";
        if !xml.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
            return Ok(());
        }
        let key = format!("decrypt {} {}", self.connection.id, self.visitor.network());
        let window = Duration::from_secs(60);
        let tried = self.visitor.broker().ephemeral.count(Kind::RateCounter, &key, window).await;
        if tried.map_err(|error| Told::Stop(error.into()))? > DECRYPTED_A_MINUTE {
            return Err(Told::Stop(Refusal::TooManyRequests.into()));
        }
        Ok(())
    }

    /// The flow that waits for this answer.
    async fn awaiting(&self, claimed: Option<&str>) -> Result<Option<Login>, Stop> {
        match claimed.and_then(Login::of_request) {
            Some(id) => flow::awaiting(self.visitor, id).await,
            None => Ok(None),
        }
    }

    /// A provider that has changed its key says so in its metadata; it is asked at a limited rate.
    async fn verified_anew(
        &self,
        response: &response::Posted<'_>,
        claimed: Option<&str>,
        unknown_key: Diagnosis,
    ) -> Result<Verified<Assertion>, Told> {
        let (broker, project) = (self.visitor.broker(), self.visitor.project.id);
        let looked = broker.saml_metadata.look(project, self.connection.id).await;
        // Another visitor's look may have brought the key already.
        if !matches!(looked.map_err(|error| Told::Stop(error.into()))?, Look::Changed | Look::Cooling) {
            return Err(unknown_key.into());
        }
        let found = connections::by_id(&mut &broker.db, project, self.connection.id).await;
        let found = found.map_err(|error| Told::Stop(error.into()))?;
        match found.as_ref().and_then(Connection::saml) {
            // The same keys would say the same again.
            Some(connection) if connection.saml.idp.certificates != self.connection.saml.idp.certificates => {
                Answered { connection, ..*self }.verified(response, claimed).await
            }
            _ => Err(unknown_key.into()),
        }
    }

    async fn verified(
        &self,
        response: &response::Posted<'_>,
        claimed: Option<&str>,
    ) -> Result<Verified<Assertion>, Told> {
        let broker = self.visitor.broker();
        let idp = broker.saml_keys.idp(self.connection).map_err(|why| {
            let refusal = Refusal::IdpUnreachable("connection_unusable");
            Diagnosis::new(refusal, "a connection that can be used", why.to_string())
        })?;
        let ours = broker.saml_keys.of_connection(self.connection).await;
        let ours = ours.map_err(|error| Told::Stop(error.into()))?;
        let decrypting: Vec<_> = ours.decrypting.iter().map(|certified| &certified.key).collect();
        let at = self.visitor.saml_addresses(self.connection.id);
        let read = response.read(&Expected {
            idp_entity_id: &idp.entity_id,
            sp_entity_id: &at.entity_id,
            acs: &at.acs,
            in_response_to: claimed.map_or(Answers::Unsolicited, Answers::To),
            keys: idp.keys(),
            decrypting: &decrypting,
            wants: self.connection.saml.wants.of_response(),
            now: broker.now(),
            skew: Duration::from_secs(self.connection.settings.leeway),
            no_older_than: None,
        });
        Ok(read?)
    }

    /// Keeps the proof for the browser that holds the flow and has brought the answer: it gets a ticket. Of two answers
    /// to one request, one is taken.
    async fn put_aside(&self, login: &Login, proof: &Proof) -> Result<String, Told> {
        let ticket = self.visitor.broker().random.token();
        keep(self.visitor, &ticket, proof, flow::time_left(self.visitor, login)).await?;
        let request = |login: &Login| {
            login.awaits_saml(self.connection.id).ok().map(|(_, awaited)| awaited.request.clone())
        };
        let stage = Stage::Vouched(Vouched { connection: self.connection.id, ticket: ticket.digest() });
        let awaits = |now: &Login| request(now).is_some_and(|id| Some(id) == request(login));
        if !flow::move_on(self.visitor, login.id, awaits, stage).await.map_err(Told::Stop)? {
            return Err(Refused::new(Check::InResponseTo, "one answer to one request", "another one").into());
        }
        Ok(self.visitor.path(&format!("/login/{}/returned?ticket={}", login.id, ticket.expose())))
    }

    /// The same page whatever it was; the rest is for the connection's administrator.
    async fn refuse(&self, diagnosis: &Diagnosis, xml: Option<&[u8]>) -> Response {
        let key = format!("diagnosis {}", self.connection.id);
        let window = Duration::from_secs(60);
        let shown = self.visitor.broker().ephemeral.count(Kind::RateCounter, &key, window).await;
        let xml = xml.filter(|_| shown.is_ok_and(|shown| shown <= SHOWN_A_MINUTE));
        let event = refused(self.visitor, "login.refused", &diagnosis.refusal);
        let event = diagnosis.tell(event, &self.connection, xml);
        turn_away(self.visitor, &diagnosis.refusal, event).await
    }
}

/// The message in the form, decoded.
fn posted(params: &Params) -> Result<Vec<u8>, Diagnosis> {
    let malformed = |found: String| {
        Diagnosis::new(Refusal::AssertionRefused("malformed_saml"), "one SAMLResponse in base64", found)
    };
    if let Some(why) = message::unsupported(params.iter().map(|(name, _)| name), true) {
        return Err(Diagnosis::new(Refusal::BindingUnsupported, "HTTP-POST", why));
    }
    if let Some(error) = params.twice() {
        return Err(malformed(error.to_string()));
    }
    let field = params.get("SAMLResponse").ok().flatten().ok_or_else(|| malformed("none".into()))?;
    post::decode(field).map_err(|error| malformed(error.to_string()))
}

/// Some providers lose it; one that comes must be ours. It never leads anywhere (threats H28).
fn check_relay_state(params: &Params, is_ours: impl FnOnce(&str) -> bool) -> Result<(), Refused> {
    match params.get("RelayState").ok().flatten() {
        Some(state) if !is_ours(state) => {
            Err(Refused::new(Check::RelayState, "the RelayState that was sent", "another one"))
        }
        _ => Ok(()),
    }
}

/// How long a proof waits: a browser follows at once.
const WAITS: Duration = Duration::from_secs(60);

/// Keeps a proof under a ticket.
pub(super) async fn keep(
    visitor: &Visitor,
    ticket: &Secret,
    proof: &Proof,
    at_most: Duration,
) -> Result<(), Told> {
    let bytes = serde_json::to_vec(proof).map_err(|error| Told::Stop(error.into()))?;
    let key = ticket.digest().text();
    let kept = visitor.broker().ephemeral.put(Kind::Proof, &key, bytes, WAITS.min(at_most)).await;
    kept.map_err(|error| match error {
        EphemeralError::TooLarge { .. } => {
            Refused::new(Check::Attributes, "fewer or shorter attributes", "too much to keep").into()
        }
        EphemeralError::Full(_) => Told::Stop(Refusal::Crowded.into()),
    })
}

/// Takes the proof of a ticket, once.
pub(super) async fn take(visitor: &Visitor, ticket: &Secret) -> Result<Proof, Stop> {
    let found = visitor.broker().ephemeral.take(Kind::Proof, &ticket.digest().text()).await?;
    Ok(serde_json::from_slice(&found.ok_or(Refusal::FlowExpired)?)?)
}

pub(super) fn ticket(query: Option<&str>) -> Result<Secret, Refusal> {
    let params = Params::parse(query.unwrap_or_default().as_bytes()).map_err(|_| Refusal::FlowExpired)?;
    params.get("ticket").ok().flatten().map(Secret::new).ok_or(Refusal::FlowExpired)
}

/// `GET /login/{flow}/returned`: the browser that went, and that brought the answer, takes up what was proved.
pub async fn returned(
    visitor: Visitor,
    browser: Session,
    Path(flow): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let (mut journey, proof) = match taken(&visitor, &flow, query.as_deref()).await {
        Ok(found) => found,
        Err(stop) => return answer(&visitor, Err(stop)).await,
    };
    let found = said(&proof);
    match authenticate::pages::complete(&visitor, &browser, proof).await {
        Ok(session) => {
            journey.login.stage = Stage::Authenticated(Authenticated { session });
            next::proceed_at_home(&visitor, &browser, journey).await
        }
        Err(Stop::Refused(refusal)) => {
            let diagnosis = Diagnosis::new(refusal.clone(), refusal.wanted(), found);
            next::diagnosed(&visitor, journey, refusal, Some(&diagnosis)).await
        }
        Err(Stop::Failed(fault)) => {
            journey.login.restart();
            next::failed(&visitor, journey, &fault).await
        }
    }
}

/// What was asserted, as far as the administrator needs it to mend what the rules of the house refuse.
pub(super) fn said(proof: &Proof) -> String {
    let domain =
        |email: &Option<Email>| email.as_ref().map(|email| format!("an address at {}", email.domain()));
    match (domain(&proof.email), domain(&proof.named_by)) {
        (None, None) => "no email address".to_owned(),
        (mapped, None) => mapped.unwrap_or_default(),
        (mapped, Some(named)) => format!("{}; as NameID, {named}", mapped.unwrap_or_default()),
    }
}

/// `GET /saml/{connection}/accepted`: the browser that posted it takes it up, now with its cookies.
pub async fn accepted(
    visitor: Visitor,
    browser: Session,
    Path(connection): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let outcome = unasked::accept(&visitor, &browser, &connection, query.as_deref()).await;
    answer(&visitor, outcome).await
}

async fn taken(visitor: &Visitor, flow: &str, query: Option<&str>) -> Result<(Journey, Proof), Stop> {
    let ticket = ticket(query)?;
    let is_for = |journey: &Journey| match &journey.login.stage {
        Stage::Vouched(vouched) => vouched.ticket == ticket.digest(),
        _ => false,
    };
    // Looked at first: a browser without the ticket leaves the flow as it is.
    if !is_for(&Journey::find(visitor, flow).await?) {
        return Err(Refusal::FlowExpired.into());
    }
    let journey = Journey::take(visitor, flow).await?;
    if !is_for(&journey) {
        return Err(Refusal::FlowExpired.into());
    }
    let proof = take(visitor, &ticket).await?;
    Ok((journey, proof))
}
