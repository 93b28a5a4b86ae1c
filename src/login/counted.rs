//! How sign-ins through a connection end, counted (S1-A8). A failure is counted with the event that tells of it; one that
//! ends well costs its login nothing.
//!
//! Of failures, those are told apart that speak against the connection's settings ([`Evidence`]): by them a version that
//! never worked is taken back, or its owners are told of it. So nobody must be able to feign one: each needs an answer
//! that only the identity provider can have given. Whoever makes up answers, or begins logins and breaks them off, shows
//! nothing; and whoever has a key that only the version before believed, nothing by which that would come back.

use serde_json::Value;

use super::refusal::Refusal;
use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::foundation::secret::Digest;
use crate::model::audit_event::AuditEvent;
use crate::model::membership::MembershipStatus;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::{connection_runs, connections, identities, memberships};
use crate::web::visitor::Visitor;

/// The provider has answered for somebody, and its answer does not fit how the connection is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    connection: ConnectionId,
    version: i64,
    /// Whom it befell: the person, or the network where nobody knows who it was. One is one, however often they come.
    who: Digest,
    /// What the provider calls the person, if it is believed by this version.
    subject: Option<String>,
}

/// What has been heard from the identity provider itself in this login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Heard {
    /// Nothing that a stranger could not say as well.
    #[default]
    Nothing,
    /// It has answered, for nobody knows whom.
    Answer,
    /// It has answered for this person, as it names them for good.
    Person(String),
}

impl Evidence {
    /// What a refusal shows, if it shows anything: other settings could have avoided it, and it needed the provider.
    pub fn of(
        visitor: &Visitor,
        (connection, version): (ConnectionId, i64),
        refusal: &Refusal,
        heard: &Heard,
    ) -> Option<Self> {
        let who = match heard {
            Heard::Nothing => return None,
            Heard::Answer => format!("network {}", visitor.network()),
            Heard::Person(name) => format!("person {name}"),
        };
        let who = Digest::of(format!("{connection} {who}").as_bytes());
        let subject = match heard {
            Heard::Person(name) => Some(name.clone()),
            Heard::Nothing | Heard::Answer => None,
        };
        refusal.is_of_the_settings().then_some(Self { connection, version, who, subject })
    }

    /// The same where this version does not believe who has answered: whomever they name, that is nobody known.
    #[must_use]
    pub fn unbelieved(self) -> Self {
        Self { subject: None, ..self }
    }

    /// Whether it befell somebody who has come by this connection before, and belongs to its organization.
    async fn is_of_the_known(&self, tx: &mut Tx<'_>, event: &AuditEvent) -> Result<bool, StoreError> {
        let Some(subject) = &self.subject else { return Ok(false) };
        let found = connections::by_id(tx, event.project_id, self.connection).await?;
        let Some(connection) = found else { return Ok(false) };
        let issuer = connection.settings.upstream.issuer();
        let Some(identity) = identities::find(tx, connection.id, issuer, subject).await? else {
            return Ok(false);
        };
        let Some(organization) = connection.organization_id else { return Ok(true) };
        let membership = memberships::find(tx, organization, identity.user_id).await?;
        Ok(membership.is_some_and(|found| found.status == MembershipStatus::Active))
    }
}

/// Counts what an event of a refused sign-in tells of, in the transaction that writes it down.
pub async fn failed(
    tx: &mut Tx<'_>,
    event: &AuditEvent,
    evidence: Option<&Evidence>,
    now: Moment,
) -> Result<(), StoreError> {
    let Some(id) = connection(event) else { return Ok(()) };
    let Some(live) = connection_runs::live_version(tx, id).await? else { return Ok(()) };
    connection_runs::count(tx, id, live, event.reason.unwrap_or("unknown"), (now, 1)).await?;
    if let Some(evidence) = evidence
        && (evidence.connection, evidence.version) == (id, live)
    {
        let is_known = evidence.is_of_the_known(tx, event).await?;
        connection_runs::failed(tx, id, live, (evidence.who, is_known), now).await?;
    }
    Ok(())
}

/// Of sign-ins alone: who is refused at a sign-out has signed in.
fn connection(event: &AuditEvent) -> Option<ConnectionId> {
    let named = event.detail.get("connection").and_then(Value::as_str);
    named.filter(|_| event.action == "login.refused")?.parse().ok()
}

/// Tells the tally of a failure that counts.
pub fn told(visitor: &Visitor, evidence: Option<&Evidence>) {
    if let Some(evidence) = evidence {
        visitor.broker().tally.failed(evidence.connection, evidence.version);
    }
}

/// Counts a sign-in that ended well. That a version works is written down the first time, and again after a failure; that
/// this fails is no reason to keep anybody out.
pub async fn worked(visitor: &Visitor, connection: ConnectionId, version: i64) {
    let (broker, now) = (visitor.broker(), visitor.broker().now());
    if !broker.tally.worked(connection, version, now) {
        return;
    }
    let written =
        broker.db.write(async move |tx| connection_runs::worked(tx, connection, version, now).await).await;
    match written {
        Ok(_) => broker.tally.is_known(connection, version),
        Err(error) => {
            tracing::warn!(%connection, %error, "that a connection works could not be written down")
        }
    }
}
