//! Where an identity provider's logout messages come.

use std::ops::Deref;
use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::response::Response;

use super::Asked;
use super::ending::{Ended, SignOut};
use super::reply::Reply;
use crate::audit;
use crate::foundation::id::ConnectionId;
use crate::keys::saml_keyring::SpKeys;
use crate::login::diagnosis::Diagnosis;
use crate::login::doorstep::{self, About, Came, Serves, Standing, Told, stop};
use crate::login::leave::{self, Cause};
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer};
use crate::model::connection::{RequestBinding, SamlConnection, UsableIdp};
use crate::protocol::oauth::params::Params;
use crate::protocol::saml::binding::redirect::RedirectMessage;
use crate::protocol::saml::binding::{Carried, MAX_ECHO, post};
use crate::protocol::saml::logout::{self, LogoutRequest, LogoutResponse};
use crate::protocol::saml::message::{self, Expected, Received};
use crate::protocol::saml::names::status;
use crate::protocol::saml::refused::{Check, Refused, told};
use crate::protocol::saml::signature::Verified;
use crate::protocol::saml::status::Status;
use crate::store::ephemeral::Kind;
use crate::web::form::MessageForm;
use crate::web::visitor::Visitor;

/// New logout requests that one provider may make in a minute: each is remembered, with all the sessions that it names.
const REQUESTS_A_MINUTE: u64 = 600;
const MINUTE: Duration = Duration::from_secs(60);

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
        Err(unreadable) => doorstep::unread(&visitor, &connection, About::SigningOut, &unreadable).await,
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
pub(super) enum Arrived<'q> {
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
    pub fn binding(&self) -> RequestBinding {
        match self {
            Self::Redirected(_) => RequestBinding::Redirect,
            Self::Posted(_) => RequestBinding::Post,
        }
    }
}

async fn serve(visitor: &Visitor, connection: &str, params: &Params, came: Way<'_>) -> Response {
    let connection = match doorstep::named(visitor, connection, About::SigningOut).await {
        Ok(connection) => connection,
        Err(page) => return page,
    };
    let arrived = arrived(visitor, params, came).await;
    let xml = arrived.as_ref().ok().map(|(_, arrived)| arrived.xml());
    let standing = match &arrived {
        Ok((Carried::Response, arrived)) => match asked(visitor, connection.id, arrived.xml()).await {
            Ok(asked) => asked.map_or(Standing::Stranger, |(id, _)| Standing::Answer(id)),
            Err(told) => return answer(visitor, Err(told)).await,
        },
        _ => Standing::Stranger,
    };
    let came = Came { xml, standing, ..Came::of_a_stranger(visitor, &connection, "logout.refused") };
    let outcome = match &arrived {
        Ok((which, arrived)) => came.served(&Message { visitor, params, which: *which, arrived }).await,
        Err(diagnosis) => Err(diagnosis.clone().into()),
    };
    match outcome {
        Ok(Served { response, refused: None }) => response,
        // It is written down as what is told on a page.
        Ok(Served { response, refused: Some(diagnosis) }) => {
            let standing = match &arrived {
                Ok((Carried::Response, _)) => came.standing.clone(),
                _ => Standing::Proved,
            };
            Came { standing, ..came }.turned_away(diagnosis.into()).await;
            response
        }
        Err(told) => came.turned_away(told).await,
    }
}

/// What goes out.
pub(super) struct Served {
    pub response: Response,
    /// Why the message is refused that is answered so.
    pub refused: Option<Diagnosis>,
}

impl From<Response> for Served {
    fn from(response: Response) -> Self {
        Self { response, refused: None }
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
        let refusal = Refusal::SignOutUnconfirmed(Refusal::BindingUnsupported.name());
        return Err(Diagnosis::new(refusal, "HTTP-POST or HTTP-Redirect", why));
    }
    let sent = |which: Carried| params.get(which.parameter()).ok().flatten().map(|field| (which, field));
    let (which, field) = match (sent(Carried::Request), sent(Carried::Response)) {
        (Some(one), None) | (None, Some(one)) => one,
        _ => return Err(told_of(malformed("neither one request nor one response"))),
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
pub(super) fn told_of(diagnosis: Diagnosis) -> Diagnosis {
    match diagnosis.refusal {
        Refusal::AssertionRefused(_) | Refusal::IdpUnreachable(_) => {
            let refusal = Refusal::SignOutUnconfirmed(diagnosis.refusal.name());
            Diagnosis::new(refusal, diagnosis.expected, diagnosis.found)
        }
        refusal => Diagnosis { refusal, ..diagnosis },
    }
}

/// A message as it came.
pub(super) struct Message<'a> {
    pub visitor: &'a Visitor,
    params: &'a Params,
    which: Carried,
    pub arrived: &'a Arrived<'a>,
}

impl Serves for Message<'_> {
    const ABOUT: About = About::SigningOut;
    type Served = Served;
    async fn serve(&self, connection: SamlConnection<'_>) -> Result<Served, Told> {
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
pub(super) struct Door<'a> {
    message: &'a Message<'a>,
    pub connection: SamlConnection<'a>,
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
    async fn requested(&self) -> Result<Served, Told> {
        let (idp, keys) = provider(self.visitor, self.connection).await?;
        let naming: Vec<_> = keys.naming.iter().map(|certified| &certified.key).collect();
        let at = self.visitor.saml_addresses(self.connection.id);
        let received = self.received(&idp).await?;
        let reply = Reply { door: self, idp: &idp, keys: &keys };
        match logout::read_request(received, &self.expected(&idp, &at.slo), &naming) {
            Ok(request) if !self.connection.saml.single_logout => {
                let refusal = Refusal::AssertionRefused("connection");
                let why =
                    Diagnosis::new(refusal, "a connection that is in use for this", "single_logout is off");
                let status = Status::new(status::RESPONDER, Some(status::REQUEST_DENIED));
                reply.refusing(&request.get().id, &status, why).await
            }
            Ok(request) => match self.end_all(request.get()).await? {
                Ended::All(opens) => reply.after(&request.get().id, opens).await.map(Served::from),
                Ended::Nobody => reply.knowing_nobody(&request.get().id).map(Served::from),
                Ended::Not(status) => reply.with(&request.get().id, &status).map(Served::from),
                Ended::Before => {
                    let used = "one that was used";
                    let why = Diagnosis::new(Refusal::AssertionRefused("replayed"), "a new request", used);
                    let status = Status::new(status::REQUESTER, Some(status::REQUEST_DENIED));
                    reply.refusing(&request.get().id, &status, why).await
                }
            },
            Err(unmet) => match &unmet.id {
                Some(id) => reply.refusing(id, &unmet.status(), unmet.why.clone().into()).await,
                None => Err(unmet.why.into()),
            },
        }
    }

    /// What came along is given back exactly as it came (SAML Bindings, sections 3.4.3 and 3.5.3), although it is longer
    /// than it may be; what is too long for anybody is not, which the log tells.
    pub fn relay_state(&self) -> Option<&str> {
        let state = self.params.get("RelayState").ok().flatten()?;
        if state.len() <= MAX_ECHO {
            return Some(state);
        }
        let (request, connection, bytes) = (&self.visitor.request, &self.connection.id, state.len());
        tracing::warn!(%request, %connection, bytes, "a RelayState was too long to be given back");
        None
    }

    /// Ends every session that is meant, all or none, and says truthfully whether that was done. A request is used up
    /// only together with what it asks for: one that could not be carried out may come again.
    async fn end_all(&self, request: &LogoutRequest) -> Result<Ended, Told> {
        let broker = self.visitor.broker();
        let counter = format!("logout {}", self.connection.id);
        if broker.ephemeral.counted(Kind::RateCounter, &counter).await.map_err(stop)? >= REQUESTS_A_MINUTE {
            // Its provider is told, and its next one in the chain; it may come again.
            return Ok(Ended::Not(Status::new(status::RESPONDER, None)));
        }
        let ended = leave::Ending::of(self.visitor, Cause::Provider);
        let end = SignOut {
            ending: ended,
            project: self.connection.project_id,
            connection: self.connection.id,
            request: request.clone(),
        };
        match broker.db.write(async move |tx| end.run(tx).await).await {
            // Only such as are new: whoever has seen one takes nothing from others by repeating it.
            Ok(Ended::Before) => Ok(Ended::Before),
            Ok(ended) => {
                broker.ephemeral.count(Kind::RateCounter, &counter, MINUTE).await.map_err(stop)?;
                Ok(ended)
            }
            Err(error) => {
                let request = self.visitor.request;
                tracing::error!(%request, %error, "sessions could not be ended at their identity provider's wish");
                Ok(Ended::Not(Status::new(status::RESPONDER, None)))
            }
        }
    }

    /// The identity provider says how the sign-out went that we asked it for.
    async fn answered(&self) -> Result<Served, Told> {
        let (idp, _) = provider(self.visitor, self.connection).await?;
        let asked = asked(self.visitor, self.connection.id, self.arrived.xml()).await.map_err(Told::Stop)?;
        let (response, asked) = match (self.response(&idp, &asked).await, asked) {
            (Ok(response), Ok((_, asked))) => (response, asked),
            // Some providers sign no answer to a sign-out (Entra ID). It proves nothing: the person is told so, and goes
            // on. The request stays open for one that does.
            (Err(Told::Diagnosis(why)), Ok((_, asked))) if why.is_of(Check::SignatureMissing) => {
                let response =
                    asked.after.reply_incomplete(self.visitor, self.connection.display_name.clone());
                return Ok(Served { response, refused: Some(told_of(why)) });
            }
            (Err(told), _) => return Err(told),
            (Ok(_), Err(claimed)) => return Err(answers_nothing(claimed.as_deref()).into()),
        };
        self.forget(&response).await?;
        let is_complete = response.get().is_complete() && !asked.leaves_some;
        if is_complete {
            return Ok(asked.after.reply(self.visitor, None).into());
        }
        self.note_incomplete(&response.get().status).await?;
        Ok(asked.after.reply_incomplete(self.visitor, self.connection.display_name.clone()).into())
    }

    async fn response(
        &self,
        idp: &UsableIdp,
        asked: &Result<(String, Asked), Option<String>>,
    ) -> Result<Verified<LogoutResponse>, Told> {
        let at = self.visitor.saml_addresses(self.connection.id);
        let received = self.received(idp).await?;
        let (id, _) = asked.as_ref().map_err(|claimed| answers_nothing(claimed.as_deref()))?;
        Ok(logout::read_response(received, &self.expected(idp, &at.slo), id)?)
    }

    /// Somebody is still signed in somewhere: at the provider or at others that it tells, as it says, or at applications of
    /// ours, as we say.
    pub async fn note_incomplete(&self, status: &Status) -> Result<(), Told> {
        let (broker, now) = (self.visitor.broker(), self.visitor.broker().now());
        let event = leave::incomplete(self.visitor, &self.connection).with("status", told(&status.shown()));
        let random = broker.random.clone();
        let written = broker.db.write(async move |tx| audit::record(tx, &random, now, &event).await);
        written.await.map_err(stop)
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

/// The request of ours that a response claims to answer, if there is one; otherwise what it claims.
async fn asked(
    visitor: &Visitor,
    connection: ConnectionId,
    xml: &[u8],
) -> Result<Result<(String, Asked), Option<String>>, Stop> {
    let Some(id) = logout::claimed_in_response_to(xml) else { return Ok(Err(None)) };
    let found = visitor.broker().ephemeral.get(Kind::SignOut, &id).await?;
    let asked: Option<Asked> = found.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(match asked {
        Some(asked) if asked.connection == connection => Ok((id, asked)),
        _ => Err(Some(id)),
    })
}

fn answers_nothing(claimed: Option<&str>) -> Diagnosis {
    let refusal = Refusal::AssertionRefused("in_response_to");
    Diagnosis::new(refusal, "a request of ours", claimed.unwrap_or("nothing"))
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

fn malformed(found: impl Into<String>) -> Diagnosis {
    Diagnosis::new(Refusal::AssertionRefused("malformed_saml"), "one logout message", found)
}
