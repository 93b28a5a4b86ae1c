//! Single logout with a SAML identity provider (SAML Profiles, section 4.4): it tells us that a session ended there, or
//! we tell it that one ended here.

mod ending;
pub mod pages;
mod reply;

use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::Onward;
use super::after::After;
use crate::foundation::id::{ConnectionId, SessionId};
use crate::login::departure::{Departure, Message};
use crate::login::{Stop, doorstep};
use crate::model::connection::{Connection, SamlConnection, SamlSettings};
use crate::model::session::{Secrecy, UpstreamName, UpstreamSession};
use crate::protocol::saml::assertion::NameId;
use crate::protocol::saml::binding::Carried;
use crate::protocol::saml::keys::{Certificate, EncryptingKey};
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
    /// Whether there are sessions by another name as well, for which nobody was asked.
    #[serde(default)]
    leaves_some: bool,
    /// What the browser still does when it comes back.
    #[serde(default)]
    after: After,
}

/// Which of the provider's sessions are to end there.
struct Named<'u> {
    name: &'u UpstreamName,
    /// As it was told in the most secret way.
    secrecy: Secrecy,
    /// All of that name, if there is none.
    indexes: Vec<&'u str>,
    leaves_some: bool,
}

impl<'u> Named<'u> {
    /// By the latest name; nothing, if there is none. If one of its sessions has no index, or they are too many to know them all, no index is named:
    /// only then are those meant, too (SAML Core, section 3.7.1).
    fn of(upstream: &'u [UpstreamSession]) -> Option<Self> {
        let name = upstream.iter().find_map(|session| session.name.as_ref())?;
        let is_same = |session: &&UpstreamSession| session.name.as_ref().is_some_and(|own| own.is(name));
        let (same, others): (Vec<_>, Vec<_>) = upstream.iter().partition(is_same);
        let told = |how| same.iter().any(|same| same.name.as_ref().is_some_and(|name| name.secrecy == how));
        let secrecy = [Secrecy::Own, Secrecy::Within].into_iter().find(|how| told(*how));
        let secrecy = secrecy.unwrap_or(Secrecy::Open);
        let are_all = upstream.len() < sessions::MOST_UPSTREAM;
        let indexes: Option<Vec<_>> = same.iter().map(|session| session.index.as_deref()).collect();
        let indexes = indexes.filter(|_| are_all).unwrap_or_default();
        Some(Self { name, secrecy, indexes, leaves_some: !others.is_empty() || !are_all })
    }
}

/// On to the identity provider, to sign out there as well; `session` has ended here.
pub async fn onward(
    visitor: &Visitor,
    connection: &Connection,
    session: SessionId,
    after: &After,
) -> Result<Onward, Stop> {
    let broker = visitor.broker();
    let offers =
        |saml: &SamlSettings| saml.single_logout && saml.idp.slo.preferred(saml.request.binding).is_some();
    if !connection.saml().is_some_and(|connection| offers(connection.saml)) {
        return Ok(Onward::Nowhere);
    }
    let current = match doorstep::current(visitor, connection.clone()).await {
        // Switched off, it is asked by what is known of it.
        Err(Stop::Refused(_)) => connection.clone(),
        current => current?,
    };
    let Some(connection) = current.saml().filter(|connection| offers(connection.saml)) else {
        return Ok(Onward::Nowhere);
    };
    // Nobody knows whether its door for this is where it was, and a person's name is told to nobody else.
    let Ok(idp) = broker.saml_keys.idp(connection) else {
        return Ok(Onward::Unasked("what is known of the identity provider's metadata is no longer valid"));
    };
    let Some((binding, endpoint)) = idp.slo.preferred(connection.saml.request.binding) else {
        return Ok(Onward::Nowhere);
    };
    let upstream = sessions::upstream_of(&mut &broker.db, session).await?;
    let Some(named) = Named::of(&upstream) else {
        return Ok(Onward::Unasked("the identity provider has never said by which name it knows the person"));
    };
    let sealing = encryption_key(connection);
    // What was told to nobody else is not sent through a browser for all to read: whom it names is told to sign out there. Of
    // what merely stood in something encrypted, that would be most sign-outs: few providers that encrypt show a key of theirs.
    if named.secrecy == Secrecy::Own && sealing.is_none() {
        return Ok(Onward::Unasked(
            "the identity provider names the person in secret, and shows no key to encrypt the name to",
        ));
    }
    let sealing = sealing.filter(|_| named.secrecy != Secrecy::Open);
    let keys = broker.saml_keys.of_connection(connection).await?;
    let id = message_id(visitor);
    let xml = request(visitor, connection, (&named, sealing.as_ref()), &id, &endpoint.location)?;
    let asked = Asked { connection: connection.id, leaves_some: named.leaves_some, after: after.clone() };
    let asked = serde_json::to_vec(&asked)?;
    broker.ephemeral.put(Kind::SignOut, &id, asked, PATIENCE).await?;
    let message = Message { which: Carried::Request, id: &id, xml: &xml, relay_state: None };
    let address = endpoint.location.clone();
    Departure::with(message, binding, connection, address, &keys).map(Onward::Asks)
}

fn request(
    visitor: &Visitor,
    connection: SamlConnection<'_>,
    (named, sealing): (&Named<'_>, Option<&EncryptingKey>),
    id: &str,
    destination: &str,
) -> Result<String, Fault> {
    let (now, random) = (visitor.broker().now(), &visitor.broker().random);
    let at = visitor.saml_addresses(connection.id);
    let draft = RequestDraft {
        id,
        issuer: &at.entity_id,
        destination,
        name_id: &name_id(named.name),
        session_indexes: &named.indexes,
        not_on_or_after: Some(now.plus(VOID_AFTER)),
    };
    let written = match sealing {
        Some(key) => draft.write_sealed((key, random), now),
        None => draft.write(now).map_err(Into::into),
    };
    written.map_err(|_| Fault::Other("a logout request cannot be written"))
}

/// What the provider's metadata has names encrypted to.
fn encryption_key(connection: SamlConnection<'_>) -> Option<EncryptingKey> {
    let text = connection.saml.metadata.as_ref()?.encryption.as_ref()?;
    EncryptingKey::from_certificate(&Certificate::from_base64(text).ok()?).ok()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn known(name: &str, index: Option<&str>) -> UpstreamSession {
        let value = name.to_owned();
        let name = UpstreamName {
            value,
            format: None,
            name_qualifier: None,
            sp_name_qualifier: None,
            secrecy: Secrecy::Open,
        };
        UpstreamSession { name: Some(name), index: index.map(str::to_owned) }
    }

    #[test]
    fn only_sessions_of_one_name_are_named_and_none_if_one_has_no_index() {
        let told = |upstream: &[UpstreamSession]| {
            let named = Named::of(upstream).unwrap();
            (named.name.value.clone(), named.indexes.join(" "), named.leaves_some)
        };
        let (one, two, other) =
            (known("bob", Some("one")), known("bob", Some("two")), known("robert", Some("three")));
        assert_eq!(told(&[two.clone(), one.clone()]), ("bob".into(), "two one".into(), false));
        assert_eq!(told(&[two.clone(), known("bob", None)]), ("bob".into(), String::new(), false));
        assert_eq!(told(&[two.clone(), other.clone(), one]), ("bob".into(), "two one".into(), true));
        assert_eq!(told(&[other, known("bob", None)]), ("robert".into(), "three".into(), true));
        assert!(Named::of(&[]).is_none());
        let nameless = UpstreamSession { name: None, index: Some("four".to_owned()) };
        assert!(Named::of(std::slice::from_ref(&nameless)).is_none());
        assert_eq!(told(&[nameless, two]), ("bob".into(), "two".into(), true));
        let many: Vec<_> = (0..20).map(|number| known("bob", Some(&number.to_string()))).collect();
        assert_eq!(told(&many), ("bob".into(), String::new(), true), "there may be more, by another name");
    }
}
