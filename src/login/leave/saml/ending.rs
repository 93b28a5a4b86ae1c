//! The end of the sessions that an identity provider's logout means.

use crate::foundation::id::{ConnectionId, ProjectId, SessionId};
use crate::login::leave;
use crate::login::leave::after::Opens;
use crate::protocol::saml::logout::LogoutRequest;
use crate::protocol::saml::message;
use crate::protocol::saml::status::Status;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::sessions::Whose;
use crate::store::durable::{sessions, used};

// What was issued before a logout is not taken when the logout is forgotten.
const _: () =
    assert!(sessions::OVER_FOR.as_secs() > message::MAX_AGE.as_secs() + message::MAX_SKEW.as_secs());

/// What became of the sessions that are meant.
pub(super) enum Ended {
    /// They are over, and so much is left to be opened in a browser.
    All(Opens),
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
    /// Nothing: it was used before. Repeated later, it would end newer sessions.
    pub async fn run(self, tx: &mut Tx<'_>) -> Result<Option<Opens>, StoreError> {
        // Whoever signs in by this connection at this moment is either seen here, or sees what is written here.
        tx.lock(Lock::Exclusive, "connections", &self.connection.to_string()).await?;
        let until = self.ending.keep.now.plus(message::MAX_AGE + message::MAX_SKEW);
        let scope = self.connection.to_string();
        if !used::first(tx, "saml_logout_request", &scope, &self.request.id, until).await? {
            return Ok(None);
        }
        let mut opens = Opens::default();
        for session in self.meant(tx).await? {
            if let Some(standing) = sessions::by_id(tx, self.project, session).await? {
                opens.add(tx, &standing).await?;
            }
            self.ending.end(tx, session).await?;
        }
        self.remember(tx).await?;
        let (indexes, now) = (&self.request.session_indexes, self.ending.keep.now);
        if sessions::any_unidentified(tx, self.connection, indexes, now).await? {
            opens.may_miss_some();
        }
        Ok(Some(opens))
    }

    /// Those of the name; and, by their index alone, those that came without one.
    async fn meant(&self, tx: &mut Tx<'_>) -> Result<Vec<SessionId>, StoreError> {
        let LogoutRequest { name_id, session_indexes, .. } = &self.request;
        let mut found =
            sessions::named_upstream(tx, self.connection, &name_id.value, session_indexes).await?;
        for index in session_indexes {
            found.extend(sessions::indexed_upstream(tx, self.connection, index, Whose::Nameless).await?);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    async fn remember(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let LogoutRequest { issued, name_id, session_indexes, .. } = &self.request;
        sessions::upstream_over(tx, self.connection, &name_id.value, session_indexes, *issued).await?;
        for index in session_indexes {
            sessions::nameless_over(tx, self.connection, index, *issued).await?;
        }
        Ok(())
    }
}
