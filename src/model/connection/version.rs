//! Versions of a connection: what is made of it before it is live, and what it was before.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Connection, ConnectionState, Settings, Unusable, Upstream};
use crate::foundation::clock::Moment;
use crate::foundation::id::ConnectionId;
use crate::model::words;
use crate::protocol::oauth::client_authentication::Method;

/// One state of a connection's settings. A number is given once, and they only grow (threats H04).
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    pub connection_id: ConnectionId,
    pub number: i64,
    pub state: VersionState,
    pub settings: Settings,
    /// Sealed for the connection, as in its row.
    pub secret: Option<Vec<u8>>,
    /// Who made it: an id, or the kind of who has none.
    pub created_by: String,
    /// The delegation, or the application that they had to allow, by which they acted: then it is not their own word.
    pub by_leave: Option<String>,
    pub created_at: Moment,
    /// The version that was live when somebody began to draft it; absent: none was.
    pub begun_on: Option<i64>,
    pub activated_at: Option<Moment>,
    /// When the first login by it succeeded.
    pub worked_at: Option<Moment>,
    pub ended_at: Option<Moment>,
    /// Why it came or went, where somebody said so.
    pub reason: Option<String>,
}

words! {
    VersionState {
        /// Not live yet; there is one at most.
        Draft = "draft",
        /// What went live last: the row of the connection is it, and may have moved on.
        Live = "live",
        Superseded = "superseded",
        /// Something earlier took its place again.
        RolledBack = "rolled_back",
        /// It was a draft, and is never to be live. Its number is given to no other one.
        Discarded = "discarded",
    }
}

/// What is known of a connection beyond what a login needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Where a roll back leads: to the last version that worked, where that is known.
    pub previous_version: Option<i64>,
    /// When the settings went live that are live, or were last; absent: none ever were.
    pub activated_at: Option<Moment>,
    /// Since when it is the one of its organization that is meant where no other is named.
    pub primary_since: Option<Moment>,
}

/// How long after it went live a version is watched. Later, what it took the place of may be what nobody should trust
/// any more.
pub const WATCHED: Duration = Duration::from_secs(86_400);

impl Lifecycle {
    /// Whether what is live went live a short time ago.
    pub fn is_on_watch(&self, now: Moment) -> bool {
        self.activated_at.is_some_and(|at| now.since(at) <= WATCHED)
    }

    pub fn is_primary(&self) -> bool {
        self.primary_since.is_some()
    }
}

/// Which one of an organization's connections, the oldest first, is to be primary (S3-11): the one that is, as long as it
/// is not disabled; else the oldest active one; else the oldest that may yet be.
pub fn primary(all: &[(Connection, Lifecycle)]) -> Option<ConnectionId> {
    let mut kept = all.iter().filter(|(connection, _)| connection.state != ConnectionState::Disabled);
    let is = kept.clone().find(|(_, lifecycle)| lifecycle.is_primary());
    let active = kept.clone().find(|(connection, _)| connection.is_active());
    is.or(active).or_else(|| kept.next()).map(|(connection, _)| connection.id)
}

/// Why settings cannot go live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    #[error("the client_id that the provider has given is missing")]
    ClientId,
    #[error("the secret by which we prove to the provider who we are is missing")]
    Secret,
    #[error("{0}")]
    Saml(#[from] Unusable),
}

impl Settings {
    /// Whether a connection that is like this may be live now: the one rule, whoever makes it so (threats C05).
    pub fn may_be_live(&self, has_secret: bool, now: Moment) -> Result<(), Unready> {
        match &self.upstream {
            Upstream::Oidc(oidc) if oidc.client_id.is_empty() => Err(Unready::ClientId),
            Upstream::Oidc(oidc) if oidc.authentication != Method::None && !has_secret => {
                Err(Unready::Secret)
            }
            Upstream::Oidc(_) => Ok(()),
            Upstream::Saml(saml) => Ok(saml.may_be_active(now)?),
        }
    }
}

impl Version {
    /// What a connection is like now, as it is kept once something else takes its place.
    pub fn of(connection: &Connection, state: VersionState) -> Self {
        Self {
            connection_id: connection.id,
            number: connection.version,
            state,
            settings: Settings::clone(&connection.settings),
            secret: connection.secret.clone(),
            created_by: "operator".into(),
            by_leave: None,
            created_at: connection.updated_at,
            begun_on: None,
            activated_at: None,
            worked_at: None,
            ended_at: None,
            reason: None,
        }
    }
}
