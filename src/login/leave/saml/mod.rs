//! Single logout with a SAML identity provider (SAML Profiles, section 4.4): it tells us that a session ended there, or
//! we tell it that one ended here.

pub mod pages;

use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::foundation::id::{ConnectionId, SessionId};
use crate::login::Stop;
use crate::login::departure::{Departure, Message};
use crate::model::connection::{Connection, SamlConnection};
use crate::model::session::{UpstreamName, UpstreamSession};
use crate::protocol::saml::assertion::NameId;
use crate::protocol::saml::binding::Carried;
use crate::protocol::saml::logout::RequestDraft;
use crate::store::durable::sessions;
use crate::store::ephemeral::Kind;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

/// How long an identity provider may take to sign somebody out.
const PATIENCE: Duration = Duration::from_secs(600);
/// For a request of ours: after that it is void.
const VOID_AFTER: Duration = Duration::from_secs(300);

/// A sign-out that an identity provider was asked for.
#[derive(Serialize, Deserialize)]
struct Asked {
    connection: ConnectionId,
}

/// On to the identity provider, to sign out there as well, if it offers that; `session` has ended here.
pub async fn onward(
    visitor: &Visitor,
    connection: &Connection,
    session: SessionId,
) -> Result<Option<Departure>, Stop> {
    let broker = visitor.broker();
    let Some(connection) = connection.saml().filter(|connection| connection.saml.single_logout) else {
        return Ok(None);
    };
    let upstream = sessions::upstream_of(&mut &broker.db, session).await?;
    let Some(latest) = upstream.first() else { return Ok(None) };
    let Ok(idp) = broker.saml_keys.idp(connection) else { return Ok(None) };
    let Some((binding, endpoint)) = idp.slo.preferred(connection.saml.request.binding) else {
        return Ok(None);
    };
    let keys = broker.saml_keys.of_connection(connection).await?;
    let id = message_id(visitor);
    let xml = request(visitor, connection, (&latest.name, &upstream), &id, &endpoint.location)?;
    let asked = serde_json::to_vec(&Asked { connection: connection.id })?;
    broker.ephemeral.put(Kind::SignOut, &id, asked, PATIENCE).await?;
    let message = Message { which: Carried::Request, id: &id, xml: &xml, relay_state: None };
    let address = endpoint.location.clone();
    Departure::with(message, binding, connection, address, &keys).map(Some)
}

fn request(
    visitor: &Visitor,
    connection: SamlConnection<'_>,
    (name, upstream): (&UpstreamName, &[UpstreamSession]),
    id: &str,
    destination: &str,
) -> Result<String, Fault> {
    let now = visitor.broker().now();
    let at = visitor.saml_addresses(connection.id);
    let indexes: Vec<&str> = upstream.iter().filter_map(|session| session.index.as_deref()).collect();
    let draft = RequestDraft {
        id,
        issuer: &at.entity_id,
        destination,
        name_id: &name_id(name),
        session_indexes: &indexes,
        not_on_or_after: Some(now.plus(VOID_AFTER)),
    };
    draft.write(now).map_err(|_| Fault::Other("a logout request cannot be written"))
}

fn name_id(name: &UpstreamName) -> NameId {
    NameId {
        value: name.value.clone(),
        format: name.format.clone(),
        name_qualifier: name.name_qualifier.clone(),
        sp_name_qualifier: name.sp_name_qualifier.clone(),
    }
}

/// `_` and 128 bits of chance.
fn message_id(visitor: &Visitor) -> String {
    format!("_{}", HEXLOWER.encode(&visitor.broker().random.bytes::<16>()))
}
