#![allow(clippy::unwrap_used)]

use std::io::Write;

use Carried::{Request, Response};
use flate2::write::DeflateEncoder;

use super::*;
use crate::foundation::random::Random;
use crate::protocol::saml::fixtures::{OTHER_2048, P256, P384, RSA_2048, fixture, mutant, signing};

const XML: &[u8] = br#"<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_9"/>"#;
const BY_OPENSSL: &str = fixture!("redirect_rsa.txt");

fn keys(documents: &[&str]) -> Vec<VerifyingKey> {
    documents.iter().map(|document| signing(document).verifying_key().clone()).collect()
}

fn parameter(deflated: &[u8]) -> String {
    format!("SAMLRequest={}", utf8_percent_encode(&base64::encode(deflated), RESERVED))
}

fn refusal(query: &str) -> BindingError {
    RedirectMessage::read(query, Request).unwrap_err()
}

#[test]
fn h13_queries_that_openssl_signed_are_believed_as_they_were_received() {
    for (query, key) in [
        (BY_OPENSSL, RSA_2048),
        (fixture!("redirect_rsa512.txt"), RSA_2048),
        (fixture!("redirect_p256.txt"), P256),
        (fixture!("redirect_p384.txt"), P384),
    ] {
        let query = query.trim_end();
        // Lower-case escapes in the message, literal colons and slashes in SigAlg: nobody may tidy that up.
        assert!(query.contains("%3d&") && query.contains("http://www"));
        let message = RedirectMessage::read(query, Request).unwrap();
        assert_eq!((message.xml.as_slice(), message.relay_state.as_deref()), (XML, Some("a b/c é")));
        assert!(message.is_signed() && message.verified(&keys(&[OTHER_2048, key])).is_ok());
        assert!(message.verified(&[]).is_err() && message.verified(&keys(&[OTHER_2048])).is_err());
        // The order of the parameters is not what is signed.
        let turned: Vec<&str> = query.split('&').rev().chain(["x=1", "", "y"]).collect();
        assert!(RedirectMessage::read(&turned.join("&"), Request).unwrap().verified(&keys(&[key])).is_ok());
        let tidied = query.replace("%3d", "%3D");
        assert!(RedirectMessage::read(&tidied, Request).unwrap().verified(&keys(&[key])).is_err());
    }
}

#[test]
fn h13_whatever_is_signed_cannot_be_changed() {
    let query = BY_OPENSSL.trim_end();
    let keys = keys(&[RSA_2048]);
    let signed = |query: &str| RedirectMessage::read(query, Request).unwrap().verified(&keys).is_ok();
    assert!(signed(query));
    assert!(!signed(&query.replace("RelayState=a", "RelayState=b")));
    assert!(!signed(&query.replace("RelayState=a+", "RelayState=a%20")));
    assert!(!signed(&query.replace("&RelayState=a+b%2Fc+%C3%A9", "")));
    assert!(!signed(&query.replace("rsa-sha256", "rsa-sha512")));
    assert!(!signed(&query.replace("rsa-sha256", "ecdsa-sha256")));
    let without = query.split("&SigAlg").next().unwrap();
    let unsigned = RedirectMessage::read(without, Request).unwrap();
    assert!(!unsigned.is_signed() && unsigned.verified(&keys).is_err());
    // A response that is signed as a request is not signed.
    let renamed = query.replace("SAMLRequest", "SAMLResponse");
    assert!(RedirectMessage::read(&renamed, Response).unwrap().verified(&keys).is_err());
}

#[test]
fn h13_what_we_send_is_signed_and_can_be_read() {
    for key in [RSA_2048, P256, P384] {
        let key = signing(key);
        for (location, start) in [
            ("https://idp.con.test/sso", "https://idp.con.test/sso?SAMLResponse="),
            ("https://idp.con.test/sso?", "https://idp.con.test/sso?SAMLResponse="),
            ("https://idp.con.test/sso?idp=1", "https://idp.con.test/sso?idp=1&SAMLResponse="),
            ("https://idp.con.test/sso?idp=1&", "https://idp.con.test/sso?idp=1&SAMLResponse="),
        ] {
            for relay_state in [None, Some(""), Some("a&b=c %+/?é")] {
                let url = redirect_url(location, Response, "<a>ä</a>", relay_state, &key).unwrap();
                assert!(url.starts_with(start) && url.is_ascii());
                let query = url.split_once('?').unwrap().1;
                let message = RedirectMessage::read(query, Response).unwrap();
                assert_eq!(message.xml, "<a>ä</a>".as_bytes());
                assert_eq!(message.relay_state.as_deref(), relay_state);
                assert!(message.verified(std::slice::from_ref(key.verifying_key())).is_ok());
            }
        }
    }
}

#[test]
fn h13_an_address_or_a_relay_state_that_cannot_be_sent_is_refused() {
    let key = signing(P256);
    let send = |location: &str, state: &str| redirect_url(location, Request, "<a/>", Some(state), &key);
    for location in ["https://i.test/#a", "https://i.test/ x", "https://i.test/\r\nx", "https://i.test/é"] {
        assert_eq!(send(location, ""), Err(BindingError::Location));
    }
    for query in ["SAMLRequest=x", "a=b&RelayState=", "SigAlg", "%53ignature=x"] {
        assert_eq!(send(&format!("https://i.test/?{query}"), ""), Err(BindingError::Location));
    }
    assert!(send("https://i.test/", &"x".repeat(80)).is_ok());
    assert_eq!(send("https://i.test/", &"x".repeat(81)), Err(BindingError::RelayState));
}

#[test]
fn h13_a_query_says_everything_once_and_openly() {
    let query = BY_OPENSSL.trim_end();
    for name in ["SAMLRequest", "RelayState", "SigAlg", "Signature"] {
        let (_, rest) = query.split_once(name).unwrap();
        let again = format!("{query}&{name}{}", rest.split('&').next().unwrap());
        assert_eq!(refusal(&again), BindingError::Ambiguous(name));
        let disguised = query.replace(name, &format!("%{:02x}{}", name.as_bytes()[0], &name[1..]));
        assert_eq!(refusal(&disguised), BindingError::Ambiguous(name));
        assert_eq!(refusal(&format!("{query}&{name}")), BindingError::Ambiguous(name));
    }
    assert_eq!(refusal(&format!("{query}&SAMLResponse=x")), BindingError::Both);
    assert_eq!(RedirectMessage::read(query, Response).unwrap_err(), BindingError::Missing("SAMLResponse"));
    assert_eq!(refusal(""), BindingError::Missing("SAMLRequest"));
    assert_eq!(refusal("RelayState=x&a=b"), BindingError::Missing("SAMLRequest"));
    let (unsigned, signature) = query.split_once("&Signature=").unwrap();
    assert_eq!(refusal(unsigned), BindingError::Missing("Signature"));
    let nameless = format!("{}&Signature={signature}", unsigned.split("&SigAlg").next().unwrap());
    assert_eq!(refusal(&nameless), BindingError::Missing("SigAlg"));
}

#[test]
fn h16_a_signature_algorithm_is_known_by_its_exact_name() {
    let query = BY_OPENSSL.trim_end();
    let exact = "http://www.w3.org/2001/04/xmldsig-more%23rsa-sha256";
    let keys = [signing(RSA_2048).verifying_key().clone()];
    for other in [
        "",
        "rsa-sha256",
        "RSA-SHA256",
        "http://www.w3.org/2000/09/xmldsig%23rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig%23dsa-sha1",
        "http://www.w3.org/2000/09/xmldsig%23hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more%23hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more%23rsa-md5",
        "http://www.w3.org/2001/04/xmldsig-more%23ecdsa-sha1",
        "HTTP://www.w3.org/2001/04/xmldsig-more%23rsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more%23rsa-sha256+",
        "http://www.w3.org/2001/04/xmldsig-more%23rsa-sha256%00",
        "http://www.w3.org/2001/04/xmldsig-more%2523rsa-sha256",
    ] {
        let query = query.replace(exact, other);
        let message = RedirectMessage::read(&query, Request).unwrap();
        assert!(message.is_signed());
        let error = message.verified(&keys).unwrap_err();
        assert!(matches!(error, SignatureError::Algorithm(_)), "{other}: {error}");
    }
}

#[test]
fn h13_only_percent_encoded_base64_is_read() {
    let whole = parameter(&deflate(XML).unwrap());
    let read = |query: &str| RedirectMessage::read(query, Request).map(|message| message.xml);
    assert_eq!(read(&whole).unwrap(), XML);
    // Some senders forget to encode the plus, or break the lines of base64.
    assert_eq!(read(&whole.replace("%2B", "+").replace("%3D", "=").replace("%2F", "/")).unwrap(), XML);
    assert_eq!(read(&whole.replace("SAMLRequest=", "SAMLRequest=%0D%0A%20")).unwrap(), XML);
    for tail in ["%", "%4", "%zz", "%+1", "%é0", "%ff", "%C3"] {
        assert_eq!(refusal(&format!("{whole}{tail}")), BindingError::Percent("SAMLRequest"), "{tail}");
        assert_eq!(refusal(&format!("{whole}&RelayState={tail}")), BindingError::Percent("RelayState"));
    }
    for tail in ["AAAA", "*", "é", "%00", "-_"] {
        assert_eq!(refusal(&format!("{whole}{tail}")), BindingError::Base64("SAMLRequest"), "{tail}");
    }
    let encoding = |uri: &str| read(&format!("{whole}&SAMLEncoding={uri}"));
    assert_eq!(encoding("urn%3Aoasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE").unwrap(), XML);
    assert_eq!(encoding("urn:x"), Err(BindingError::Encoding));
    assert_eq!(encoding(""), Err(BindingError::Encoding));
}

#[test]
fn h13_a_bomb_goes_off_in_a_quarter_of_a_mebibyte() {
    let most = vec![b' '; MAX_INFLATED];
    assert_eq!(inflate(&deflate(&most).unwrap()).unwrap(), most);
    assert_eq!(inflate(&deflate(&vec![b' '; MAX_INFLATED + 1]).unwrap()), Err(BindingError::TooLarge));
    let mut bomb = DeflateEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&vec![0; 45 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    assert!(parameter(&bomb).len() < MAX_QUERY);
    assert_eq!(refusal(&parameter(&bomb)), BindingError::TooLarge);
    assert_eq!(refusal(&format!("SAMLRequest={}", "A".repeat(MAX_QUERY))), BindingError::TooLarge);
    // What can hardly be compressed takes the other way through the buffer.
    let mut noise = vec![0; 40_000];
    Random::sequence(13).fill(&mut noise);
    assert_eq!(inflate(&deflate(&noise).unwrap()).unwrap(), noise);
}

#[test]
fn h13_a_message_is_one_whole_deflate_stream() {
    let deflated = deflate(&XML.repeat(50)).unwrap();
    assert_eq!(inflate(&deflated).unwrap(), XML.repeat(50));
    for cut in 0..deflated.len() {
        assert_eq!(inflate(&deflated[..cut]), Err(BindingError::Deflate));
    }
    assert_eq!(inflate(&[deflated.as_slice(), &[0]].concat()), Err(BindingError::Deflate));
    assert_eq!(inflate(&[deflated.as_slice(), &deflated].concat()), Err(BindingError::Deflate));
    // With the header of zlib, or of gzip, or not compressed at all.
    assert_eq!(inflate(&[&[0x78, 0x9c], deflated.as_slice()].concat()), Err(BindingError::Deflate));
    assert_eq!(inflate(&[&[0x1f, 0x8b, 8], deflated.as_slice()].concat()), Err(BindingError::Deflate));
    assert_eq!(inflate(XML), Err(BindingError::Deflate));
    // An empty message is a stream, too; that it is no document is found by its reader.
    assert_eq!(inflate(&deflate(b"").unwrap()).unwrap(), b"");
}

#[test]
fn h13_no_mutant_of_a_query_does_harm_or_is_believed() {
    let random = Random::sequence(1);
    let keys = keys(&[P256]);
    let query = fixture!("redirect_p256.txt").trim_end();
    let honest = RedirectMessage::read(query, Request).unwrap();
    for _ in 0..50_000 {
        let mutant = mutant(&random, query.as_bytes());
        let Ok(text) = std::str::from_utf8(&mutant) else { continue };
        let Ok(message) = RedirectMessage::read(text, Request) else { continue };
        if message.verified(&keys).is_ok() {
            assert_eq!((message.xml, message.relay_state), (honest.xml.clone(), honest.relay_state.clone()));
        }
    }
    let deflated = deflate(&XML.repeat(20)).unwrap();
    for _ in 0..50_000 {
        assert!(inflate(&mutant(&random, &deflated)).map_or(0, |xml| xml.len()) <= MAX_INFLATED);
    }
}
