//! Global Token Revocation (draft-parecki-oauth-global-token-revocation): a provider says that whatever somebody has by it
//! is over at once, in every browser and with every application (demands 4.24). What they have by other connections stays.

pub mod api;

use serde_json::Value;

use super::OLDEST;
use crate::audit;
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{ConnectionId, OrganizationId};
use crate::foundation::secret::Digest;
use crate::login::leave::Ending;
use crate::model::audit_event::{AuditEvent, Outcome};
use crate::protocol::jose::json;
use crate::store::durable::engine::{Lock, StoreError, Tx};
use crate::store::durable::{grants, identities, sessions, used};

/// Whom a provider means (RFC 9493, section 3.2), in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meant {
    Subject(String),
    Email(Email),
}

/// Reads the body of a request: `{"sub_id": {"format": …, …}}`. Formats are `iss_sub`, `opaque` (the subject) and `email`.
fn read(body: &[u8], issuer: &str) -> Result<Meant, &'static str> {
    let members = json::object(body).map_err(|_| "revocation_malformed")?;
    let about = members.get("sub_id").and_then(Value::as_object).ok_or("revocation_malformed")?;
    let text = |name: &str| {
        let text = about.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or("revocation_malformed")
    };
    match text("format")? {
        "iss_sub" if text("iss")? == issuer => Ok(Meant::Subject(text("sub")?.to_owned())),
        "iss_sub" => Err("revocation_issuer"),
        "opaque" => Ok(Meant::Subject(text("id")?.to_owned())),
        "email" => Email::parse(text("email")?).map(Meant::Email).map_err(|_| "revocation_malformed"),
        _ => Err("revocation_format"),
    }
}

/// What a request does, in one transaction.
struct Revocation {
    ending: Ending,
    connection: ConnectionId,
    organization: Option<OrganizationId>,
    issuer: String,
    meant: Meant,
    /// Of the token that it came with.
    jti: String,
    issued: Moment,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Revoked {
    Done,
    /// Nobody has come by this connection who is called so.
    Nobody,
    /// The token was used before.
    Replayed,
}

impl Revocation {
    async fn run(self, tx: &mut Tx<'_>) -> Result<Revoked, StoreError> {
        // Whoever signs in by this connection at this moment is either seen here, or sees what is written here.
        tx.lock(Lock::Exclusive, "connections", &self.connection.to_string()).await?;
        let (scope, id) = (self.connection.to_string(), Digest::of(self.jti.as_bytes()).text());
        let until = self.issued.plus(2 * OLDEST);
        if !used::first(tx, "global_token_revocation", &scope, &id, until).await? {
            return Ok(Revoked::Replayed);
        }
        let subjects = match &self.meant {
            Meant::Subject(subject) => {
                let found = identities::find(tx, self.connection, &self.issuer, subject).await?;
                found.into_iter().map(|identity| identity.subject).collect()
            }
            Meant::Email(email) => identities::subjects_of(tx, self.connection, &self.issuer, email).await?,
        };
        for subject in &subjects {
            self.revoke(tx, subject).await?;
        }
        Ok(if subjects.is_empty() { Revoked::Nobody } else { Revoked::Done })
    }

    /// Every session that came by this connection, and what outlives sessions.
    async fn revoke(&self, tx: &mut Tx<'_>, subject: &str) -> Result<(), StoreError> {
        let now = self.ending.keep.now;
        let living = sessions::of_subject(tx, self.connection, &self.issuer, subject).await?;
        for session in &living {
            self.ending.end(tx, *session).await?;
        }
        grants::revoke_of_subject(tx, self.connection, &self.issuer, subject, now).await?;
        sessions::upstream_over(tx, self.connection, subject, &[], self.issued).await?;
        let event = AuditEvent::new(self.ending.keep.project.id, "logout.tokens_revoked", Outcome::Changed)
            .organization(self.organization)
            .request(self.ending.keep.request)
            .with("connection", self.connection.to_string())
            .with("sessions", living.len());
        audit::record(tx, &self.ending.keep.random, now, &event).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn m04_whom_a_provider_means_is_said_in_one_way() {
        let issuer = "https://idp.test";
        let said = |text: &str| read(text.as_bytes(), issuer);
        let ann = Meant::Subject("ann".to_owned());
        assert_eq!(
            said(r#"{"sub_id":{"format":"iss_sub","iss":"https://idp.test","sub":"ann"}}"#),
            Ok(ann.clone())
        );
        assert_eq!(said(r#"{"sub_id":{"format":"opaque","id":"ann"}}"#), Ok(ann));
        let email = Meant::Email(Email::parse("ann@a.test").unwrap());
        assert_eq!(said(r#"{"sub_id":{"format":"email","email":"ann@a.test"}}"#), Ok(email));
        for (text, why) in [
            (r#"{"sub_id":{"format":"iss_sub","iss":"https://evil.test","sub":"ann"}}"#, "revocation_issuer"),
            (r#"{"sub_id":{"format":"iss_sub","sub":"ann"}}"#, "revocation_malformed"),
            (r#"{"sub_id":{"format":"phone_number","phone_number":"+1"}}"#, "revocation_format"),
            (r#"{"sub_id":{"format":"opaque","id":""}}"#, "revocation_malformed"),
            (
                r#"{"sub_id":{"format":"opaque","id":"ann"},"sub_id":{"format":"opaque","id":"bob"}}"#,
                "revocation_malformed",
            ),
            (r#"{"sub_id":"ann"}"#, "revocation_malformed"),
            (r#"{"sub_id":{"format":"email","email":"ann"}}"#, "revocation_malformed"),
            ("[]", "revocation_malformed"),
            ("", "revocation_malformed"),
        ] {
            assert_eq!(said(text), Err(why), "{text}");
        }
    }
}
