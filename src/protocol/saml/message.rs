//! What all protocol messages share (SAML Core, section 3.2): how they arrive, their structure, and their head.

use std::time::Duration;

use super::keys::VerifyingKey;
use super::names;
use super::redact::hidden;
use super::refused::{Check, Refused};
use super::signature::{Verified, verify_enveloped};
use super::time;
use super::xml::{Document, Element, Limits};
use crate::foundation::clock::Moment;

/// The most that clocks may differ, whatever a connection is set to.
pub const MAX_SKEW: Duration = Duration::from_secs(120);
/// How long after it was issued a message or an assertion is still taken. It bounds how long an id is remembered.
pub const MAX_AGE: Duration = Duration::from_secs(600);
/// The most characters of an id, an identifier of a session or a name identifier (SAML Core, section 8.3.7).
pub const MAX_ID: usize = 256;

/// A message as it came in.
#[derive(Debug)]
pub enum Received<'m> {
    /// Posted: the decoded XML, with its signature inside, and whose signatures count.
    Posted { xml: &'m [u8], keys: &'m [VerifyingKey] },
    /// By redirect: XML whose query was verified by the binding, and no other.
    Redirected(Verified<Vec<u8>>),
}

impl Received<'_> {
    /// The XML that was signed, without its signature. `local` is what its root must be.
    pub(super) fn verified(self, local: &'static str) -> Result<Verified<Vec<u8>>, Refused> {
        match self {
            Self::Redirected(xml) => Ok(xml),
            Self::Posted { xml, keys } => {
                let document = Document::parse(xml, &Limits::MESSAGE)?;
                plain(document.root(), local, Signed::MaybeInside)?;
                Ok(verify_enveloped(document.root(), keys)?)
            }
        }
    }
}

/// Why a message cannot be taken that came by a binding that we recognise and do not speak, told by the parameters
/// beside it. `posted`: they came in a form, not in a query, where `Signature` belongs to the redirect binding.
pub fn unsupported<'p>(parameters: impl IntoIterator<Item = &'p str>, posted: bool) -> Option<&'static str> {
    parameters.into_iter().find_map(|parameter| match parameter {
        "SAMLart" => Some("the HTTP-Artifact binding is not supported; use HTTP-POST"),
        "Signature" | "SigAlg" if posted => {
            Some("the HTTP-POST-SimpleSign binding is not supported; use HTTP-POST with an XML signature")
        }
        _ => None,
    })
}

/// What a request or a logout message must say of itself.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// The entity id of whoever must have sent it.
    pub issuer: &'e str,
    /// Where it was received.
    pub destination: &'e str,
    pub now: Moment,
    /// How much clocks may differ; [`MAX_SKEW`] at most.
    pub skew: Duration,
}

impl Expected<'_> {
    pub(super) fn window(&self) -> Window {
        Window::new(self.now, self.skew)
    }
}

/// The present, as wide as clocks may differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub now: Moment,
    pub skew: Duration,
}

impl Window {
    pub fn new(now: Moment, skew: Duration) -> Self {
        Self { now, skew: skew.min(MAX_SKEW) }
    }
    /// A `NotBefore`: the moment itself is within.
    pub fn has_come(&self, not_before: Moment) -> bool {
        not_before <= self.now.plus(self.skew)
    }
    /// A `NotOnOrAfter`: the moment itself is without.
    pub fn is_over(&self, not_on_or_after: Moment) -> bool {
        not_on_or_after <= self.now.minus(self.skew)
    }
    /// What is said where a moment lies outside.
    pub fn shown(&self) -> String {
        format!("{} ± {} s", self.now.rfc3339(), self.skew.as_secs())
    }
}

/// Whether the root of a message may carry its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    MaybeInside,
    Outside,
}

/// A request or a logout message: this root, no assertion anywhere, and a signature nowhere but in the root.
pub(super) fn plain(root: Element<'_>, local: &'static str, signed: Signed) -> Result<(), Refused> {
    is_root(root, names::PROTOCOL, local)?;
    for element in root.descendants() {
        let is_own = signed == Signed::MaybeInside && element.parent() == Some(root);
        match element.local() {
            "Assertion" | "EncryptedAssertion" => return Err(stray(element)),
            other if other == local && element != root => return Err(stray(element)),
            "Signature" if !is_own => return Err(stray(element)),
            _ => refuse_common(element)?,
        }
    }
    Ok(())
}

/// A document of exactly this root.
pub(super) fn is_root(root: Element<'_>, namespace: &str, local: &'static str) -> Result<(), Refused> {
    if root.is(namespace, local) {
        return Ok(());
    }
    Err(Refused::new(Check::Structure, local, format!("{{{}}}{}", root.namespace(), root.local())))
}

/// What no message has: content of a signature besides the signed element, and advice with assertions of others.
pub(super) fn refuse_common(element: Element<'_>) -> Result<(), Refused> {
    match element.local() {
        "Advice" | "Object" | "Manifest" => Err(stray(element)),
        _ => Ok(()),
    }
}

pub(super) fn stray(element: Element<'_>) -> Refused {
    let parent = element.parent().map_or("the document", |parent| parent.local());
    Refused::new(Check::Structure, "no such element there", format!("{} in {parent}", element.local()))
}

pub(super) fn version(element: Element<'_>) -> Result<(), Refused> {
    match element.attr("Version") {
        Some(names::VERSION) => Ok(()),
        other => Err(Refused::missing_or(Check::Version, names::VERSION, other)),
    }
}

/// The id, which is never empty.
pub(super) fn id(element: Element<'_>) -> Result<String, Refused> {
    let id = element.attr("ID").unwrap_or_default();
    if id.is_empty() || id.chars().count() > MAX_ID {
        return Err(Refused::new(Check::Malformed, format!("an ID of 1 to {MAX_ID} characters"), id));
    }
    Ok(id.to_owned())
}

/// When it was issued: not in the future, and not longer ago than [`MAX_AGE`].
pub(super) fn issue_instant(element: Element<'_>, window: Window) -> Result<Moment, Refused> {
    let text = element.attr("IssueInstant");
    let expected = || format!("{}, or up to {} s before", window.shown(), MAX_AGE.as_secs());
    let refused = || Refused::missing_or(Check::IssueInstant, expected(), text);
    let issued = moment(element, "IssueInstant", Check::IssueInstant)?.ok_or_else(refused)?;
    if !window.has_come(issued) || window.is_over(issued.plus(MAX_AGE)) {
        return Err(refused());
    }
    Ok(issued)
}

/// A moment in an attribute, if the attribute is there.
pub(super) fn moment(element: Element<'_>, name: &str, check: Check) -> Result<Option<Moment>, Refused> {
    let read = |text| time::parse(text).map_err(|_| Refused::new(check, time::FORM, text));
    element.attr(name).map(read).transpose()
}

/// Required, and where the message was received (SAML Bindings, sections 3.4.5.2 and 3.5.5.2).
pub(super) fn destination(element: Element<'_>, expected: &str) -> Result<(), Refused> {
    match element.attr("Destination") {
        Some(destination) if destination == expected => Ok(()),
        other => Err(Refused::missing_or(Check::Destination, expected, other)),
    }
}

/// Required, the entity id of whom we expect, and no other kind of name.
pub(super) fn issuer(element: Element<'_>, expected: &str, check: Check) -> Result<(), Refused> {
    let Some(issuer) = element.child(names::ASSERTION, "Issuer")? else {
        return Err(Refused::missing_or(check, expected, None));
    };
    let text = issuer.text()?;
    if text.trim_ascii() != expected {
        return Err(Refused::new(check, expected, text));
    }
    match issuer.attr("Format") {
        None | Some(names::name_id::ENTITY) => Ok(()),
        other => Err(Refused::missing_or(check, names::name_id::ENTITY, other)),
    }
}

/// The head of a request or a logout message; its id.
pub(super) fn head(root: Element<'_>, expected: &Expected<'_>) -> Result<String, Refused> {
    version(root)?;
    issuer(root, expected.issuer, Check::Issuer)?;
    destination(root, expected.destination)?;
    issue_instant(root, expected.window())?;
    id(root)
}

/// `xs:boolean`, false if absent.
pub(super) fn flag(element: Element<'_>, name: &str) -> Result<bool, Refused> {
    match element.attr(name) {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        other => Err(Refused::missing_or(Check::Malformed, format!("{name} to be true or false"), other)),
    }
}

/// A text with something in it, of at most this many characters.
pub(super) fn bounded(text: &str, most: usize, check: Check) -> Result<String, Refused> {
    if text.is_empty() || text.chars().count() > most {
        return Err(Refused::new(check, format!("1 to {most} characters"), hidden(text)));
    }
    Ok(text.to_owned())
}
