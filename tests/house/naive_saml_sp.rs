//! A service provider that verifies signatures and is nevertheless fooled: what attacks are for.
//!
//! It is every mistake of the field at once. It finds what a signature refers to by any attribute that looks like an id,
//! believes keys that a message brings along, takes certificates for shared secrets, lets DTDs define entities, reads
//! the first text of an element, reads claims from wherever an assertion stands, and looks at neither time nor
//! addressee nor at what it has seen before. A story that shows a file to be refused shows by this reader that the
//! file is worth refusing.
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::{digest, hmac, signature};
use behalf::protocol::saml::certificate::Certificate;
use behalf::protocol::saml::encryption::{self, Ciphers};
use behalf::protocol::saml::keys::DecryptingKey;
use behalf::protocol::saml::xml::{Document as Strict, Limits};
use data_encoding::BASE64;
use roxmltree::{Document, Node, ParsingOptions};

pub struct NaiveSp<'a> {
    pub certificate: &'a Certificate,
    pub decrypting: &'a [&'a DecryptingKey],
}

/// Which of several it takes.
#[derive(Clone, Copy)]
enum Take {
    First,
    Last,
}

impl NaiveSp<'_> {
    /// The name identifiers that one or the other of its mistakes makes it believe.
    pub fn believes(&self, message: &[u8]) -> BTreeSet<String> {
        let text = String::from_utf8_lossy(message);
        let end = text.rfind("Response>").map_or(text.len(), |at| at + "Response>".len());
        let received = text[..end].to_owned();
        let opened = self.decrypted(received.clone());
        if self.is_signed(&received) || self.is_signed(&opened) { subjects(&opened) } else { BTreeSet::new() }
    }

    /// Whether anything in it is.
    fn is_signed(&self, text: &str) -> bool {
        let Ok(document) = parsed(text) else { return false };
        all(&document, "Signature").into_iter().any(|signature| {
            [Take::First, Take::Last].into_iter().any(|take| self.verifies(&document, signature, take))
        })
    }

    /// The document with everything decrypted that can be.
    fn decrypted(&self, mut text: String) -> String {
        for _ in 0..4 {
            let Some(start) = text.find("<saml:EncryptedAssertion") else { break };
            let end = "</saml:EncryptedAssertion>";
            let Some(length) = text[start..].find(end).map(|at| at + end.len()) else { break };
            let part = &text[start..start + length];
            let Ok(document) = Strict::parse(part.as_bytes(), &Limits::MESSAGE) else { break };
            let plain = encryption::decrypt(document.root(), self.decrypting, Ciphers::GcmAndCbc);
            let Ok(plain) = plain else { break };
            text = [&text[..start], &String::from_utf8_lossy(&plain), &text[start + length..]].concat();
        }
        text
    }

    fn verifies(&self, document: &Document<'_>, signature: Node<'_, '_>, take: Take) -> bool {
        let Some(info) = named(signature, "SignedInfo") else { return false };
        let Some(uri) = named(info, "Reference").and_then(|node| node.attribute("URI")) else { return false };
        let mut found = document.descendants().filter(|node| {
            let is_it = |attribute: roxmltree::Attribute<'_, '_>| {
                attribute.name().eq_ignore_ascii_case("id")
                    && Some(attribute.value()) == uri.strip_prefix('#')
            };
            node.attributes().any(is_it) || (uri.is_empty() && *node == document.root_element())
        });
        let target = match take {
            Take::First => found.next(),
            Take::Last => found.next_back(),
        };
        let Some(target) = target else { return false };
        let digest = named(info, "DigestValue").map(bytes);
        let method = named(info, "DigestMethod").and_then(|node| node.attribute("Algorithm"));
        let is_intact =
            digest == Some(hashed(method.unwrap_or_default(), &canonical(target, Some(signature))));
        is_intact && self.is_of_some_key(signature, info)
    }

    fn is_of_some_key(&self, signature: Node<'_, '_>, info: Node<'_, '_>) -> bool {
        let method = named(info, "SignatureMethod").and_then(|node| node.attribute("Algorithm"));
        let method = method.unwrap_or_default();
        let (signed, value) = (canonical(info, None), named(signature, "SignatureValue").map(bytes));
        let value = value.unwrap_or_default();
        let brought =
            named(signature, "X509Certificate").and_then(|node| Certificate::from_der(&bytes(node)).ok());
        let secret = |algorithm| {
            let key = hmac::Key::new(algorithm, self.certificate.der());
            hmac::verify(&key, &signed, &value).is_ok()
        };
        match method.rsplit('#').next().unwrap_or_default() {
            "hmac-sha1" => secret(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            "hmac-sha256" => secret(hmac::HMAC_SHA256),
            name => [Some(self.certificate.clone()), brought].into_iter().flatten().any(|certificate| {
                let algorithm = match name {
                    "rsa-sha1" => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
                    "rsa-sha512" => &signature::RSA_PKCS1_2048_8192_SHA512,
                    _ => &signature::RSA_PKCS1_2048_8192_SHA256,
                };
                let key = signature::UnparsedPublicKey::new(algorithm, certificate.verifying_key().spki());
                key.verify(&signed, &value).is_ok()
            }),
        }
    }
}

fn parsed(text: &str) -> Result<Document<'_>, roxmltree::Error> {
    Document::parse_with_options(text, ParsingOptions { allow_dtd: true, ..ParsingOptions::default() })
}

/// Every name that one may come upon who looks for the assertion in this way or that.
fn subjects(text: &str) -> BTreeSet<String> {
    let Ok(document) = parsed(text) else { return BTreeSet::new() };
    let root = document.root_element();
    let children: Vec<_> = root.children().filter(|node| is(node, "Assertion")).collect();
    let anywhere = all(&document, "Assertion");
    let assertions =
        [children.first(), children.last(), anywhere.first(), anywhere.last()].into_iter().flatten();
    let name = |assertion: &Node<'_, '_>| {
        let subject = assertion.children().find(|node| is(node, "Subject"))?;
        named(subject, "NameID")?.text().map(str::to_owned)
    };
    assertions.filter_map(name).collect()
}

fn is(node: &Node<'_, '_>, local: &str) -> bool {
    node.is_element() && node.tag_name().name() == local
}

fn all<'d, 'i>(document: &'d Document<'i>, local: &str) -> Vec<Node<'d, 'i>> {
    document.descendants().filter(|node| is(node, local)).collect()
}

fn named<'d, 'i>(parent: Node<'d, 'i>, local: &str) -> Option<Node<'d, 'i>> {
    parent.descendants().find(|node| is(node, local))
}

fn bytes(node: Node<'_, '_>) -> Vec<u8> {
    let digits: Vec<u8> = node.text().unwrap_or_default().bytes().filter(u8::is_ascii_graphic).collect();
    BASE64.decode(&digits).unwrap_or_default()
}

fn hashed(method: &str, bytes: &[u8]) -> Vec<u8> {
    let algorithm = match method.rsplit('#').next().unwrap_or_default() {
        "sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "sha512" => &digest::SHA512,
        _ => &digest::SHA256,
    };
    digest::digest(algorithm, bytes).as_ref().to_vec()
}

/// Exclusive canonicalization, as far as these documents need it.
pub fn canonical(node: Node<'_, '_>, without: Option<Node<'_, '_>>) -> Vec<u8> {
    let mut text = String::new();
    write(node, without, &BTreeMap::new(), &mut text);
    text.into_bytes()
}

fn write(
    node: Node<'_, '_>,
    without: Option<Node<'_, '_>>,
    around: &BTreeMap<String, String>,
    text: &mut String,
) {
    if Some(node) == without || node.is_comment() {
        return;
    }
    if node.is_text() {
        let words = node.text().unwrap_or_default();
        text.push_str(
            &words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#xD;"),
        );
        return;
    }
    let source = node.document().input_text();
    let tag = &source[node.range().start + 1..];
    let name = &tag[..tag.find(|sign: char| sign.is_whitespace() || "/>".contains(sign)).unwrap()];
    let mut used = BTreeMap::new();
    let mut uses = |qualified: &str, uri: Option<&str>| {
        let prefix = qualified.split_once(':').map_or("", |(prefix, _)| prefix);
        used.insert(prefix.to_owned(), uri.unwrap_or_default().to_owned());
    };
    uses(name, node.tag_name().namespace());
    let mut attributes = Vec::new();
    for attribute in node.attributes() {
        let qualified = &source[attribute.range_qname()];
        if attribute.namespace().is_some() {
            uses(qualified, attribute.namespace());
        }
        let key = (attribute.namespace().unwrap_or_default(), attribute.name());
        attributes.push((key, qualified, attribute.value()));
    }
    attributes.sort();
    text.push_str(&format!("<{name}"));
    let mut inside = around.clone();
    for (prefix, uri) in used {
        let is_known = around.get(&prefix) == Some(&uri) || (uri.is_empty() && !around.contains_key(&prefix));
        if is_known || prefix == "xml" {
            continue;
        }
        let colon = if prefix.is_empty() { "" } else { ":" };
        text.push_str(&format!(" xmlns{colon}{prefix}=\"{uri}\""));
        inside.insert(prefix, uri);
    }
    for (_, qualified, value) in attributes {
        let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let value = value.replace('\t', "&#x9;").replace('\n', "&#xA;").replace('\r', "&#xD;");
        text.push_str(&format!(" {qualified}=\"{value}\""));
    }
    text.push('>');
    node.children().for_each(|child| write(child, without, &inside, text));
    text.push_str(&format!("</{name}>"));
}
