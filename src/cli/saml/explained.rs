//! What a message says of itself. None of it is believed.

use super::captured::Captured;
use super::report::Report;
use super::{encrypted, judged, signatures};
use crate::protocol::saml::binding::RedirectMessage;
use crate::protocol::saml::encryption::{Ciphers, decrypt};
use crate::protocol::saml::keys::DecryptingKey;
use crate::protocol::saml::names;
use crate::protocol::saml::xml::{Document, Element, Limits};

const SAML_1: &str = "urn:oasis:names:tc:SAML:1.";

/// What kind of document it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Response,
    Assertion,
    AuthnRequest,
    LogoutRequest,
    LogoutResponse,
    Metadata,
    Other,
}

impl Kind {
    pub fn of(root: Element<'_>) -> Self {
        match (root.namespace(), root.local()) {
            (names::PROTOCOL, "Response") => Self::Response,
            (names::PROTOCOL, "AuthnRequest") => Self::AuthnRequest,
            (names::PROTOCOL, "LogoutRequest") => Self::LogoutRequest,
            (names::PROTOCOL, "LogoutResponse") => Self::LogoutResponse,
            (names::ASSERTION, "Assertion") => Self::Assertion,
            (names::METADATA, "EntityDescriptor" | "EntitiesDescriptor") => Self::Metadata,
            _ => Self::Other,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Response => "a response to an authentication request",
            Self::Assertion => "an assertion without the response around it",
            Self::AuthnRequest => "an authentication request",
            Self::LogoutRequest => "a logout request",
            Self::LogoutResponse => "an answer to a logout request",
            Self::Metadata => "metadata",
            Self::Other => "nothing that we take",
        }
    }

    pub fn limits(self) -> &'static Limits {
        if self == Self::Metadata { &Limits::METADATA } else { &Limits::MESSAGE }
    }
}

/// Describes a message and says what would make us refuse it, whoever sent it. Whether nothing would.
pub fn explain(captured: &Captured, report: &mut Report) -> bool {
    describe(captured, report) && judged::alone(captured, report)
}

/// Describes a message. Whether it can be read at all.
pub fn describe(captured: &Captured, report: &mut Report) -> bool {
    // By the wider limits, so that what is refused can still be described.
    let document = match Document::parse(&captured.xml, &Limits::METADATA) {
        Ok(document) => document,
        Err(error) => {
            report.heading("Message");
            captured_as(captured, report);
            report.wrong(format!("refused as it is: {error}"));
            return false;
        }
    };
    let root = document.root();
    let kind = Kind::of(root);
    report.heading(format!("{}: {}", root.local(), kind.words()));
    captured_as(captured, report);
    if root.namespace().starts_with(SAML_1) {
        report.wrong("this is SAML 1, and we speak SAML 2.0");
    }
    let is_within = match Document::parse(&captured.xml, kind.limits()) {
        Ok(_) => true,
        Err(error) => {
            report.wrong(format!("refused as it is: {error}"));
            false
        }
    };
    let mut can_be_used = true;
    if kind == Kind::Metadata {
        can_be_used = judged::metadata(captured, report);
    } else {
        head(root, report);
        root.descendants().filter(|element| element.is(names::ASSERTION, "Assertion")).for_each(
            |assertion| {
                describe_assertion(assertion, root, report);
            },
        );
        encrypted::describe(root, report);
    }
    query_signature(captured, report);
    signatures::describe(root, report);
    is_within && can_be_used
}

fn captured_as(captured: &Captured, report: &mut Report) {
    report.line("captured as", captured.form);
    report.line("size", format!("{} bytes of XML", captured.xml.len()));
    report.line_if("RelayState", captured.relay_state.map(|bytes| format!("[{bytes} bytes]")));
}

fn head(root: Element<'_>, report: &mut Report) {
    report.line_if("ID", root.attr("ID"));
    report.line_if("Issuer", leaf(root, "Issuer"));
    report.line_if("Destination", root.attr("Destination"));
    report.line_if("InResponseTo", root.attr("InResponseTo"));
    report.line_if("IssueInstant", root.attr("IssueInstant").map(|text| report.moment(text)));
    report.line_if("NotOnOrAfter", root.attr("NotOnOrAfter").map(|text| report.until(text)));
    status(root, report);
    let name = root.children().find(|child| child.is(names::ASSERTION, "NameID"));
    report.line_if("NameID", name.map(|name| name_id(name, report)));
    let sessions = root.children().filter(|child| child.is(names::PROTOCOL, "SessionIndex")).count();
    report.line_if("sessions", (sessions > 0).then_some(sessions));
    for name in ["AssertionConsumerServiceURL", "ProtocolBinding", "ForceAuthn", "IsPassive"] {
        report.line_if(name, root.attr(name));
    }
}

fn status(root: Element<'_>, report: &mut Report) {
    let Some(status) = root.children().find(|child| child.is(names::PROTOCOL, "Status")) else { return };
    let codes = status.descendants().filter(|element| element.is(names::PROTOCOL, "StatusCode"));
    let codes: Vec<_> = codes
        .map(|code| code.attr("Value").unwrap_or("nothing").rsplit(':').next().unwrap_or_default())
        .collect();
    report.line("status", codes.join("/"));
    let message = status.children().find(|child| child.is(names::PROTOCOL, "StatusMessage"));
    report.line_if("status message", message.map(text));
}

fn describe_assertion(assertion: Element<'_>, root: Element<'_>, report: &mut Report) {
    if assertion != root {
        report.heading(format!(
            "Assertion in {}",
            assertion.parent().map_or("nothing", |parent| parent.local())
        ));
        identify(assertion, report);
    }
    statements(assertion, report);
}

fn identify(assertion: Element<'_>, report: &mut Report) {
    report.line_if("ID", assertion.attr("ID"));
    report.line_if("Issuer", leaf(assertion, "Issuer"));
    report.line_if("IssueInstant", assertion.attr("IssueInstant").map(|text| report.moment(text)));
}

/// What `keys` open of it, as the rest is described: for an operator, who holds them.
pub fn describe_opened(captured: &Captured, keys: &[&DecryptingKey], report: &mut Report) {
    let Ok(document) = Document::parse(&captured.xml, &Limits::METADATA) else { return };
    for part in encrypted::assertions(document.root()) {
        report.heading("EncryptedAssertion, opened by a key of ours");
        let xml = match decrypt(part, keys, Ciphers::GcmAndCbc) {
            Ok(xml) => xml,
            Err(error) => {
                report.wrong(encrypted::unopened(&error));
                continue;
            }
        };
        match Document::parse(&xml, &Limits::METADATA) {
            Ok(opened) => {
                identify(opened.root(), report);
                statements(opened.root(), report);
                signatures::describe(opened.root(), report);
            }
            Err(error) => report.wrong(format!("what is inside cannot be read: {error}")),
        }
    }
}

fn statements(assertion: Element<'_>, report: &mut Report) {
    for subject in of(assertion, "Subject") {
        for name in of(subject, "NameID") {
            report.line("NameID", name_id(name, report));
        }
        of(subject, "SubjectConfirmation").for_each(|element| confirmation(element, report));
    }
    of(assertion, "Conditions").for_each(|element| conditions(element, report));
    of(assertion, "AuthnStatement").for_each(|element| authn(element, report));
    for attribute in of(assertion, "AttributeStatement").flat_map(|statement| of(statement, "Attribute")) {
        describe_attribute(attribute, report);
    }
}

fn confirmation(confirmation: Element<'_>, report: &mut Report) {
    let method = confirmation.attr("Method").unwrap_or("none");
    report.line("confirmation", method.rsplit(':').next().unwrap_or(method));
    for data in of(confirmation, "SubjectConfirmationData") {
        report.line_if("  Recipient", data.attr("Recipient"));
        report.line_if("  InResponseTo", data.attr("InResponseTo"));
        report.line_if("  NotBefore", data.attr("NotBefore").map(|text| report.moment(text)));
        report.line_if("  NotOnOrAfter", data.attr("NotOnOrAfter").map(|text| report.until(text)));
    }
}

fn conditions(conditions: Element<'_>, report: &mut Report) {
    let others = conditions.children().filter(|child| child.local() != "AudienceRestriction");
    let others: Vec<_> = others.map(|child| child.local()).collect();
    report.line(
        "conditions",
        if others.is_empty() { "of time and audience".to_owned() } else { others.join(", ") },
    );
    report.line_if("  NotBefore", conditions.attr("NotBefore").map(|text| report.moment(text)));
    report.line_if("  NotOnOrAfter", conditions.attr("NotOnOrAfter").map(|text| report.until(text)));
    for restriction in of(conditions, "AudienceRestriction") {
        let audiences: Vec<_> = of(restriction, "Audience").map(text).collect();
        report.line("  audience", audiences.join(" or "));
    }
}

fn authn(statement: Element<'_>, report: &mut Report) {
    report.line("authenticated", report.moment(statement.attr("AuthnInstant").unwrap_or("never")));
    let end = statement.attr("SessionNotOnOrAfter");
    report.line_if("  session ends", end.map(|text| report.until(text)));
    report.line_if("  session index", statement.attr("SessionIndex").map(|text| report.personal(text)));
    for context in of(statement, "AuthnContext") {
        report.line_if("  context", leaf(context, "AuthnContextClassRef"));
    }
}

fn describe_attribute(attribute: Element<'_>, report: &mut Report) {
    let name = attribute.attr("Name").unwrap_or("nameless");
    let name = match attribute.attr("FriendlyName") {
        Some(friendly) if friendly != name => format!("{name} ({friendly})"),
        _ => name.to_owned(),
    };
    let values: Vec<_> = of(attribute, "AttributeValue").map(text).collect();
    let shown = match values.len() {
        _ if report.shows_values => values.join(" | "),
        1 => "1 value".to_owned(),
        many => format!("{many} values"),
    };
    report.line("attribute", format!("{name}: {shown}"));
}

fn name_id(name: Element<'_>, report: &Report) -> String {
    let format = name.attr("Format").unwrap_or("no format");
    let value = report.personal(&text(name));
    let is_padded = name.text().is_ok_and(|text| text.trim() != text);
    let padded = if is_padded { ", with white space around it" } else { "" };
    format!("{value} ({}){padded}", format.rsplit(':').next().unwrap_or(format))
}

/// The signature over a query, which is none over the XML.
fn query_signature(captured: &Captured, report: &mut Report) {
    let Some((query, which)) = &captured.query else { return };
    report.heading("Signature of the query");
    match RedirectMessage::read(query, *which) {
        Ok(read) if read.is_signed() => {
            report.line("is there", "only a connection's certificates can verify it")
        }
        Ok(_) => report.line("is there", "no"),
        Err(error) => report.wrong(format!("refused as it is: {error}")),
    }
}

fn of<'d>(parent: Element<'d>, local: &'static str) -> impl Iterator<Item = Element<'d>> {
    parent.children().filter(move |child| child.is(names::ASSERTION, local))
}

pub fn leaf(parent: Element<'_>, local: &'static str) -> Option<String> {
    of(parent, local).next().map(text)
}

fn text(element: Element<'_>) -> String {
    element.text().map_or_else(|_| "[elements]".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::protocol::saml::actors::{self, NOW};
    use crate::protocol::saml::encryption::Cipher;
    use crate::protocol::saml::signature::sign_enveloped;

    fn explained(xml: &str, after: u64) -> (bool, String) {
        let mut report = Report::new(NOW.plus(Duration::from_secs(after)), false);
        let captured = Captured::read(xml.as_bytes()).unwrap();
        let fine = explain(&captured, &mut report);
        (fine, report.text().to_owned())
    }

    fn signed() -> String {
        actors::response(actors::assertion()).write(&actors::sign(true, false), None).unwrap()
    }

    #[test]
    fn a_sound_response_is_explained_and_names_nobody() {
        let (fine, told) = explained(&signed(), 0);
        assert!(fine, "{told}");
        for line in [
            "Response: a response to an authentication request",
            "status             Success",
            "NameID             [10 characters, at a.test] (emailAddress)",
            "attribute          groups: 2 values",
            "Signature of the Assertion",
            "method             ecdsa-sha256",
            "reference          #_a1",
            "✓ the digest fits",
            "! verifies by the certificate that it brings along; this proves nothing",
            "! nothing is wrong with it in itself; this proves nothing about who wrote it",
        ] {
            assert!(told.contains(line), "{line}\n{told}");
        }
        assert!(!told.contains("ann") && !told.contains("staff"), "{told}");
        let mut report = Report::new(NOW, true);
        explain(&Captured::read(signed().as_bytes()).unwrap(), &mut report);
        assert!(report.text().contains("ann@a.test") && report.text().contains("groups: staff | admins"));
    }

    #[test]
    fn what_would_make_us_refuse_it_is_told() {
        let changed = signed().replace("staff", "boss!");
        let bare = |change: fn(String) -> String| {
            let plain =
                actors::response(actors::assertion()).write(&actors::sign(false, false), None).unwrap();
            let (key, certificate) = (&actors::PROVIDER.key, &actors::PROVIDER.certificate);
            sign_enveloped(&change(plain), "_a1", key, Some(certificate)).unwrap()
        };
        let sha1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
        let weak = signed().replace("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", sha1);
        let audience =
            bare(|xml| xml.replace("<saml:AudienceRestriction>", "<saml:AudienceRestriction><saml:x/>"));
        let cbc = actors::encrypt(Cipher::Aes128Cbc);
        let cbc =
            actors::response(actors::assertion()).write(&actors::sign(true, false), Some(&cbc)).unwrap();
        let rsa15 = cbc.replace(
            "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
            "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
        );
        for (xml, after, line) in [
            (signed(), 3_600, "refused by the check issue_instant"),
            (signed(), 480, "(expired 3 m ago)"),
            (changed, 0, "✗ the digest does not fit: what is signed was changed after it was signed"),
            (weak, 0, "method             rsa-sha1"),
            (
                signed().replace("_a1\"", "_a2\"").replacen("#_a2", "#_a1", 1),
                0,
                "a Reference to something else: URI=\"#_a1\"",
            ),
            (audience, 0, "refused by the check structure"),
            (signed().replace("<saml:Subject>", "<saml:Subject><!-- x -->"), 0, "a comment"),
            (cbc, 0, "! encrypted by AES-CBC, which is opened under a signed response only"),
            (rsa15, 0, "set the identity provider to RSA-OAEP"),
            ("<Response xmlns=\"urn:oasis:names:tc:SAML:1.0:protocol\"/>".to_owned(), 0, "this is SAML 1"),
            ("<!DOCTYPE a []><a/>".to_owned(), 0, "refused as it is"),
        ] {
            let (fine, told) = explained(&xml, after);
            assert!(!fine, "{line}\n{told}");
            assert!(told.contains(line), "{line}\n{told}");
        }
    }
}
