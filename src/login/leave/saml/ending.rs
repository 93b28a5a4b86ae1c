//! The end of the sessions that an identity provider's logout means.

use crate::foundation::id::{ConnectionId, ProjectId, SessionId};
use crate::login::leave;
use crate::login::leave::after::Opens;
use crate::protocol::saml::logout::LogoutRequest;
use crate::protocol::saml::message;
use crate::protocol::saml::status::Status;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::sessions::Whose;
use crate::store::durable::{identities, sessions, used};

// What was issued before a logout is not taken when the logout is forgotten.
const _: () =
    assert!(sessions::OVER_FOR.as_secs() > message::MAX_AGE.as_secs() + message::MAX_SKEW.as_secs());

/// What became of the sessions that are meant.
pub(super) enum Ended {
    /// They are over, and so much is left to be opened in a browser.
    All(Opens),
    /// There was none, nor has anybody of that name ever been here, as far as is known.
    Nobody,
    /// They were over, by this very request.
    Before,
    /// Nothing was done.
    Not(Status),
}

/// What a request does, in one transaction.
pub(super) struct SignOut {
    pub ending: leave::Ending,
    pub project: ProjectId,
    pub connection: ConnectionId,
    pub request: LogoutRequest,
}

impl SignOut {
    /// One that was used before does nothing. Repeated later, it would end newer sessions.
    pub async fn run(self, tx: &mut Tx<'_>) -> Result<Ended, StoreError> {
        // Whoever signs in by this connection at this moment is either seen here, or sees what is written here.
        tx.lock(Lock::Exclusive, "connections", &self.connection.to_string()).await?;
        let until = self.ending.keep.now.plus(message::MAX_AGE + message::MAX_SKEW);
        let scope = self.connection.to_string();
        if !used::first(tx, "saml_logout_request", &scope, &self.request.id, until).await? {
            return Ok(Ended::Before);
        }
        let mut opens = Opens::default();
        let meant = self.meant(tx).await?;
        for session in meant.iter().copied() {
            if let Some(standing) = sessions::by_id(tx, self.project, session).await? {
                opens.add(tx, &standing).await?;
            }
            self.ending.end(tx, session).await?;
        }
        self.remember(tx).await?;
        let (indexes, now) = (&self.request.session_indexes, self.ending.keep.now);
        if sessions::any_unidentified(tx, self.connection, indexes, now).await? {
            opens.may_miss_some();
        } else if meant.is_empty() && !self.is_known(tx).await? {
            return Ok(Ended::Nobody);
        }
        Ok(Ended::All(opens))
    }

    /// Whether somebody may be meant who has come from there: who they are here, or whose session is over.
    async fn is_known(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let LogoutRequest { issuer, name_id, .. } = &self.request;
        for name in name_id.spellings() {
            if sessions::may_be_named_upstream(tx, self.connection, &name).await?
                || identities::find(tx, self.connection, issuer, &name).await?.is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those of the name; and, by their index alone, those that came without one.
    async fn meant(&self, tx: &mut Tx<'_>) -> Result<Vec<SessionId>, StoreError> {
        let LogoutRequest { name_id, session_indexes, .. } = &self.request;
        let mut found = Vec::new();
        for name in name_id.spellings() {
            found.extend(sessions::named_upstream(tx, self.connection, &name, session_indexes).await?);
        }
        for index in session_indexes {
            found.extend(sessions::indexed_upstream(tx, self.connection, index, Whose::Nameless).await?);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    async fn remember(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let LogoutRequest { issued, name_id, session_indexes, .. } = &self.request;
        for name in name_id.spellings() {
            sessions::upstream_over(tx, self.connection, &name, session_indexes, *issued).await?;
        }
        for index in session_indexes {
            sessions::nameless_over(tx, self.connection, index, *issued).await?;
        }
        Ok(())
    }
}
