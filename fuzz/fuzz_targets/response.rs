//! A response, by its first byte: as it is, or signed by the provider after it was changed, so that what comes after
//! the signature is tried as well. Nothing is taken that the provider has not signed.
#![no_main]

use behalf_fuzz::actors::{self, DECRYPTING, KEY};
use behalf_fuzz::protocol::saml::encryption::{Cipher, encrypt};
use behalf_fuzz::protocol::saml::message::Received;
use behalf_fuzz::protocol::saml::redact::redacted;
use behalf_fuzz::protocol::saml::response::{claimed_in_response_to, read};
use behalf_fuzz::protocol::saml::signature::sign_enveloped;
use behalf_fuzz::protocol::saml::{logout, message, xml::Writer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((how, xml)) = input.split_first() else { return };
    match how % 8 {
        0..=2 => as_it_is(xml),
        3 | 4 => signed(xml, "_a1"),
        5 => signed(xml, "_r1"),
        6 => logout(xml),
        _ => encrypted(xml),
    }
});

fn as_it_is(xml: &[u8]) {
    claimed_in_response_to(xml);
    redacted(xml);
    let keys = [&*DECRYPTING];
    if let Ok(assertion) = read(xml, &actors::expected(&keys)) {
        actors::check_genuine(assertion.get());
    }
}

fn signed(xml: &[u8], id: &str) {
    let Ok(xml) = std::str::from_utf8(xml) else { return };
    let Ok(signed) = sign_enveloped(xml, id, &KEY, None) else { return };
    if let Ok(assertion) = read(signed.as_bytes(), &actors::expected(&[])) {
        actors::check(assertion.get());
    }
}

fn logout(xml: &[u8]) {
    let Ok(text) = std::str::from_utf8(xml) else { return };
    let expected = message::Expected {
        issuer: actors::IDP,
        destination: actors::ACS,
        now: actors::NOW,
        skew: std::time::Duration::from_secs(60),
    };
    let keys = &actors::KEYS;
    assert!(logout::read_request(Received::Posted { xml, keys: &[] }, &expected, &[]).is_err());
    let Ok(signed) = sign_enveloped(text, "_r1", &KEY, None) else { return };
    let received = || Received::Posted { xml: signed.as_bytes(), keys };
    if let Ok(request) = logout::read_request(received(), &expected, &[]) {
        assert_eq!(request.get().issuer, actors::IDP);
    }
    let _ = logout::read_response(received(), &expected, actors::REQUEST);
}

/// An assertion that was encrypted to us; the response around it is signed.
fn encrypted(assertion: &[u8]) {
    let to = actors::encrypt(if assertion.len() % 2 == 0 { Cipher::Aes128Gcm } else { Cipher::Aes256Cbc });
    let data = encrypt(assertion, to.key, to.cipher, to.oaep, to.random).expect("anything can be encrypted");
    let plain = actors::response(None).write(&actors::sign(false, false), None).expect("a response");
    let mut writer = Writer::new(behalf_fuzz::protocol::saml::names::PREFIXES);
    writer.open("saml:EncryptedAssertion").embed(&data).close();
    let part = writer.finish().expect("an element");
    let whole = plain.replace("</samlp:Response>", &format!("{part}</samlp:Response>"));
    let signed = sign_enveloped(&whole, "_r1", &KEY, None).expect("it can be signed");
    let keys = [&*DECRYPTING];
    if let Ok(assertion) = read(signed.as_bytes(), &actors::expected(&keys)) {
        actors::check(assertion.get());
    }
}
