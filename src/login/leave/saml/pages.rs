//! Where an identity provider's logout messages come.

use std::ops::Deref;
use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::response::Response;

use super::{Asked, message_id};
use crate::audit;
use crate::foundation::id::ConnectionId;
use crate::keys::saml_keyring::SpKeys;
use crate::login::departure::{self, Departure};
use crate::login::diagnosis::Diagnosis;
use crate::login::doorstep::{self, Came, Serves, Told, stop};
use crate::login::leave::after::After;
use crate::login::leave::{self, Cause};
use crate::login::refusal::Refusal;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::connection::{RequestBinding, SamlConnection, UsableIdp};
use crate::protocol::oauth::params::Params;
use crate::protocol::saml::binding::redirect::RedirectMessage;
use crate::protocol::saml::binding::{Carried, post};
use crate::protocol::saml::logout::{self, LogoutRequest, LogoutResponse, ResponseDraft};
use crate::protocol::saml::message::{self, Expected, Received};
use crate::protocol::saml::names::status;
use crate::protocol::saml::refused::Refused;
use crate::protocol::saml::signature::Verified;
use crate::protocol::saml::status::Status;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{sessions, used};
use crate::store::ephemeral::Kind;
use crate::web::form::MessageForm;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

/// New logout requests that one provider may make in a minute: each is remembered, with all the sessions that it names.
const REQUESTS_A_MINUTE: u64 = 600;
const MINUTE: Duration = Duration::from_secs(60);

// What was issued before a logout is not taken when the logout is forgotten.
const _: () =
    assert!(sessions::OVER_FOR.as_secs() > message::MAX_AGE.as_secs() + message::MAX_SKEW.as_secs());

/// SAML Bindings, section 3.4.3.
const LONGEST_RELAY_STATE: usize = 80;

/// `GET /saml/{connection}/slo`: by redirect.
pub async fn by_redirect(
    visitor: Visitor,
    Path(connection): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let params = Params::parse(query.as_bytes()).unwrap_or_default();
    serve(&visitor, &connection, &params, Way::Redirect(&query)).await
}

/// `POST /saml/{connection}/slo`: in a form.
pub async fn by_post(visitor: Visitor, Path(connection): Path<String>, carried: MessageForm) -> Response {
    match carried.0 {
        Ok(params) => serve(&visitor, &connection, &params, Way::Post).await,
        Err(unreadable) => doorstep::unread(&visitor, &connection, "logout.refused", &unreadable).await,
    }
}

/// How a message came.
#[derive(Clone, Copy)]
enum Way<'q> {
    /// With the query as it was sent, for that is what is signed.
    Redirect(&'q str),
    Post,
}

/// A message that arrived; by redirect, inflated.
enum Arrived<'q> {
    Redirected(RedirectMessage<'q>),
    Posted(Vec<u8>),
}

impl Arrived<'_> {
    fn xml(&self) -> &[u8] {
        match self {
            Self::Redirected(message) => &message.xml,
            Self::Posted(xml) => xml,
        }
    }

    /// Whether it is answered by redirect, too.
    fn binding(&self) -> RequestBinding {
        match self {
            Self::Redirected(_) => RequestBinding::Redirect,
            Self::Posted(_) => RequestBinding::Post,
        }
    }
}

async fn serve(visitor: &Visitor, connection: &str, params: &Params, came: Way<'_>) -> Response {
    let fault = |found: SamlConnection<'_>| (!found.saml.single_logout).then_some("single_logout is off");
    let connection = match doorstep::named(visitor, connection, "logout.refused", fault).await {
        Ok(connection) => connection,
        Err(page) => return page,
    };
    let arrived = arrived(visitor, params, came).await;
    let xml = arrived.as_ref().ok().map(|(_, arrived)| arrived.xml());
    let (action, awaited, again) = ("logout.refused", None, None);
    let came = Came { visitor, connection: &connection, action, xml, awaited, again };
    let outcome = match &arrived {
        Ok((which, arrived)) => came.served(&Message { visitor, params, which: *which, arrived }).await,
        Err(diagnosis) => Err(diagnosis.clone().into()),
    };
    match outcome {
        Ok(response) => response,
        Err(told) => came.turned_away(told).await,
    }
}

/// The one message among the parameters.
async fn arrived<'q>(
    visitor: &Visitor,
    params: &Params,
    came: Way<'q>,
) -> Result<(Carried, Arrived<'q>), Diagnosis> {
    let posted = matches!(came, Way::Post);
    if let Some(why) = message::unsupported(params.iter().map(|(name, _)| name), posted) {
        return Err(Diagnosis::new(Refusal::BindingUnsupported, "HTTP-POST or HTTP-Redirect", why));
    }
    let sent = |which: Carried| params.get(which.parameter()).ok().flatten().map(|field| (which, field));
    let (which, field) = match (sent(Carried::Request), sent(Carried::Response)) {
        (Some(one), None) | (None, Some(one)) => one,
        _ => return Err(malformed("neither one request nor one response")),
    };
    let read = match came {
        Way::Redirect(query) => {
            let _turn = visitor.broker().inflating.of(&visitor.network()).await;
            RedirectMessage::read(query, which).map(Arrived::Redirected)
        }
        Way::Post => post::decode(field).map(Arrived::Posted),
    };
    match read {
        Ok(arrived) => Ok((which, arrived)),
        Err(error) => Err(told_of(malformed(error.to_string()))),
    }
}

/// What cannot be believed confirms nothing and ends nothing, and says so.
fn told_of(diagnosis: Diagnosis) -> Diagnosis {
    match diagnosis.refusal {
        Refusal::AssertionRefused(why) => {
            Diagnosis::new(Refusal::SignOutUnconfirmed(why), diagnosis.expected, diagnosis.found)
        }
        refusal => Diagnosis { refusal, ..diagnosis },
    }
}

/// A message as it came.
struct Message<'a> {
    visitor: &'a Visitor,
    params: &'a Params,
    which: Carried,
    arrived: &'a Arrived<'a>,
}

impl Serves for Message<'_> {
    type Served = Response;
    async fn serve(&self, connection: SamlConnection<'_>) -> Result<Response, Told> {
        let door = Door { message: self, connection };
        let served = match self.which {
            Carried::Request => door.requested().await,
            Carried::Response => door.answered().await,
        };
        served.map_err(|told| match told {
            Told::Diagnosis(diagnosis) => told_of(diagnosis).into(),
            stop => stop,
        })
    }
}

/// The same, held against a connection.
struct Door<'a> {
    message: &'a Message<'a>,
    connection: SamlConnection<'a>,
}

impl<'a> Deref for Door<'a> {
    type Target = Message<'a>;
    fn deref(&self) -> &Message<'a> {
        self.message
    }
}

impl Door<'_> {
    /// As it came, with whose signatures count. A query's is verified here.
    async fn received<'m>(&'m self, idp: &'m UsableIdp) -> Result<Received<'m>, Told> {
        Ok(match self.arrived {
            Arrived::Redirected(message) => {
                // What was signed is inflated once more.
                let _turn = self.visitor.broker().inflating.of(&self.visitor.network()).await;
                Received::Redirected(message.verified(idp.keys()).map_err(Refused::from)?)
            }
            Arrived::Posted(xml) => Received::Posted { xml, keys: idp.keys() },
        })
    }

    /// The identity provider has signed somebody out: their sessions here end with it.
    async fn requested(&self) -> Result<Response, Told> {
        let (idp, keys) = provider(self.visitor, self.connection).await?;
        let naming: Vec<_> = keys.naming.iter().map(|certified| &certified.key).collect();
        let at = self.visitor.saml_addresses(self.connection.id);
        let received = self.received(&idp).await?;
        let request = logout::read_request(received, &self.expected(&idp, &at.slo), &naming)?;
        let status = self.end_all(request.get()).await?;
        self.reply(request.get(), &status, &idp, &keys)
    }

    /// Ends every session that is meant, all or none, and says truthfully whether that was done. A request is used up
    /// only together with what it asks for: one that could not be carried out may come again.
    async fn end_all(&self, request: &LogoutRequest) -> Result<Status, Told> {
        let broker = self.visitor.broker();
        let counter = format!("logout {}", self.connection.id);
        if broker.ephemeral.counted(Kind::RateCounter, &counter).await.map_err(stop)? >= REQUESTS_A_MINUTE {
            // Its provider is told, and its next one in the chain; it may come again.
            return Ok(Status::new(status::RESPONDER, None));
        }
        let ended = leave::Ending::of(self.visitor, Cause::Provider);
        let end = SignOut { ending: ended, connection: self.connection.id, request: request.clone() };
        match broker.db.write(async move |tx| end.run(tx).await).await {
            // Only such as are new: whoever has seen one takes nothing from others by repeating it.
            Ok(true) => {
                broker.ephemeral.count(Kind::RateCounter, &counter, MINUTE).await.map_err(stop)?;
                Ok(Status::success())
            }
            Ok(false) => Err(Diagnosis::new(
                Refusal::AssertionRefused("replayed"),
                "a new request",
                "one that was used",
            )
            .into()),
            Err(error) => {
                let request = self.visitor.request;
                tracing::error!(%request, %error, "sessions could not be ended at their identity provider's wish");
                Ok(Status::new(status::RESPONDER, None))
            }
        }
    }

    fn reply(
        &self,
        request: &LogoutRequest,
        status: &Status,
        idp: &UsableIdp,
        keys: &SpKeys,
    ) -> Result<Response, Told> {
        let Some((binding, endpoint)) = idp.slo.preferred(self.arrived.binding()) else {
            // Nobody there can be told, so whoever is here is.
            return match status.is_success() {
                true => Ok(After::default().reply(self.visitor, None)),
                false => Err(stop(Fault::Other("sessions could not be ended"))),
            };
        };
        let destination = endpoint.for_responses();
        let at = self.visitor.saml_addresses(self.connection.id);
        let id = message_id(self.visitor);
        let draft = ResponseDraft {
            id: &id,
            issuer: &at.entity_id,
            destination,
            in_response_to: &request.id,
            status,
        };
        let xml = draft.write(self.visitor.broker().now());
        let xml = xml.map_err(|_| stop(Fault::Other("a logout response cannot be written")))?;
        let relay_state = self.params.get("RelayState").ok().flatten();
        let message = departure::Message {
            which: Carried::Response,
            id: &id,
            xml: &xml,
            relay_state: relay_state.filter(|state| state.len() <= LONGEST_RELAY_STATE),
        };
        let departure = Departure::with(message, binding, self.connection, destination.to_owned(), keys);
        Ok(departure.map_err(Told::Stop)?.reply(self.visitor, None, &self.visitor.provider_targets()))
    }

    /// The identity provider says how the sign-out went that we asked it for.
    async fn answered(&self) -> Result<Response, Told> {
        let (idp, _) = provider(self.visitor, self.connection).await?;
        let at = self.visitor.saml_addresses(self.connection.id);
        let received = self.received(&idp).await?;
        let (id, asked) = self.asked(logout::claimed_in_response_to(self.arrived.xml())).await?;
        let response = logout::read_response(received, &self.expected(&idp, &at.slo), &id)?;
        self.forget(&response).await?;
        let is_complete = response.get().is_complete() && !asked.leaves_some;
        if is_complete {
            return Ok(asked.after.reply(self.visitor, None));
        }
        self.note_incomplete(response.get()).await?;
        Ok(asked.after.reply_incomplete(self.visitor, self.connection.display_name.clone()))
    }

    /// The provider says that somebody is still signed in there, or at others that it tells.
    async fn note_incomplete(&self, response: &LogoutResponse) -> Result<(), Told> {
        let (broker, now) = (self.visitor.broker(), self.visitor.broker().now());
        let event = AuditEvent::new(self.connection.project_id, "logout.incomplete", Outcome::Refused)
            .organization(self.connection.organization_id)
            .subject(self.connection.id)
            .request(Some(self.visitor.request))
            .reason("sign_out_incomplete")
            .with("connection", self.connection.id.to_string())
            .with("status", response.status.shown());
        let random = broker.random.clone();
        let written = broker.db.write(async move |tx| audit::record(tx, &random, now, &event).await);
        written.await.map_err(stop)
    }

    /// The request of ours that is answered, if there is one.
    async fn asked(&self, claimed: Option<String>) -> Result<(String, Asked), Told> {
        let nothing = Diagnosis::new(
            Refusal::AssertionRefused("in_response_to"),
            "a request of ours",
            claimed.clone().unwrap_or_else(|| "nothing".into()),
        );
        let Some(id) = claimed else { return Err(nothing.into()) };
        let found = self.visitor.broker().ephemeral.get(Kind::SignOut, &id).await.map_err(stop)?;
        let asked: Option<Asked> = found.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match asked {
            Some(asked) if asked.connection == self.connection.id => Ok((id, asked)),
            _ => Err(nothing.into()),
        }
    }

    async fn forget(&self, response: &Verified<LogoutResponse>) -> Result<(), Told> {
        let id = &response.get().in_response_to;
        self.visitor.broker().ephemeral.take(Kind::SignOut, id).await.map_err(stop)?;
        Ok(())
    }

    fn expected<'e>(&self, idp: &'e UsableIdp, destination: &'e str) -> Expected<'e> {
        Expected {
            issuer: &idp.entity_id,
            destination,
            now: self.visitor.broker().now(),
            skew: Duration::from_secs(self.connection.settings.leeway),
        }
    }
}

async fn provider(
    visitor: &Visitor,
    connection: SamlConnection<'_>,
) -> Result<(std::sync::Arc<UsableIdp>, SpKeys), Told> {
    let broker = visitor.broker();
    let idp = broker.saml_keys.idp(connection).map_err(|why| {
        let refusal = Refusal::IdpUnreachable("connection_unusable");
        Diagnosis::new(refusal, "a connection that can be used", why.to_string())
    })?;
    let keys = broker.saml_keys.of_connection(connection).await.map_err(stop)?;
    Ok((idp, keys))
}

/// What a request does, in one transaction.
struct SignOut {
    ending: leave::Ending,
    connection: ConnectionId,
    request: LogoutRequest,
}

impl SignOut {
    /// False: it was used before. Repeated later, it would end newer sessions.
    async fn run(self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let LogoutRequest { id, issued, name_id, session_indexes, .. } = &self.request;
        // Whoever signs in by this connection at this moment is either seen here, or sees what is written here.
        tx.lock(Lock::Exclusive, "connections", &self.connection.to_string()).await?;
        let until = self.ending.now.plus(message::MAX_AGE + message::MAX_SKEW);
        if !used::first(tx, "saml_logout_request", &self.connection.to_string(), id, until).await? {
            return Ok(false);
        }
        let name = &name_id.value;
        for session in sessions::named_upstream(tx, self.connection, name, session_indexes).await? {
            self.ending.end(tx, session).await?;
        }
        sessions::upstream_over(tx, self.connection, name, session_indexes, *issued).await?;
        Ok(true)
    }
}

fn malformed(found: impl Into<String>) -> Diagnosis {
    Diagnosis::new(Refusal::AssertionRefused("malformed_saml"), "one logout message", found)
}
