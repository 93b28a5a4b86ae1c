//! What a provider says of a person (SAML Core, section 2), and the checks of the web browser profile (SAML Profiles,
//! section 4.1.4.3).

use super::encryption::{self, Cipher, Ciphers, Oaep, Undecryptable};
use super::keys::{DecryptingKey, EncryptingKey, KeyError};
use super::message::{self, MAX_ID, Window, bounded};
use super::names;
use super::redact::hidden;
use super::refused::{Check, Refused};
use super::response::{Answers, Expected};
use super::xml::{Document, Element, Limits, Malformed, Writer};
use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::random::Random;

const MAX_URI: usize = 2048;
const MAX_SESSION_INDEX: usize = 1024;
// Providers send what nobody asked for: hundreds of groups, a photo. A message is 512 kB at most.
const MAX_ATTRIBUTES: usize = 1_000;
const MAX_VALUES: usize = 10_000;
/// Bytes of all names and values of attributes together.
const MAX_ATTRIBUTE_BYTES: usize = 384 * 1024;

/// What was asserted. As `Verified<Assertion>` it was signed by the provider and passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    pub id: String,
    pub issuer: String,
    /// When the provider said it, by its own clock.
    pub issued: Moment,
    /// Absent: the provider names the person by attributes alone.
    pub name_id: Option<NameId>,
    /// Whether that was encrypted to us by itself: no browser is to see it.
    pub is_name_encrypted: bool,
    /// Whether all of this was.
    pub is_encrypted: bool,
    /// What the provider calls its session, for logouts.
    pub session_index: Option<String>,
    pub authn_instant: Moment,
    /// When the provider's session ends at the latest.
    pub session_not_on_or_after: Option<Moment>,
    /// Until when the id must be remembered, so that it is taken only once, however much clocks are let differ by then.
    pub not_on_or_after: Moment,
    /// The class of authentication.
    pub authn_context: Option<String>,
    /// In the order of the document; a name may be there more than once.
    pub attributes: Vec<Attribute>,
}

/// The name of a person at their provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameId {
    /// 1 to 256 characters, none of them a control character, and no white space around them.
    pub value: String,
    pub format: Option<String>,
    pub name_qualifier: Option<String>,
    pub sp_name_qualifier: Option<String>,
}

impl NameId {
    /// Without a qualifier, in the format `emailAddress`, `persistent` and so on.
    pub fn new(value: &str, format: &str) -> Self {
        let format = Some(format.to_owned());
        Self { value: value.to_owned(), format, name_qualifier: None, sp_name_qualifier: None }
    }

    /// The name as an `xenc:EncryptedData` for the holder of `key`.
    pub(super) fn sealed(&self, key: &EncryptingKey, random: &Random) -> Result<String, Unwritten> {
        let mut writer = Writer::new(names::PREFIXES);
        self.write(&mut writer);
        let xml = writer.finish()?;
        Ok(encryption::encrypt(xml.as_bytes(), key, Cipher::Aes128Gcm, Oaep::Mgf1p, random)?)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer
            .open("saml:NameID")
            .attr_if("Format", self.format.as_deref())
            .attr_if("NameQualifier", self.name_qualifier.as_deref())
            .attr_if("SPNameQualifier", self.sp_name_qualifier.as_deref())
            .text(&self.value)
            .close();
    }
}

/// Why nothing can be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A named list of values; empty values and nil are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub name: String,
    pub name_format: Option<String>,
    pub friendly_name: Option<String>,
    pub values: Vec<String>,
}

/// Reads an assertion out of bytes that were signed, and holds it against every check.
pub(super) fn read(assertion: Element<'_>, expected: &Expected<'_>) -> Result<Assertion, Refused> {
    const PARTS: &[&str] = &[
        "Issuer",
        "Signature",
        "Subject",
        "Conditions",
        "AuthnStatement",
        "AttributeStatement",
        "AuthzDecisionStatement",
    ];
    let window = expected.window();
    parts(assertion, PARTS)?;
    message::version(assertion)?;
    message::issuer(assertion, expected.idp_entity_id, Check::IssuerAssertion)?;
    let issued = message::issue_instant(assertion, window)?;
    let subject = one(assertion, "Subject", Check::Subject)?;
    parts(subject, &["NameID", "EncryptedID", "SubjectConfirmation"])?;
    let confirmed_until = confirmation(subject, expected, window)?;
    let conditions_until = conditions(assertion, expected, window)?;
    let authn = authn(assertion, window)?;
    let until = [Some(confirmed_until), conditions_until, Some(issued.plus(message::MAX_AGE))];
    Ok(Assertion {
        id: message::id(assertion)?,
        issuer: expected.idp_entity_id.to_owned(),
        issued,
        name_id: name_id_if_any(subject, expected.naming)?,
        is_name_encrypted: subject.child(names::ASSERTION, "EncryptedID")?.is_some(),
        is_encrypted: false,
        session_index: authn.session_index,
        authn_instant: authn.instant,
        session_not_on_or_after: authn.session_not_on_or_after,
        not_on_or_after: until.into_iter().flatten().min().unwrap_or(confirmed_until).plus(message::MAX_SKEW),
        authn_context: authn.context,
        attributes: attributes(assertion)?,
    })
}

/// The name of a subject or of a logout, in plain text or encrypted to a key of the connection's own: one that opens
/// others' messages, too, would tell their names to whoever has caught one and can sign around it (threats H12).
pub(super) fn name_id_of(parent: Element<'_>, keys: &[&DecryptingKey]) -> Result<NameId, Refused> {
    name_id_if_any(parent, keys)?.ok_or_else(|| Refused::new(Check::NameId, "one NameID", "none"))
}

/// The same where a name may be left out (SAML Core, section 2.4.1).
fn name_id_if_any(parent: Element<'_>, keys: &[&DecryptingKey]) -> Result<Option<NameId>, Refused> {
    let plain = parent.child(names::ASSERTION, "NameID")?;
    let encrypted = parent.child(names::ASSERTION, "EncryptedID")?;
    match (plain, encrypted) {
        (None, None) => Ok(None),
        (Some(plain), None) => name_id(plain).map(Some),
        (None, Some(_)) if keys.is_empty() => {
            let expected = "a NameID in plain text, or a decryption key of the connection's own";
            Err(Refused::new(Check::Undecryptable, expected, "an EncryptedID"))
        }
        (None, Some(encrypted)) => {
            let xml = encryption::decrypt(encrypted, keys, Ciphers::GcmAndCbc)?;
            // Whatever comes out that is no name is told as what cannot be opened.
            decrypted_name_id(&xml).map(Some).map_err(|_| Undecryptable::Failed.into())
        }
        (Some(_), Some(_)) => Err(Refused::new(Check::NameId, "one NameID", "more than one")),
    }
}

fn decrypted_name_id(xml: &[u8]) -> Result<NameId, Refused> {
    let document = Document::parse(xml, &Limits::MESSAGE)?;
    message::is_root(document.root(), names::ASSERTION, "NameID")?;
    name_id(document.root())
}

impl NameId {
    /// As [`lasting`].
    pub fn lasting(&self) -> String {
        lasting(&self.value, self.format.as_deref())
    }

    /// As what somebody may be known whom this names, also where it leaves out the format that it had before.
    pub fn spellings(&self) -> Vec<String> {
        let as_address = lasting(&self.value, Some(names::name_id::EMAIL_ADDRESS));
        let mut all = vec![self.value.clone()];
        all.extend(Some(as_address).filter(|address| *address != self.value));
        all
    }
}

/// What tells people apart by a NameID: an address is the same in whatever case, any other name is as it is written.
pub fn lasting(value: &str, format: Option<&str>) -> String {
    let is_address = format == Some(names::name_id::EMAIL_ADDRESS);
    let address = Email::parse(value).ok().filter(|_| is_address);
    address.map_or_else(|| value.to_owned(), |address| address.as_str().to_owned())
}

/// Never trimmed: ` ann` and `ann` may be two people.
fn name_id(element: Element<'_>) -> Result<NameId, Refused> {
    let value = bounded(&element.text()?, MAX_ID, Check::NameId)?;
    if value.trim() != value || value.contains(char::is_control) {
        return Err(Refused::new(
            Check::NameId,
            "a NameID of 256 characters at most, without control characters or white space around it",
            hidden(&value),
        ));
    }
    Ok(NameId {
        value,
        format: uri(element, "Format")?,
        name_qualifier: uri(element, "NameQualifier")?,
        sp_name_qualifier: uri(element, "SPNameQualifier")?,
    })
}

/// The bearer confirmation, until when it holds: the only one there is, or, where a provider confirms to several recipients
/// (SAML Core, section 2.4.1), the only one to us. Confirmations by other methods say nothing to us.
fn confirmation(subject: Element<'_>, expected: &Expected<'_>, window: Window) -> Result<Moment, Refused> {
    let is_bearer = |element: &Element<'_>| element.attr("Method") == Some(names::BEARER);
    let bearers: Vec<_> = of(subject, "SubjectConfirmation").filter(is_bearer).collect();
    let to_us = |bearer: &Element<'_>| {
        of(*bearer, "SubjectConfirmationData").any(|data| data.attr("Recipient") == Some(expected.acs))
    };
    let ours: Vec<_> = bearers.iter().copied().filter(to_us).collect();
    let ((&[bearer], _) | (_, &[bearer])) = (bearers.as_slice(), ours.as_slice()) else {
        return Err(Refused::new(
            Check::Confirmation,
            "one bearer confirmation to us",
            "none, or more than one",
        ));
    };
    // A name in there would be of somebody else, who acts for the subject (SAML Core, section 2.4.1.1).
    parts(bearer, &["SubjectConfirmationData"])?;
    let data = one(bearer, "SubjectConfirmationData", Check::Confirmation)?;
    recipient(data, expected)?;
    answers(data.attr("InResponseTo"), expected.in_response_to, Check::ConfirmationInResponseTo)?;
    if let Some(found) = data.attr("NotBefore") {
        return Err(Refused::new(Check::ConfirmationNotBefore, "no NotBefore", found));
    }
    let until = message::moment(data, "NotOnOrAfter", Check::ConfirmationExpired)?
        .ok_or_else(|| Refused::missing_or(Check::ConfirmationExpired, "a NotOnOrAfter", None))?;
    not_over(until, window, Check::ConfirmationExpired)?;
    Ok(until)
}

fn recipient(data: Element<'_>, expected: &Expected<'_>) -> Result<(), Refused> {
    match data.attr("Recipient") {
        Some(recipient) if recipient == expected.acs => Ok(()),
        other => Err(Refused::missing_or(Check::Recipient, expected.acs, other)),
    }
}

/// `InResponseTo`: the id of our request, or none for a response that nobody asked for (threat H09).
pub(super) fn answers(found: Option<&str>, expected: Answers<'_>, check: Check) -> Result<(), Refused> {
    match expected {
        Answers::To(id) if found == Some(id) => Ok(()),
        Answers::Unsolicited if found.is_none() => Ok(()),
        Answers::To(id) => Err(Refused::missing_or(check, id, found)),
        Answers::Unsolicited => {
            let found = found.map(|found| if found.is_empty() { "an empty one" } else { found });
            Err(Refused::missing_or(check, "no InResponseTo", found))
        }
    }
}

/// The conditions, all of which must hold, and until when they do (SAML Core, section 2.5.1).
fn conditions(
    assertion: Element<'_>,
    expected: &Expected<'_>,
    window: Window,
) -> Result<Option<Moment>, Refused> {
    let conditions = one(assertion, "Conditions", Check::Conditions)?;
    for condition in conditions.only_elements()? {
        let is_known = ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"].contains(&condition.local());
        if !is_known || condition.namespace() != names::ASSERTION {
            return Err(Refused::new(
                Check::ConditionUnknown,
                "only conditions that SAML defines",
                condition.local(),
            ));
        }
    }
    let from = message::moment(conditions, "NotBefore", Check::NotYetValid)?;
    if let Some(from) = from.filter(|from| !window.has_come(*from)) {
        return Err(Refused::new(Check::NotYetValid, window.shown(), from.rfc3339()));
    }
    let until = message::moment(conditions, "NotOnOrAfter", Check::Expired)?;
    if let Some(until) = until {
        not_over(until, window, Check::Expired)?;
    }
    audience(conditions, expected.sp_entity_id)?;
    Ok(until)
}

/// At least one restriction, and we are in each of them: restrictions add up (threat H10).
fn audience(conditions: Element<'_>, us: &str) -> Result<(), Refused> {
    let mut restrictions = of(conditions, "AudienceRestriction").peekable();
    if restrictions.peek().is_none() {
        return Err(Refused::missing_or(Check::Audience, us, None));
    }
    for restriction in restrictions {
        parts(restriction, &["Audience"])?;
        let mut found = Vec::new();
        for audience in of(restriction, "Audience") {
            found.push(audience.text()?);
        }
        if !found.iter().any(|audience| audience.trim_ascii() == us) {
            return Err(Refused::new(Check::Audience, us, found.join(", ")));
        }
    }
    Ok(())
}

struct Authn {
    instant: Moment,
    session_index: Option<String>,
    session_not_on_or_after: Option<Moment>,
    context: Option<String>,
}

/// The first statement counts; of the end of the session the earliest that any of them says. All must hold. One of several
/// indexes would not be the session: then the name alone ends it, whichever index a logout says.
fn authn(assertion: Element<'_>, window: Window) -> Result<Authn, Refused> {
    let mut statements = Vec::new();
    for statement in of(assertion, "AuthnStatement") {
        statements.push(authn_statement(statement, window)?);
    }
    let earliest = statements.iter().filter_map(|statement| statement.session_not_on_or_after).min();
    let mut indexes: Vec<_> =
        statements.iter().filter_map(|statement| statement.session_index.clone()).collect();
    indexes.dedup();
    let session_index = indexes.pop().filter(|_| indexes.is_empty());
    let first = statements.into_iter().next();
    let first = first.ok_or_else(|| Refused::missing_or(Check::AuthnStatement, "an AuthnStatement", None))?;
    Ok(Authn { session_not_on_or_after: earliest, session_index, ..first })
}

fn authn_statement(statement: Element<'_>, window: Window) -> Result<Authn, Refused> {
    let instant = message::moment(statement, "AuthnInstant", Check::AuthnInstant)?
        .ok_or_else(|| Refused::missing_or(Check::AuthnInstant, "an AuthnInstant", None))?;
    if !window.has_come(instant) {
        return Err(Refused::new(Check::AuthnInstant, window.shown(), instant.rfc3339()));
    }
    let session_end = message::moment(statement, "SessionNotOnOrAfter", Check::SessionExpired)?;
    if let Some(end) = session_end {
        not_over(end, window, Check::SessionExpired)?;
    }
    let index = statement.attr("SessionIndex").filter(|index| !index.is_empty());
    Ok(Authn {
        instant,
        session_index: index
            .map(|index| bounded(index, MAX_SESSION_INDEX, Check::AuthnStatement))
            .transpose()?,
        session_not_on_or_after: session_end,
        context: authn_context(statement)?,
    })
}

fn authn_context(statement: Element<'_>) -> Result<Option<String>, Refused> {
    let context = one(statement, "AuthnContext", Check::AuthnStatement)?;
    let Some(class) = context.child(names::ASSERTION, "AuthnContextClassRef")? else { return Ok(None) };
    let class = class.text()?;
    let class = class.trim_ascii();
    if class.is_empty() { Ok(None) } else { Ok(Some(bounded(class, MAX_URI, Check::AuthnStatement)?)) }
}

fn attributes(assertion: Element<'_>) -> Result<Vec<Attribute>, Refused> {
    let mut read = Vec::new();
    let (mut values, mut bytes) = (0, 0);
    for statement in of(assertion, "AttributeStatement") {
        if of(statement, "EncryptedAttribute").next().is_some() {
            let found = "an EncryptedAttribute";
            return Err(Refused::new(Check::EncryptionUnsupported, "an encrypted assertion", found));
        }
        for element in of(statement, "Attribute") {
            // The schema allows an empty name, which nothing can be read by.
            if element.attr("Name") == Some("") {
                continue;
            }
            let attribute = attribute(element)?;
            values += element.children().count();
            bytes += attribute.name.len() + attribute.values.iter().map(String::len).sum::<usize>();
            read.push(attribute);
            if read.len() > MAX_ATTRIBUTES || values > MAX_VALUES || bytes > MAX_ATTRIBUTE_BYTES {
                let most = format!(
                    "{MAX_ATTRIBUTES} attributes, {MAX_VALUES} values, {MAX_ATTRIBUTE_BYTES} bytes at most"
                );
                return Err(Refused::new(Check::Attributes, most, "more"));
            }
        }
    }
    Ok(read)
}

fn attribute(element: Element<'_>) -> Result<Attribute, Refused> {
    let name = bounded(element.attr("Name").unwrap_or_default(), MAX_URI, Check::Attributes)?;
    let mut values = Vec::new();
    for value in of(element, "AttributeValue") {
        values.extend(attribute_value(value)?);
    }
    Ok(Attribute {
        name,
        name_format: uri(element, "NameFormat")?,
        friendly_name: uri(element, "FriendlyName")?,
        values,
    })
}

/// A text, or that of a single NameID within (`eduPersonTargetedID`). Other content is not for us, and nil is nothing.
/// Types (`xsi:type`) are not looked at: canonical bytes may have lost the prefixes that their names use.
fn attribute_value(value: Element<'_>) -> Result<Option<String>, Refused> {
    let mut children = value.children();
    let text = match (children.next(), children.next()) {
        (None, _) => value.text()?,
        (Some(name), None) if name.is(names::ASSERTION, "NameID") => name.text()?,
        _ => return Ok(None),
    };
    Ok((!text.trim_ascii().is_empty()).then(|| text.into_owned()))
}

fn not_over(until: Moment, window: Window, check: Check) -> Result<(), Refused> {
    if window.is_over(until) {
        return Err(Refused::new(check, window.shown(), until.rfc3339()));
    }
    Ok(())
}

fn uri(element: Element<'_>, name: &str) -> Result<Option<String>, Refused> {
    let found = element.attr(name).filter(|text| !text.is_empty());
    found.map(|text| bounded(text, MAX_URI, Check::Malformed)).transpose()
}

/// The children of this name in SAML's own namespace.
fn of<'d>(parent: Element<'d>, local: &'static str) -> impl Iterator<Item = Element<'d>> {
    parent.children().filter(move |child| child.is(names::ASSERTION, local))
}

fn one<'d>(parent: Element<'d>, local: &'static str, check: Check) -> Result<Element<'d>, Refused> {
    let found = parent.child(names::ASSERTION, local)?;
    found.ok_or_else(|| Refused::missing_or(check, local, None))
}

/// Refuses children that are not among these, and text between them.
fn parts(parent: Element<'_>, locals: &[&'static str]) -> Result<(), Refused> {
    for child in parent.only_elements()? {
        let is_signature = child.is(names::SIGNATURE, "Signature");
        if !(is_signature || child.namespace() == names::ASSERTION) || !locals.contains(&child.local()) {
            return Err(message::stray(child));
        }
    }
    Ok(())
}
