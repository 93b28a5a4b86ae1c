//! `Response` (SAML Core, section 3.3.3): the one way from bytes to an assertion, and back.

mod structure;
#[cfg(test)]
mod tests;
mod write;

use std::time::Duration;

pub use write::{AssertionDraft, Draft, Encrypt, Sign, WriteError};

use super::assertion::{self, Assertion};
use super::encryption::{self, Ciphers, Undecryptable};
use super::keys::{DecryptingKey, VerifyingKey};
use super::message::{self, Window};
use super::refused::{Check, Refused};
use super::signature::{Verified, verify_enveloped};
use super::status::Status;
use super::xml::{Document, Element, Limits};
use crate::foundation::clock::Moment;

/// What a response must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers<'e> {
    /// The request with this id.
    To(&'e str),
    /// Nothing: the provider began.
    Unsolicited,
}

/// What must be signed. Something always must be, and a signature that does not count is a refusal wherever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignedPart {
    #[default]
    Either,
    Assertion,
    Response,
    Both,
}

/// What a connection wants of its responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    pub signed: SignedPart,
    /// Whether assertions must be encrypted; they may be, in any case.
    pub encrypted: bool,
}

/// What a response is held against: a connection, one of its flows and the present.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    pub idp_entity_id: &'e str,
    pub sp_entity_id: &'e str,
    /// Where it was posted: the one address of this connection.
    pub acs: &'e str,
    pub in_response_to: Answers<'e>,
    /// Whose signatures count. None refuses everything.
    pub keys: &'e [VerifyingKey],
    pub decrypting: &'e [&'e DecryptingKey],
    /// Those of them that are the connection's own: they open names, too.
    pub naming: &'e [&'e DecryptingKey],
    pub wants: Wants,
    pub now: Moment,
    /// How much clocks may differ; [`message::MAX_SKEW`] at most.
    pub skew: Duration,
}

impl Expected<'_> {
    pub(super) fn window(&self) -> Window {
        Window::new(self.now, self.skew)
    }

    /// Whether what this key opens was encrypted for this connection, and cannot be somebody else's.
    fn is_own(&self, key: &DecryptingKey) -> bool {
        self.naming.iter().any(|own| std::ptr::eq(*own, key))
    }
}

/// A response as it was posted, after its base64. It is a document, and nothing of it is believed.
pub struct Posted<'x>(Document<'x>);

impl<'x> Posted<'x> {
    pub fn parse(xml: &'x [u8]) -> Result<Self, Refused> {
        Ok(Self(Document::parse(xml, &Limits::MESSAGE)?))
    }

    /// What it says it answers: good for finding the flow, for nothing else.
    pub fn claimed_in_response_to(&self) -> Option<&str> {
        structure::response(self.0.root()).ok()?;
        self.0.root().attr("InResponseTo").filter(|id| (1..=message::MAX_ID).contains(&id.len()))
    }

    /// For how many it says that something in it is encrypted.
    pub fn recipients(&self) -> usize {
        self.0.root().descendants().filter(|element| element.local() == "EncryptedKey").count()
    }

    /// Its assertion. Nothing is believed that was not signed: what comes out is read again from the canonical bytes
    /// that a key of the connection signed, and the rest of the document can only refuse.
    pub fn read(&self, expected: &Expected<'_>) -> Result<Verified<Assertion>, Refused> {
        if expected.keys.is_empty() {
            return Err(Refused::new(
                Check::NoKey,
                "a certificate of the provider",
                "none at this connection",
            ));
        }
        let root = self.0.root();
        let part = structure::response(root)?;
        let outer = signed_bytes(root, expected)?;
        match &outer {
            Some(bytes) => head(Document::parse(bytes.get(), &Limits::MESSAGE)?.root(), expected)?,
            None => head(root, expected).map_err(Refused::of_nobody)?,
        }
        let part = part.ok_or_else(|| Refused::missing_or(Check::Structure, "an assertion", None))?;
        match part {
            structure::Part::Plain(element) => asserted(plain(element, outer, expected)?, expected, false),
            structure::Part::Encrypted(element) => encrypted(element, outer, expected),
        }
    }
}

/// [`Posted::read`] of whoever need not look at it before.
pub fn read(xml: &[u8], expected: &Expected<'_>) -> Result<Verified<Assertion>, Refused> {
    Posted::parse(xml)?.read(expected)
}

/// [`Posted::claimed_in_response_to`], likewise.
pub fn claimed_in_response_to(xml: &[u8]) -> Option<String> {
    Posted::parse(xml).ok()?.claimed_in_response_to().map(str::to_owned)
}

/// The fields of the response itself. Unless it is signed they are anybody's, so they only ever refuse.
fn head(root: Element<'_>, expected: &Expected<'_>) -> Result<(), Refused> {
    message::version(root)?;
    Status::read(root)?.must_be_success()?;
    message::issuer(root, expected.idp_entity_id, Check::IssuerResponse)?;
    message::destination(root, expected.acs)?;
    assertion::answers(root.attr("InResponseTo"), expected.in_response_to, Check::InResponseTo)?;
    message::issue_instant(root, expected.window())?;
    message::id(root).map(drop)
}

/// An assertion in plain text: its own signed bytes, or those of the response around it.
fn plain(
    element: Element<'_>,
    outer: Option<Verified<Vec<u8>>>,
    expected: &Expected<'_>,
) -> Result<Verified<Vec<u8>>, Refused> {
    if expected.wants.encrypted {
        return Err(Refused::new(Check::NotEncrypted, "an EncryptedAssertion", "an Assertion"));
    }
    let own = signed_bytes(element, expected)?;
    enough(expected.wants.signed, own.is_some(), outer.is_some())?;
    own.or(outer).ok_or_else(|| unsigned(expected.wants.signed, UNSIGNED))
}

/// The assertion in signed bytes, if it passes every check.
fn asserted(
    signed: Verified<Vec<u8>>,
    expected: &Expected<'_>,
    is_encrypted: bool,
) -> Result<Verified<Assertion>, Refused> {
    signed.try_map(|bytes| {
        let document = Document::parse(bytes, &Limits::MESSAGE)?;
        let read = assertion::read(structure::assertion(document.root())?, expected)?;
        Ok(Assertion { is_encrypted, ..read })
    })
}

/// An encrypted assertion. Whoever can sign a response may have caught somebody else's, encrypted to a key that several
/// connections share, and is told why it is refused. So of what such a key opened nothing is told, to administrators
/// either: whatever is wrong with it, it cannot be opened (threats H12). What a connection's own key opened is its own.
fn encrypted(
    element: Element<'_>,
    outer: Option<Verified<Vec<u8>>>,
    expected: &Expected<'_>,
) -> Result<Verified<Assertion>, Refused> {
    if expected.decrypting.is_empty() {
        return Err(Refused::new(Check::Undecryptable, "a decrypting key at this connection", "none"));
    }
    let wanted = expected.wants.signed;
    if outer.is_none() && enough(wanted, true, false).is_err() {
        return Err(unsigned(wanted, "a response without a signature"));
    }
    let (opened, key) = Opened::of(element, outer, expected)?;
    let is_own = expected.decrypting.get(key).is_some_and(|key| expected.is_own(key));
    let read = opened.signed(expected).and_then(|signed| asserted(signed, expected, true));
    read.map_err(|refused| match is_own {
        true => refused,
        false => Undecryptable::Failed.into(),
    })
}

/// The plain text of what was encrypted.
enum Opened {
    Unsigned(Vec<u8>),
    /// Its ciphertext stood in a signed response.
    Signed(Verified<Vec<u8>>),
}

impl Opened {
    /// If the response is signed the encrypted bytes are taken from what was signed, and only then may they be CBC, which
    /// tells something to whoever may try often enough.
    fn of(
        element: Element<'_>,
        outer: Option<Verified<Vec<u8>>>,
        expected: &Expected<'_>,
    ) -> Result<(Self, usize), Refused> {
        let Some(outer) = outer else {
            let (plain, key) = encryption::decrypt_by(element, expected.decrypting, Ciphers::Gcm)?;
            return Ok((Self::Unsigned(plain), key));
        };
        let mut by = 0;
        let inner = outer.try_map(|bytes| {
            let document = Document::parse(bytes, &Limits::MESSAGE)?;
            let element = structure::encrypted(document.root())?;
            let (plain, key) = encryption::decrypt_by(element, expected.decrypting, Ciphers::GcmAndCbc)?;
            by = key;
            Ok::<_, Refused>(plain)
        })?;
        Ok((Self::Signed(inner), by))
    }

    /// What of it somebody has signed. Anybody can encrypt to us, so that alone proves nothing (threat C10): either the
    /// plain text is signed, or the encrypted bytes stood in a signed response.
    fn signed(self, expected: &Expected<'_>) -> Result<Verified<Vec<u8>>, Refused> {
        match self {
            Self::Unsigned(xml) => {
                own_of(&xml, expected)?.ok_or_else(|| unsigned(expected.wants.signed, UNSIGNED))
            }
            Self::Signed(inner) => {
                let own = own_of(inner.get(), expected).map_err(|refused| match refused.check {
                    Check::Structure => Undecryptable::Failed.into(),
                    _ => refused,
                })?;
                enough(expected.wants.signed, own.is_some(), true)?;
                Ok(own.unwrap_or(inner))
            }
        }
    }
}

/// What a decrypted assertion signs itself, if it does. It is a document like any other that comes in, but one that is no
/// XML is told as one that cannot be opened.
fn own_of(xml: &[u8], expected: &Expected<'_>) -> Result<Option<Verified<Vec<u8>>>, Refused> {
    let document = Document::parse(xml, &Limits::MESSAGE).map_err(|_| Undecryptable::Failed)?;
    structure::lone_assertion(document.root())?;
    signed_bytes(document.root(), expected)
}

/// The signed bytes of an element that carries a signature; a signature that does not count is a refusal.
fn signed_bytes(element: Element<'_>, expected: &Expected<'_>) -> Result<Option<Verified<Vec<u8>>>, Refused> {
    if !structure::is_signed(element) {
        return Ok(None);
    }
    Ok(Some(verify_enveloped(element, expected.keys)?))
}

fn enough(wants: SignedPart, assertion: bool, response: bool) -> Result<(), Refused> {
    let is_enough = match wants {
        SignedPart::Either => assertion || response,
        SignedPart::Assertion => assertion,
        SignedPart::Response => response,
        SignedPart::Both => assertion && response,
    };
    let found = match (assertion, response) {
        (true, _) => "a signed assertion alone",
        (false, true) => "a signed response alone",
        (false, false) => UNSIGNED,
    };
    if is_enough { Ok(()) } else { Err(unsigned(wants, found)) }
}

const UNSIGNED: &str = "no signature there";

fn unsigned(wants: SignedPart, found: &str) -> Refused {
    let wanted = match wants {
        SignedPart::Either => "a signed response or a signed assertion",
        SignedPart::Assertion => "a signed assertion",
        SignedPart::Response => "a signed response",
        SignedPart::Both => "a signed response and a signed assertion",
    };
    Refused::new(Check::SignatureMissing, wanted, found)
}
