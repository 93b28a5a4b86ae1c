//! A response, by its first byte: as it is; or encrypted, signed by the provider, or both, after it was changed, so that
//! what comes after that is tried as well. Nothing is taken that the provider has not signed.
#![no_main]

use behalf_fuzz::actors::{self, ACS, IDP, NOW, PROVIDER, REQUEST, SKEW};
use behalf_fuzz::judge;
use behalf_fuzz::protocol::saml::assertion::Assertion;
use behalf_fuzz::protocol::saml::encryption::{Cipher, encrypt};
use behalf_fuzz::protocol::saml::message::{self, Received};
use behalf_fuzz::protocol::saml::redact::redacted;
use behalf_fuzz::protocol::saml::response::{Draft, claimed_in_response_to, read};
use behalf_fuzz::protocol::saml::signature::sign_enveloped;
use behalf_fuzz::protocol::saml::{logout, names, xml::Writer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((how, xml)) = input.split_first() else { return };
    match how % 10 {
        0 | 1 => as_it_is(xml),
        2 => taken(hidden(xml).as_bytes(), judge::genuine),
        3 => signed(xml, "_a1", |signed| taken(signed.as_bytes(), judge::sound)),
        4 => signed(xml, "_a1", |signed| taken(hidden(signed.as_bytes()).as_bytes(), judge::sound)),
        5 => signed(xml, "_r1", |signed| taken(signed.as_bytes(), judge::sound)),
        6 => logout(xml),
        7 | 8 => hidden_and_signed(xml),
        _ => signed(xml, "_a1", |signed| hidden_and_signed(signed.as_bytes())),
    }
});

fn as_it_is(xml: &[u8]) {
    claimed_in_response_to(xml);
    redacted(xml);
    taken(xml, judge::genuine);
}

fn taken(xml: &[u8], judge: fn(&Assertion)) {
    if let Ok(assertion) = read(xml, &actors::expected_encrypted()) {
        judge(assertion.get());
    }
}

/// With the provider's signature on the element of this id, if it can be signed.
fn signed(xml: &[u8], id: &str, then: impl FnOnce(&str)) {
    let Ok(xml) = std::str::from_utf8(xml) else { return };
    if let Ok(signed) = sign_enveloped(xml, id, &PROVIDER.key, None) {
        then(&signed);
    }
}

/// An assertion that was encrypted to us, as anybody can do it, in a response that nobody signed.
fn hidden(assertion: &[u8]) -> String {
    let to = actors::encrypt(if assertion.len().is_multiple_of(4) {
        Cipher::Aes256Cbc
    } else {
        Cipher::Aes128Gcm
    });
    let data = encrypt(assertion, to.key, to.cipher, to.oaep, to.random).expect("anything can be encrypted");
    let plain = Draft { assertion: None, ..actors::response(actors::assertion()) };
    let plain = plain.write(&actors::sign(false, false), None).expect("a response");
    let mut writer = Writer::new(names::PREFIXES);
    writer.open("saml:EncryptedAssertion").embed(&data).close();
    let part = writer.finish().expect("an element");
    plain.replace("</samlp:Response>", &format!("{part}</samlp:Response>"))
}

fn hidden_and_signed(assertion: &[u8]) {
    signed(hidden(assertion).as_bytes(), "_r1", |signed| taken(signed.as_bytes(), judge::sound));
}

fn logout(xml: &[u8]) {
    let Ok(text) = std::str::from_utf8(xml) else { return };
    let expected = message::Expected { issuer: IDP, destination: ACS, now: NOW, skew: SKEW };
    let keys = &PROVIDER.keys;
    assert!(logout::read_request(Received::Posted { xml, keys: &[] }, &expected, &[]).is_err());
    let Ok(signed) = sign_enveloped(text, "_r1", &PROVIDER.key, None) else { return };
    let received = || Received::Posted { xml: signed.as_bytes(), keys };
    if let Ok(request) = logout::read_request(received(), &expected, &[]) {
        assert_eq!(request.get().issuer, IDP);
    }
    let _ = logout::read_response(received(), &expected, REQUEST);
}
