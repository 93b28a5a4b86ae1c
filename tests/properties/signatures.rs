//! Nothing is verified that was not signed, whatever is done to a message (threats C04 to C08).

use std::sync::LazyLock;

use behalf::protocol::saml::keys::{KeyKind, SigningKey, VerifyingKey};
use behalf::protocol::saml::signature::{SignatureError, Verified, sign_enveloped, verify_enveloped};
use behalf::protocol::saml::xml::{Document, Limits, canonical};

use super::documents::{Dice, document};
use super::mutants::Node;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(KeyKind::P256).unwrap());

const DOCUMENTS: u64 = 300;
const MUTANTS: u64 = 4_000;

#[test]
fn what_is_signed_anywhere_in_a_document_is_verified_there() {
    let mut signed = 0;
    for seed in 0..DOCUMENTS {
        let dice = Dice::new(seed);
        let made = document(&dice);
        let id = format!("n{}", dice.below(made.elements));
        let before = form(&made.xml, &id);
        match sign_enveloped(&made.xml, &id, &KEY, None) {
            Ok(xml) => assert_eq!(everything_verified(&xml), [before], "{xml}"),
            Err(SignatureError::Place) => continue,
            Err(error) => panic!("{error}: {}", made.xml),
        }
        signed += 1;
    }
    assert!(signed > DOCUMENTS / 3, "{signed}");
}

#[test]
fn c06_no_changed_byte_gives_what_was_not_signed() {
    let (xml, signed) = message();
    let dice = Dice::new(1);
    let values = b"<>&;:#'\"=/ ax0A\r\n\0\x80\xff!?-]";
    for at in 0..xml.len() {
        let mut bytes = xml.clone().into_bytes();
        match dice.below(4) {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, values[dice.below(values.len())]),
            2 => bytes[at] ^= 1 << dice.below(8),
            _ => bytes[at] = values[dice.below(values.len())],
        }
        assert_signed(&bytes, &signed);
    }
}

#[test]
fn c06_no_cut_document_is_read() {
    let (xml, _) = message();
    for end in 0..xml.len() {
        assert!(Document::parse(&xml.as_bytes()[..end], &Limits::MESSAGE).is_err(), "{end}");
    }
}

#[test]
fn c04_no_rearrangement_gives_what_was_not_signed() {
    let (xml, signed) = message();
    let genuine = Node::read(&xml);
    assert_eq!(genuine.write(), xml);
    let mut still_verified = 0;
    for seed in 0..MUTANTS {
        let dice = Dice::new(seed);
        let mut mutant = genuine.clone();
        for _ in 0..1 + dice.below(4) {
            mutant.mutate(&dice);
        }
        still_verified += usize::from(assert_signed(mutant.write().as_bytes(), &signed));
    }
    assert!(still_verified > 0, "no mutant was worth the trial");
}

/// A Response and its Assertion, both signed; and what was signed.
fn message() -> (String, Vec<Vec<u8>>) {
    let plain = "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
                 xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"r1\" InResponseTo=\"q1\">\
                 <saml:Issuer>https://idp.a.test</saml:Issuer>\
                 <samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"></samlp:StatusCode>\
                 </samlp:Status><saml:Assertion ID=\"a1\"><saml:Issuer>https://idp.a.test</saml:Issuer><saml:Subject>\
                 <saml:NameID>ann@a.test</saml:NameID></saml:Subject><saml:AttributeStatement>\
                 <saml:Attribute Name=\"role\"><saml:AttributeValue>member</saml:AttributeValue></saml:Attribute>\
                 </saml:AttributeStatement></saml:Assertion></samlp:Response>";
    let inner = sign_enveloped(plain, "a1", &KEY, None).unwrap();
    let both = sign_enveloped(&inner, "r1", &KEY, None).unwrap();
    let signed = everything_verified(&both);
    assert_eq!(signed, [form(&inner, "r1"), form(plain, "a1")]);
    (both, signed)
}

fn form(xml: &str, id: &str) -> Vec<u8> {
    let document =
        Document::parse(xml.as_bytes(), &Limits::MESSAGE).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let element = document.root().descendants().find(|element| element.attr("ID") == Some(id)).unwrap();
    canonical(element, &[], None).unwrap()
}

/// What the most careless caller could get out of a message.
fn everything_verified(xml: impl AsRef<[u8]>) -> Vec<Vec<u8>> {
    let keys: [VerifyingKey; 1] = [KEY.verifying_key().clone()];
    let Ok(document) = Document::parse(xml.as_ref(), &Limits::MESSAGE) else { return Vec::new() };
    let verified = document.root().descendants().filter_map(|element| verify_enveloped(element, &keys).ok());
    verified.map(Verified::into_inner).collect()
}

/// Whether anything is verified at all.
#[track_caller]
fn assert_signed(xml: &[u8], signed: &[Vec<u8>]) -> bool {
    let verified = everything_verified(xml);
    assert!(verified.iter().all(|bytes| signed.contains(bytes)), "{}", String::from_utf8_lossy(xml));
    !verified.is_empty()
}
