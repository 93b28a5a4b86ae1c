//! What is encrypted in a message: how, for whom, and whether we could open such a thing.

use super::report::Report;
use super::signatures::short;
use crate::protocol::saml::encryption::{Ciphers, Undecryptable, decrypt};
use crate::protocol::saml::names;
use crate::protocol::saml::xml::Element;

const PARTS: [&str; 3] = ["EncryptedAssertion", "EncryptedID", "EncryptedAttribute"];

pub fn describe(root: Element<'_>, report: &mut Report) {
    let is_part =
        |element: &Element<'_>| element.namespace() == names::ASSERTION && PARTS.contains(&element.local());
    for part in root.descendants().filter(is_part) {
        report.heading(part.local());
        for data in within(part, "EncryptedData") {
            report.line("content by", method(data));
        }
        for key in within(part, "EncryptedKey") {
            report.line("key by", method(key));
            report.line_if("for", key.attr("Recipient"));
        }
        if part.local() == "EncryptedAttribute" {
            report.wrong("single attributes are not decrypted: encrypt the assertion instead");
            continue;
        }
        // Without a key everything is looked at that is looked at before a key is used.
        match (decrypt(part, &[], Ciphers::Gcm), decrypt(part, &[], Ciphers::GcmAndCbc)) {
            (Err(Undecryptable::Failed) | Ok(_), _) => report.fine("encrypted in a way that can be opened"),
            (Err(_), Err(Undecryptable::Failed) | Ok(_)) => {
                report.warn("encrypted by AES-CBC, which is opened under a signed response only");
            }
            (_, Err(error)) => report.wrong(format!("refused as it is: {error}")),
        }
    }
}

/// Assertions that are encrypted.
pub fn assertions(root: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    root.descendants().filter(|element| element.is(names::ASSERTION, PARTS[0]))
}

/// Why it stays closed, as far as one who holds the keys may know.
pub fn unopened(error: &Undecryptable) -> String {
    match error {
        Undecryptable::Failed => "none of our decryption keys opens it".to_owned(),
        other => format!("refused as it is: {other}"),
    }
}

fn within<'d>(part: Element<'d>, local: &'static str) -> impl Iterator<Item = Element<'d>> {
    part.descendants().filter(move |element| element.is(names::ENCRYPTION, local))
}

/// `rsa-oaep-mgf1p (sha1)`.
fn method(encrypted: Element<'_>) -> String {
    let Some(method) = encrypted.children().find(|child| child.is(names::ENCRYPTION, "EncryptionMethod"))
    else {
        return "nothing that it says".to_owned();
    };
    let parameters: Vec<_> =
        method.children().filter_map(|child| child.attr("Algorithm")).map(short).collect();
    let name = short(method.attr("Algorithm").unwrap_or("nothing"));
    if parameters.is_empty() { name.to_owned() } else { format!("{name} ({})", parameters.join(", ")) }
}
