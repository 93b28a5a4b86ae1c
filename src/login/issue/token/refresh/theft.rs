//! A refresh token that is in two hands.

use super::Refreshing;
use crate::audit;
use crate::login::issue::token::{Denied, invalid_grant};
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::model::grant::Grant;
use crate::store::durable::engine::{StoreError, Tx};
use crate::store::durable::grants;
use crate::telemetry::names;

/// By what it shows that a refresh token is in two hands.
#[derive(Clone, Copy, Debug)]
pub enum Theft {
    Used,
    ByAnother,
    WithoutKey,
}

impl Theft {
    /// For the audit trail.
    const fn why(self) -> &'static str {
        match self {
            Self::Used => "used before",
            Self::ByAnother => "presented by another application",
            Self::WithoutKey => "presented without its key",
        }
    }

    const fn told(self) -> &'static str {
        match self {
            Self::Used => "the refresh token was used before",
            Self::ByAnother => "the refresh token was given to another application",
            Self::WithoutKey => {
                "the refresh token is bound to a key or a certificate that was not proved with this request: it is revoked"
            }
        }
    }
}

impl Refreshing {
    /// Ends the family, and every one that was switched to or from, for nobody can tell the thief from the owner.
    pub async fn stolen(&self, tx: &mut Tx<'_>, grant: &Grant, theft: Theft) -> Result<Denied, StoreError> {
        let used = invalid_grant(theft.told());
        if grants::revoke_of_origin(tx, grant.origin.unwrap_or(grant.id), self.now).await? == 0 {
            return Ok(self.unrecorded(used));
        }
        names::login_refused(used.name());
        names::family_ended("reused");
        let event = AuditEvent::new(grant.project_id, "token.refresh_reused", Outcome::Refused)
            .organization(grant.organization)
            .subject(grant.id)
            .request(Some(self.tag))
            .reason(used.name())
            .with("why", theft.why())
            .with("application", self.application.id.to_string())
            .with("user", grant.user_id.to_string());
        audit::record(tx, &self.random, self.now, &event).await?;
        Ok(Denied::Recorded(used))
    }
}
