//! Where an identity provider's logout messages come.

use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::response::Response;

use super::{Asked, message_id};
use crate::foundation::id::ConnectionId;
use crate::keys::saml_keyring::SpKeys;
use crate::login::departure::{Departure, Message};
use crate::login::diagnosis::Diagnosis;
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, leave, refused, turn_away};
use crate::model::connection::{Connection, RequestBinding, SamlConnection, UsableIdp};
use crate::protocol::oauth::params::Params;
use crate::protocol::saml::binding::redirect::RedirectMessage;
use crate::protocol::saml::binding::{Carried, post};
use crate::protocol::saml::logout::{self, LogoutRequest, LogoutResponse, ResponseDraft};
use crate::protocol::saml::message::{self, Expected, Received};
use crate::protocol::saml::names::status;
use crate::protocol::saml::refused::Refused;
use crate::protocol::saml::signature::Verified;
use crate::protocol::saml::status::Status;
use crate::store::durable::{connections, sessions, used};
use crate::store::ephemeral::Kind;
use crate::web::form::Form;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

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
    serve(&visitor, &connection, &params, Came::Redirect(&query)).await
}

/// `POST /saml/{connection}/slo`: in a form.
pub async fn by_post(visitor: Visitor, Path(connection): Path<String>, Form(params): Form) -> Response {
    serve(&visitor, &connection, &params, Came::Post).await
}

/// How a message came.
#[derive(Clone, Copy)]
enum Came<'q> {
    /// With the query as it was sent, for that is what is signed.
    Redirect(&'q str),
    Post,
}

async fn serve(visitor: &Visitor, connection: &str, params: &Params, came: Came<'_>) -> Response {
    let connection = match named(visitor, connection).await {
        Ok(connection) => connection,
        Err(stop) => return answer(visitor, Err(stop)).await,
    };
    let Some(connection) = connection.saml() else {
        return answer(visitor, Err(Refusal::AssertionRefused("connection").into())).await;
    };
    let door = Door { visitor, connection, params, came };
    match door.serve().await {
        Ok(response) => response,
        Err(Told::Diagnosis(diagnosis)) => {
            let event = refused(visitor, "logout.refused", &diagnosis.refusal);
            let event = diagnosis.tell(event, &connection, None);
            turn_away(visitor, &diagnosis.refusal, event).await
        }
        Err(Told::Stop(stop)) => answer(visitor, Err(stop)).await,
    }
}

async fn named(visitor: &Visitor, id: &str) -> Result<Connection, Stop> {
    let unknown = Refusal::AssertionRefused("connection");
    let id: ConnectionId = id.parse().map_err(|_| unknown.clone())?;
    let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
    let known = |connection: &Connection| {
        connection.is_active() && connection.saml().is_some_and(|connection| connection.saml.single_logout)
    };
    Ok(found.filter(known).ok_or(unknown)?)
}

/// Why a message is not taken.
enum Told {
    Diagnosis(Diagnosis),
    Stop(Stop),
}

impl Told {
    /// An answer that cannot be believed confirms nothing, and says so.
    fn of_answer(self) -> Self {
        match self {
            Self::Diagnosis(Diagnosis {
                refusal: Refusal::AssertionRefused(why), expected, found, ..
            }) => Self::Diagnosis(Diagnosis::new(Refusal::SignOutUnconfirmed(why), expected, found)),
            other => other,
        }
    }
}

impl<E: Into<Diagnosis>> From<E> for Told {
    fn from(why: E) -> Self {
        Self::Diagnosis(why.into())
    }
}

fn stop(why: impl Into<Stop>) -> Told {
    Told::Stop(why.into())
}

struct Door<'a> {
    visitor: &'a Visitor,
    connection: SamlConnection<'a>,
    params: &'a Params,
    came: Came<'a>,
}

impl Door<'_> {
    async fn serve(&self) -> Result<Response, Told> {
        let posted = matches!(self.came, Came::Post);
        if let Some(why) = message::unsupported(self.params.iter().map(|(name, _)| name), posted) {
            return Err(Diagnosis::new(Refusal::BindingUnsupported, "HTTP-POST or HTTP-Redirect", why).into());
        }
        let sent = |which: Carried| self.params.get(which.parameter()).ok().flatten();
        match (sent(Carried::Request), sent(Carried::Response)) {
            (Some(request), None) => self.requested(request).await,
            (None, Some(response)) => self.answered(response).await.map_err(Told::of_answer),
            _ => Err(malformed("neither one request nor one response").into()),
        }
    }

    /// The identity provider has signed somebody out: their sessions here end with it.
    async fn requested(&self, field: &str) -> Result<Response, Told> {
        let (idp, keys) = provider(self.visitor, self.connection).await?;
        let decrypting: Vec<_> = keys.decrypting.iter().map(|certified| &certified.key).collect();
        let at = self.visitor.saml_addresses(self.connection.id);
        let posted;
        let received = match self.came {
            Came::Redirect(query) => Received::Redirected(redirected(query, Carried::Request, &idp)?),
            Came::Post => {
                posted = post::decode(field).map_err(|error| malformed(error.to_string()))?;
                Received::Posted { xml: &posted, keys: idp.keys() }
            }
        };
        let request = logout::read_request(received, &self.expected(&idp, &at.slo), &decrypting)?;
        let status = self.end_all(&request).await?;
        self.reply(request.get(), &status, &idp, &keys)
    }

    /// Ends every session that is meant, and says truthfully whether all of them ended.
    async fn end_all(&self, request: &Verified<LogoutRequest>) -> Result<Status, Told> {
        let request = request.get();
        self.first_time(&request.id).await?;
        let broker = self.visitor.broker();
        let name = &request.name_id.value;
        let found =
            sessions::named_upstream(&mut &broker.db, self.connection.id, name, &request.session_indexes)
                .await;
        let mut all = true;
        for session in found.map_err(stop)? {
            if let Err(error) = leave::end(self.visitor, session).await {
                tracing::error!(%session, %error, "a session could not be ended at its identity provider's wish");
                all = false;
            }
        }
        Ok(if all { Status::success() } else { Status::new(status::RESPONDER, Some(status::PARTIAL_LOGOUT)) })
    }

    /// A request ends sessions once: repeated later, it would end newer ones.
    async fn first_time(&self, id: &str) -> Result<(), Told> {
        let broker = self.visitor.broker();
        let (scope, id) = (self.connection.id.to_string(), id.to_owned());
        let until = broker.now().plus(message::MAX_AGE + message::MAX_SKEW);
        let first = broker
            .db
            .write(async move |tx| used::first(tx, "saml_logout_request", &scope, &id, until).await)
            .await;
        if first.map_err(stop)? {
            Ok(())
        } else {
            Err(Diagnosis::new(Refusal::AssertionRefused("replayed"), "a new request", "one that was used")
                .into())
        }
    }

    fn reply(
        &self,
        request: &LogoutRequest,
        status: &Status,
        idp: &UsableIdp,
        keys: &SpKeys,
    ) -> Result<Response, Told> {
        let preferred = match self.came {
            Came::Redirect(_) => RequestBinding::Redirect,
            Came::Post => RequestBinding::Post,
        };
        let Some((binding, endpoint)) = idp.slo.preferred(preferred) else {
            return Ok(leave::pages::signed_out(self.visitor, None));
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
        let message = Message {
            which: Carried::Response,
            id: &id,
            xml: &xml,
            relay_state: relay_state.filter(|state| state.len() <= LONGEST_RELAY_STATE),
        };
        let departure = Departure::with(message, binding, self.connection, destination.to_owned(), keys);
        Ok(departure.map_err(Told::Stop)?.reply(self.visitor, None, &self.visitor.provider_targets()))
    }

    /// The identity provider says how the sign-out went that we asked it for.
    async fn answered(&self, field: &str) -> Result<Response, Told> {
        let (idp, _) = provider(self.visitor, self.connection).await?;
        let at = self.visitor.saml_addresses(self.connection.id);
        let expected = self.expected(&idp, &at.slo);
        let response = match self.came {
            Came::Redirect(query) => {
                let xml = redirected(query, Carried::Response, &idp)?;
                let id = self.asked(logout::claimed_in_response_to(xml.get())).await?;
                logout::read_response(Received::Redirected(xml), &expected, &id)?
            }
            Came::Post => {
                let xml = post::decode(field).map_err(|error| malformed(error.to_string()))?;
                let id = self.asked(logout::claimed_in_response_to(&xml)).await?;
                logout::read_response(Received::Posted { xml: &xml, keys: idp.keys() }, &expected, &id)?
            }
        };
        self.forget(&response).await?;
        let left = (!response.get().is_complete()).then(|| self.connection.display_name.clone());
        Ok(leave::pages::signed_out(self.visitor, left))
    }

    /// The request of ours that is answered, if there is one.
    async fn asked(&self, claimed: Option<String>) -> Result<String, Told> {
        let nothing = Diagnosis::new(
            Refusal::AssertionRefused("in_response_to"),
            "a request of ours",
            claimed.clone().unwrap_or_else(|| "nothing".into()),
        );
        let Some(id) = claimed else { return Err(nothing.into()) };
        let found = self.visitor.broker().ephemeral.get(Kind::SignOut, &id).await.map_err(stop)?;
        let asked: Option<Asked> = found.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match asked {
            Some(asked) if asked.connection == self.connection.id => Ok(id),
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

fn redirected(query: &str, which: Carried, idp: &UsableIdp) -> Result<Verified<Vec<u8>>, Told> {
    let message = RedirectMessage::read(query, which).map_err(|error| malformed(error.to_string()))?;
    Ok(message.verified(idp.keys()).map_err(Refused::from)?)
}

fn malformed(found: impl Into<String>) -> Diagnosis {
    Diagnosis::new(Refusal::AssertionRefused("malformed_saml"), "one logout message", found)
}
