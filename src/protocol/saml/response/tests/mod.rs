//! Stories of responses: what is read from sound ones, and which check refuses the others.

mod checks;
mod forged;
mod odd;
mod times;

use super::*;
use crate::protocol::saml::actors::*;
use crate::protocol::saml::assertion::{Attribute, NameId};
use crate::protocol::saml::encryption::Cipher;
use crate::protocol::saml::names::{authn_context, name_id};

/// The check that refuses it.
fn refused(xml: &str, expected: &Expected<'_>) -> Check {
    read(xml.as_bytes(), expected).expect_err("it must be refused").check
}

fn name(assertion: &Assertion) -> Option<&str> {
    assertion.name_id.as_ref().map(|name| name.value.as_str())
}

/// Every way to sign: the assertion, the response, both.
const SHAPES: [(bool, bool); 3] = [(true, false), (false, true), (true, true)];

#[test]
fn ann_is_read_however_it_is_signed() {
    for (assertion_signed, response_signed) in SHAPES {
        let xml = response(assertion()).write(&sign(assertion_signed, response_signed), None).unwrap();
        let read = read(xml.as_bytes(), &expected()).unwrap().into_inner();
        assert_eq!(read.id, "_a1");
        assert_eq!(read.issuer, IDP);
        assert_eq!(read.name_id, Some(NameId::new("ann@a.test", name_id::EMAIL_ADDRESS)));
        assert_eq!(read.session_index.as_deref(), Some("_s1"));
        assert_eq!(read.authn_instant, NOW);
        assert_eq!(read.session_not_on_or_after, Some(NOW.plus(seconds(3600))));
        assert_eq!(read.not_on_or_after, NOW.plus(seconds(300)).plus(message::MAX_SKEW));
        assert_eq!(read.authn_context.as_deref(), Some(authn_context::PASSWORD_PROTECTED_TRANSPORT));
        let values: Vec<_> = read.attributes.iter().map(|it| (it.name.as_str(), it.values.clone())).collect();
        let own = |values: &[&str]| values.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(values, [("email", own(&["ann@a.test"])), ("groups", own(&["staff", "admins"]))]);
    }
}

#[test]
fn ann_is_read_when_encrypted() {
    for (assertion_signed, response_signed) in SHAPES {
        let sign = sign(assertion_signed, response_signed);
        let xml = response(assertion()).write(&sign, Some(&encrypt(Cipher::Aes256Gcm))).unwrap();
        assert!(!xml.contains("ann@a.test"));
        let read = read(xml.as_bytes(), &expected_encrypted()).unwrap();
        assert_eq!(name(read.get()), Some("ann@a.test"));
        assert_eq!(refused(&xml, &expected()), Check::Undecryptable);
    }
}

#[test]
fn an_encrypted_name_is_read() {
    let encrypted = {
        let xml =
            "<saml:NameID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">ann@a.test</saml:NameID>";
        let to = encrypt(Cipher::Aes128Cbc);
        encryption::encrypt(xml.as_bytes(), to.key, to.cipher, to.oaep, to.random).unwrap()
    };
    let hide = |xml: String| {
        let name = cut(&xml, "<saml:NameID", "</saml:NameID>").to_owned();
        xml.replace(&name, &format!("<saml:EncryptedID>{encrypted}</saml:EncryptedID>"))
    };
    let xml = signed_after(hide, true, false);
    let read = read(xml.as_bytes(), &expected_encrypted()).unwrap();
    assert_eq!(name(read.get()), Some("ann@a.test"));
    // Not by a key that others' messages are encrypted to, too.
    assert_eq!(refused(&xml, &Expected { naming: &[], ..expected_encrypted() }), Check::Undecryptable);
}

#[test]
fn h12_whatever_is_no_name_is_told_as_what_cannot_be_opened() {
    let told = |text: &str| {
        let to = encrypt(Cipher::Aes128Cbc);
        let data = encryption::encrypt(text.as_bytes(), to.key, to.cipher, to.oaep, to.random).unwrap();
        let xml = signed_after(
            |xml: String| {
                let name = cut(&xml, "<saml:NameID", "</saml:NameID>").to_owned();
                xml.replace(&name, &format!("<saml:EncryptedID>{data}</saml:EncryptedID>"))
            },
            true,
            false,
        );
        read(xml.as_bytes(), &expected_encrypted()).unwrap_err()
    };
    let space = "<saml:NameID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"> ann</saml:NameID>";
    for text in ["", "no XML", "<a/>", "<a", space] {
        let failed = super::encryption::Undecryptable::Failed;
        assert_eq!(told(text), failed.into(), "{text}");
    }
}

#[test]
fn a_connection_may_want_more_signatures_and_encryption() {
    let wants = |signed, encrypted| Expected { wants: Wants { signed, encrypted }, ..expected() };
    for (assertion_signed, response_signed) in SHAPES {
        let xml = response(assertion()).write(&sign(assertion_signed, response_signed), None).unwrap();
        for (part, is_enough) in [
            (SignedPart::Either, true),
            (SignedPart::Assertion, assertion_signed),
            (SignedPart::Response, response_signed),
            (SignedPart::Both, assertion_signed && response_signed),
        ] {
            let outcome = read(xml.as_bytes(), &wants(part, false));
            let told = outcome.err().map(|refused| (refused.check, refused.found.contains("alone")));
            assert_eq!(told, (!is_enough).then_some((Check::SignatureMissing, true)), "{part:?}");
        }
        assert_eq!(refused(&xml, &wants(SignedPart::Either, true)), Check::NotEncrypted);
    }
}

#[test]
fn the_flow_is_found_by_what_the_response_claims() {
    let xml = response(assertion()).write(&sign(true, false), None).unwrap();
    assert_eq!(claimed_in_response_to(xml.as_bytes()).as_deref(), Some(REQUEST));
    assert_eq!(claimed_in_response_to(b"<Response InResponseTo='x'/>"), None);
    assert_eq!(claimed_in_response_to(b"junk"), None);
}

#[test]
fn attributes_are_read_in_all_their_forms() {
    let odd = "<saml:AttributeStatement>\
        <saml:Attribute Name=\"urn:oid:1.3.6.1.4.1.5923.1.1.1.10\" FriendlyName=\"eduPersonTargetedID\">\
        <saml:AttributeValue><saml:NameID>opaque</saml:NameID></saml:AttributeValue></saml:Attribute>\
        <saml:Attribute Name=\"empty\"><saml:AttributeValue/><saml:AttributeValue> </saml:AttributeValue>\
        <saml:AttributeValue xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/>\
        <saml:AttributeValue>one</saml:AttributeValue></saml:Attribute>\
        <saml:Attribute Name=\"none\"/>\
        <saml:Attribute Name=\"complex\"><saml:AttributeValue><a><b>x</b></a></saml:AttributeValue></saml:Attribute>\
        </saml:AttributeStatement>";
    let change = |xml: String| {
        let statement = cut(&xml, "<saml:AttributeStatement", "</saml:AttributeStatement>").to_owned();
        xml.replace(&statement, odd)
    };
    let xml = signed_after(change, true, false);
    let read = read(xml.as_bytes(), &expected()).unwrap().into_inner();
    let values = |name: &str| -> Vec<String> {
        let named = |attribute: &&Attribute| attribute.name == name;
        read.attributes.iter().find(named).unwrap().values.clone()
    };
    assert_eq!(values("urn:oid:1.3.6.1.4.1.5923.1.1.1.10"), ["opaque"]);
    assert_eq!(read.attributes[0].friendly_name.as_deref(), Some("eduPersonTargetedID"));
    assert_eq!(values("empty"), ["one"]);
    assert!(values("none").is_empty());
    assert!(values("complex").is_empty());
}

/// Every value declares the prefixes of its type, as some providers write it.
#[test]
fn a_person_in_hundreds_of_groups_is_read() {
    let groups: Vec<String> = (0..500).map(|group| format!("group {group}")).collect();
    let attribute =
        Attribute { name: "groups".to_owned(), name_format: None, friendly_name: None, values: groups };
    let attributes: &'static [Attribute] = Box::leak(Box::new([attribute]));
    for (assertion_signed, response_signed) in SHAPES {
        let draft = response(AssertionDraft { attributes, ..assertion() });
        let xml = draft.write(&sign(assertion_signed, response_signed), None).unwrap();
        assert!(xml.matches("xmlns:xsi").count() >= 500);
        let read = read(xml.as_bytes(), &expected()).unwrap();
        assert_eq!(read.get().attributes, attributes);
    }
}

#[test]
fn too_many_attributes_are_refused() {
    let flood = |count: usize, values: usize, length: usize| {
        let value = format!("<saml:AttributeValue>{}</saml:AttributeValue>", "x".repeat(length));
        let one = format!("<saml:Attribute Name=\"n\">{}</saml:Attribute>", value.repeat(values));
        let all = format!("<saml:AttributeStatement>{}</saml:AttributeStatement>", one.repeat(count));
        signed_after(|xml| xml.replace("</saml:Assertion>", &format!("{all}</saml:Assertion>")), true, false)
    };
    assert!(read(flood(998, 1, 1).as_bytes(), &expected()).is_ok());
    assert!(read(flood(1, 350, 1000).as_bytes(), &expected()).is_ok());
    assert_eq!(refused(&flood(999, 1, 1), &expected()), Check::Attributes);
    assert_eq!(refused(&flood(2, 5000, 1), &expected()), Check::Attributes);
    assert_eq!(refused(&flood(1, 400, 1000), &expected()), Check::Attributes);
}
