//! Single logout messages (SAML Core, section 3.7), written and read. Which session they end is not decided here.

use super::assertion::{NameId, Unwritten, name_id_of};
use super::keys::{DecryptingKey, EncryptingKey};
use super::message::{self, Expected, Received, Signed, bounded};
use super::names::{self, status};
use super::refused::{Check, Refused};
use super::signature::Verified;
use super::status::Status;
use super::time;
use super::xml::{Document, Element, Limits, Malformed, Writer};
use crate::foundation::clock::Moment;
use crate::foundation::random::Random;

const REQUEST: &str = "LogoutRequest";
const RESPONSE: &str = "LogoutResponse";
const MAX_SESSION_INDEXES: usize = 64;
const MAX_SESSION_INDEX: usize = 1024;

/// A logout to be asked for.
#[derive(Clone, Copy, Debug)]
pub struct RequestDraft<'a> {
    /// `_` and 32 hex digits of chance.
    pub id: &'a str,
    pub issuer: &'a str,
    pub destination: &'a str,
    pub name_id: &'a NameId,
    /// The sessions that end; all of them, if none is named.
    pub session_indexes: &'a [&'a str],
    /// The request is void from then on.
    pub not_on_or_after: Option<Moment>,
}

/// An answer to a logout.
#[derive(Clone, Copy, Debug)]
pub struct ResponseDraft<'a> {
    /// `_` and 32 hex digits of chance.
    pub id: &'a str,
    pub issuer: &'a str,
    pub destination: &'a str,
    pub in_response_to: &'a str,
    pub status: &'a Status,
}

impl RequestDraft<'_> {
    /// Without a signature: the binding says where it belongs.
    pub fn write(&self, now: Moment) -> Result<String, Malformed> {
        self.written(None, now)
    }

    /// The same with the name encrypted to the provider (SAML Core, section 3.7.1): it passes through a browser, and may stand
    /// in an address.
    pub fn write_sealed(
        &self,
        (key, random): (&EncryptingKey, &Random),
        now: Moment,
    ) -> Result<String, Unwritten> {
        let sealed = self.name_id.sealed(key, random)?;
        Ok(self.written(Some(&sealed), now)?)
    }

    fn written(&self, sealed: Option<&str>, now: Moment) -> Result<String, Malformed> {
        let mut writer = Writer::new(names::PREFIXES);
        writer
            .open("samlp:LogoutRequest")
            .declare("saml")
            .attr("ID", self.id)
            .attr("Version", names::VERSION);
        writer.attr("IssueInstant", &time::render(now)).attr("Destination", self.destination);
        writer.attr_if("NotOnOrAfter", self.not_on_or_after.map(time::render).as_deref());
        writer.leaf("saml:Issuer", self.issuer);
        match sealed {
            None => self.name_id.write(&mut writer),
            Some(sealed) => {
                writer.open("saml:EncryptedID").embed(sealed).close();
            }
        }
        for index in self.session_indexes {
            writer.leaf("samlp:SessionIndex", index);
        }
        writer.close();
        writer.finish()
    }
}

impl ResponseDraft<'_> {
    /// Without a signature: the binding says where it belongs.
    pub fn write(&self, now: Moment) -> Result<String, Malformed> {
        let mut writer = Writer::new(names::PREFIXES);
        writer
            .open("samlp:LogoutResponse")
            .declare("saml")
            .attr("ID", self.id)
            .attr("Version", names::VERSION);
        writer.attr("IssueInstant", &time::render(now)).attr("Destination", self.destination);
        writer.attr("InResponseTo", self.in_response_to).leaf("saml:Issuer", self.issuer);
        self.status.write(&mut writer);
        writer.close();
        writer.finish()
    }
}

/// A logout that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutRequest {
    pub id: String,
    pub issuer: String,
    /// When the provider asked for it, by its own clock.
    pub issued: Moment,
    pub name_id: NameId,
    /// The sessions that end; all of the person's, if none is named.
    pub session_indexes: Vec<String>,
}

/// How a logout that we asked for went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutResponse {
    pub id: String,
    pub issuer: String,
    pub in_response_to: String,
    pub status: Status,
}

impl LogoutResponse {
    /// Whether everybody was signed out, as far as the other side knows. A partial logout is none.
    pub fn is_complete(&self) -> bool {
        self.status.is_success() && !self.is_partial()
    }
    /// Some sessions may still be there (SAML Core, section 3.7.3.2); a status says so inside or outside.
    pub fn is_partial(&self) -> bool {
        self.status.says(status::PARTIAL_LOGOUT)
    }
}

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    pub why: Refused,
    /// Which one, if `expected.issuer` has signed it: then it is owed an answer (SAML Core, section 3.7.3). Nobody else is.
    pub id: Option<String>,
}

impl From<Refused> for Unmet {
    fn from(why: Refused) -> Self {
        Self { why, id: None }
    }
}

impl Unmet {
    /// How it went, in the words of the protocol: it is the request that is wrong.
    pub fn status(&self) -> Status {
        match self.why.check {
            Check::Version => Status::new(status::VERSION_MISMATCH, None),
            _ => Status::new(status::REQUESTER, Some(status::REQUEST_DENIED)),
        }
    }
}

/// Reads a request that `expected.issuer` signed; the name may be encrypted to one of these keys, the
/// connection's own.
pub fn read_request(
    received: Received<'_>,
    expected: &Expected<'_>,
    naming: &[&DecryptingKey],
) -> Result<Verified<LogoutRequest>, Unmet> {
    received.verified(REQUEST)?.try_map(|xml| {
        let document = Document::parse(xml, &Limits::MESSAGE).map_err(Refused::from)?;
        let root = document.root();
        message::plain(root, REQUEST, Signed::Outside)?;
        request(root, expected, naming).map_err(|why| Unmet { why, id: message::id(root).ok() })
    })
}

fn request(
    root: Element<'_>,
    expected: &Expected<'_>,
    naming: &[&DecryptingKey],
) -> Result<LogoutRequest, Refused> {
    let id = message::head(root, expected)?;
    let until = message::moment(root, "NotOnOrAfter", Check::Expired)?;
    if let Some(until) = until.filter(|until| expected.window().is_over(*until)) {
        return Err(Refused::new(Check::Expired, expected.window().shown(), until.rfc3339()));
    }
    Ok(LogoutRequest {
        id,
        issuer: expected.issuer.to_owned(),
        issued: message::issue_instant(root, expected.window())?,
        name_id: name_id_of(root, naming)?,
        session_indexes: session_indexes(root)?,
    })
}

fn session_indexes(root: Element<'_>) -> Result<Vec<String>, Refused> {
    let mut read = Vec::new();
    for index in root.children().filter(|child| child.is(names::PROTOCOL, "SessionIndex")) {
        if read.len() == MAX_SESSION_INDEXES {
            let most = format!("{MAX_SESSION_INDEXES} sessions at most");
            return Err(Refused::new(Check::SessionIndexes, most, "more"));
        }
        read.push(bounded(&index.text()?, MAX_SESSION_INDEX, Check::SessionIndexes)?);
    }
    Ok(read)
}

/// Reads an answer to the request with this id, whatever its status says.
pub fn read_response(
    received: Received<'_>,
    expected: &Expected<'_>,
    in_response_to: &str,
) -> Result<Verified<LogoutResponse>, Refused> {
    received.verified(RESPONSE)?.try_map(|xml| {
        let document = Document::parse(xml, &Limits::MESSAGE)?;
        let root = document.root();
        message::plain(root, RESPONSE, Signed::Outside)?;
        let id = message::head(root, expected)?;
        let found = root.attr("InResponseTo");
        if found != Some(in_response_to) {
            return Err(Refused::missing_or(Check::InResponseTo, in_response_to, found));
        }
        Ok(LogoutResponse {
            id,
            issuer: expected.issuer.to_owned(),
            in_response_to: in_response_to.to_owned(),
            status: Status::read(root)?,
        })
    })
}

/// What an answer says it answers, before anything of it is believed: good for finding the logout, for nothing else.
pub fn claimed_in_response_to(xml: &[u8]) -> Option<String> {
    let document = Document::parse(xml, &Limits::MESSAGE).ok()?;
    message::plain(document.root(), RESPONSE, Signed::MaybeInside).ok()?;
    let id = document.root().attr("InResponseTo")?;
    (id.len() <= message::MAX_ID).then(|| id.to_owned())
}

#[cfg(test)]
mod tests;
