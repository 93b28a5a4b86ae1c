//! What a response may consist of, decided before any cryptography (rule against XML signature wrapping, threat C04):
//! one assertion at most, and signatures in two places only.

use crate::protocol::saml::message::{is_root, refuse_common, stray};
use crate::protocol::saml::names;
use crate::protocol::saml::refused::{Check, Refused};
use crate::protocol::saml::xml::Element;

/// The assertion of a response.
#[derive(Clone, Copy, Debug)]
pub enum Part<'d> {
    Plain(Element<'d>),
    Encrypted(Element<'d>),
}

/// The assertion of a response, if it has one. There is no other element of such a name anywhere, by whatever
/// namespace, and no signature but directly in the root or in that assertion.
pub fn response(root: Element<'_>) -> Result<Option<Part<'_>>, Refused> {
    is_root(root, names::PROTOCOL, "Response")?;
    let mut part = None;
    for child in root.only_elements()? {
        match as_part(child) {
            Some(found) => {
                if part.replace(found).is_some() {
                    return Err(Refused::new(Check::Structure, "one assertion", "a second one"));
                }
            }
            None if belongs(child) => (),
            None => return Err(stray(child)),
        }
    }
    let assertion = part.map(Part::element);
    for element in root.descendants() {
        let is_in_place = match element.local() {
            "Response" => element == root,
            "Assertion" | "EncryptedAssertion" => Some(element) == assertion,
            "Signature" => {
                element.parent() == Some(root)
                    || matches!(part, Some(Part::Plain(plain)) if element.parent() == Some(plain))
            }
            _ => true,
        };
        if !is_in_place {
            return Err(stray(element));
        }
        refuse_common(element)?;
    }
    Ok(part)
}

/// An assertion that is a document of its own, as it is when it was decrypted.
pub fn lone_assertion(root: Element<'_>) -> Result<(), Refused> {
    is_root(root, names::ASSERTION, "Assertion")?;
    for element in root.descendants() {
        let is_in_place = match element.local() {
            "Response" | "EncryptedAssertion" => false,
            "Assertion" => element == root,
            "Signature" => element.parent() == Some(root),
            _ => true,
        };
        if !is_in_place {
            return Err(stray(element));
        }
        refuse_common(element)?;
    }
    Ok(())
}

/// The assertion of signed bytes: all of them, or that of the response they are.
pub fn assertion(root: Element<'_>) -> Result<Element<'_>, Refused> {
    if root.is(names::ASSERTION, "Assertion") {
        lone_assertion(root)?;
        return Ok(root);
    }
    match response(root)? {
        Some(Part::Plain(assertion)) => Ok(assertion),
        _ => Err(Refused::missing_or(Check::Structure, "an Assertion", None)),
    }
}

/// The encrypted assertion of a signed response.
pub fn encrypted(root: Element<'_>) -> Result<Element<'_>, Refused> {
    match response(root)? {
        Some(Part::Encrypted(encrypted)) => Ok(encrypted),
        _ => Err(Refused::missing_or(Check::Structure, "an EncryptedAssertion", None)),
    }
}

/// Whether something called a signature stands directly in it; whether it counts is for the verifier to say.
pub fn is_signed(element: Element<'_>) -> bool {
    element.children().any(|child| child.local() == "Signature")
}

/// What else a response consists of (SAML Core, section 3.2.2).
fn belongs(child: Element<'_>) -> bool {
    let own = ["Extensions", "Status"].contains(&child.local()) && child.namespace() == names::PROTOCOL;
    own || child.is(names::ASSERTION, "Issuer") || child.is(names::SIGNATURE, "Signature")
}

fn as_part(child: Element<'_>) -> Option<Part<'_>> {
    match child.local() {
        "Assertion" if child.namespace() == names::ASSERTION => Some(Part::Plain(child)),
        "EncryptedAssertion" if child.namespace() == names::ASSERTION => Some(Part::Encrypted(child)),
        _ => None,
    }
}

impl<'d> Part<'d> {
    fn element(self) -> Element<'d> {
        match self {
            Self::Plain(element) | Self::Encrypted(element) => element,
        }
    }
}
