//! The doors of a SAML connection: where answers are posted, and where the browser then takes them up.

use axum::extract::Path;
use axum::response::Response;
use tower_sessions::Session;

use super::answered;
use super::diagnosis::Diagnosis;
use crate::foundation::id::{ConnectionId, FlowId};
use crate::foundation::secret::Secret;
use crate::login::flow::Journey;
use crate::login::refusal::Refusal;
use crate::login::{Stop, answer, authenticate, next, note_event, refused_event};
use crate::model::connection::{Connection, SamlConnection};
use crate::model::login::{Authenticated, Away, AwaitedSaml, Login, Proof, Stage};
use crate::protocol::oauth::params::Params;
use crate::protocol::saml::binding::post;
use crate::protocol::saml::response::{self, Answers, Expected};
use crate::protocol::saml::{logout, names};
use crate::store::durable::connections;
use crate::store::ephemeral::{EphemeralError, Kind};
use crate::web::form::Form;
use crate::web::reply::{self, Fault};
use crate::web::visitor::Visitor;
use crate::web::browser;

/// `POST /saml/{connection}/acs`: the identity provider's answer, carried by the person's browser. Everything that can
/// be judged without the browser's cookie is judged here; nobody is signed in yet.
pub async fn consume(visitor: Visitor, Path(connection): Path<String>, Form(params): Form) -> Response {
    let outcome = consumed(&visitor, &connection, &params).await;
    match outcome {
        Ok(flow) => reply::see_other(&visitor.path(&format!("/login/{flow}/returned"))),
        Err(stop) => answer(&visitor, Err(stop)).await,
    }
}

async fn consumed(visitor: &Visitor, connection: &str, params: &Params) -> Result<FlowId, Stop> {
    let unknown = Refusal::AssertionRefused("connection");
    let id: ConnectionId = connection.parse().map_err(|_| unknown.clone())?;
    let found = connections::by_id(&mut &visitor.broker().db, visitor.project.id, id).await?;
    let found = found.filter(Connection::is_active).ok_or(unknown.clone())?;
    let connection = found.saml().ok_or(unknown)?;
    let answer = Answer { visitor, connection };
    let mut message = None;
    match answer.read(params, &mut message).await {
        Ok(flow) => Ok(flow),
        Err(Told::Stop(stop)) => Err(stop),
        Err(Told::Diagnosis(diagnosis)) => {
            answer.tell(&diagnosis, message.as_deref()).await?;
            Err(Stop::Told(diagnosis.refusal))
        }
    }
}
