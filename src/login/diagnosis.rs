//! Why a message was refused: the visitor is told little, and the connection's administrator everything, under the
//! id that the visitor can quote.

use data_encoding::HEXLOWER;

use super::counted::Evidence;
use super::refusal::Refusal;
use crate::model::audit_event::AuditEvent;
use crate::model::connection::{Connection, SamlSettings};
use crate::protocol::saml::keys::Certificate;
use crate::protocol::saml::outline::outline;
use crate::protocol::saml::redact::redacted;
use crate::protocol::saml::refused::{Check, Refused, shown, told};

/// Bytes of redacted XML that are kept with a refusal.
const MOST_XML: usize = 16 * 1024;
/// Certificates that are named.
const MOST_TRUSTED: usize = 10;

/// A refusal, with what is told to the administrator alone.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    pub refusal: Refusal,
    /// The check in one word.
    pub check: &'static str,
    pub expected: String,
    pub found: String,
    /// What it says of the connection's settings.
    pub evidence: Option<Box<Evidence>>,
}

impl Diagnosis {
    pub fn new(refusal: Refusal, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let check = refusal.name();
        Self { refusal, check, expected: shown(&expected.into()), found: told(&found.into()), evidence: None }
    }

    #[must_use]
    pub fn showing(self, evidence: Option<Evidence>) -> Self {
        Self { evidence: evidence.map(Box::new), ..self }
    }

    /// Of what stands in no message.
    pub fn of(refusal: Refusal) -> Self {
        let found = match refusal {
            Refusal::TooManyRequests | Refusal::Crowded => "more than that",
            Refusal::OrganizationInactive => "one that is deactivated",
            Refusal::ConnectionChanged => "one that was changed or switched off meanwhile",
            _ => "something else",
        };
        let wanted = refusal.wanted();
        Self::new(refusal, wanted, found)
    }

    pub fn is_of(&self, check: Check) -> bool {
        self.check == check.word()
    }

    /// The check, what was expected and what was found.
    pub fn facts(&self, event: AuditEvent) -> AuditEvent {
        event
            .with("check", self.check)
            .with("expected", self.expected.as_str())
            .with("found", self.found.as_str())
    }

    /// What the audit event says besides.
    pub fn tell(&self, event: AuditEvent, connection: &Connection, xml: Option<&[u8]>) -> AuditEvent {
        let event = event.organization(connection.organization_id).subject(connection.id);
        let event = self.facts(event.with("connection", connection.id.to_string()));
        let saml = connection.saml().map(|connection| connection.saml);
        self.shown(saml, xml).into_iter().fold(event, |event, (name, value)| event.with(name, value))
    }

    /// What was held against what, as far as it may be shown: the certificates that would have been believed, and the
    /// message without what it says of anybody.
    pub fn shown(&self, saml: Option<&SamlSettings>, xml: Option<&[u8]>) -> Vec<(&'static str, String)> {
        let trusted = saml.filter(|_| self.is_of(Check::SignatureInvalid)).map(trusted);
        let message = xml.map(|xml| beginning(&redacted(xml).unwrap_or_else(|| outline(xml))));
        let all = [("trusted", trusted), ("message", message)];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The certificates whose keys would have been believed, by their SHA-256.
fn trusted(saml: &SamlSettings) -> String {
    let texts = saml.idp.certificates.iter().take(MOST_TRUSTED);
    let read = texts.filter_map(|text| Certificate::from_base64(text).ok());
    let names: Vec<_> = read.map(|certificate| HEXLOWER.encode(&certificate.fingerprint())).collect();
    names.join(", ")
}

/// As much as is kept.
fn beginning(text: &str) -> String {
    if text.len() <= MOST_XML {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(MOST_XML)];
    format!("{kept}\n[{} more bytes]", text.len() - kept.len())
}

impl From<Refused> for Diagnosis {
    fn from(refused: Refused) -> Self {
        let reason = match refused.check {
            Check::Malformed => "malformed_saml",
            check => check.word(),
        };
        Self::new(Refusal::AssertionRefused(reason), refused.expected, refused.found)
    }
}
