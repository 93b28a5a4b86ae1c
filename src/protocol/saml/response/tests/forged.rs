//! What an attacker makes of a genuine response (threats C04, C05, C07, C09, C10, H16).

use super::*;
use crate::foundation::random::Random;
use crate::protocol::saml::signature::sign_enveloped;

const EVIL: &str = "bob@b.test";

/// A genuine response, taken apart.
struct Pieces {
    xml: String,
    /// The assertion as it stands, encrypted or not.
    assertion: String,
    /// Somebody else's, in place of it.
    evil: String,
    /// The first signature in plain sight.
    signature: String,
}

fn genuine(assertion_signed: bool, response_signed: bool, encrypted: bool) -> Pieces {
    let sign = sign(assertion_signed, response_signed);
    let encrypt = encrypted.then(|| encrypt(Cipher::Aes256Gcm));
    let xml = response(assertion()).write(&sign, encrypt.as_ref()).unwrap();
    let unsigned = Sign { assertion: false, response: false, ..sign };
    let evil_name = NameId::new(EVIL, name_id::EMAIL_ADDRESS);
    let evil_name: &'static NameId = Box::leak(Box::new(evil_name));
    let evil = AssertionDraft { id: "_evil", name_id: evil_name, ..assertion() };
    let evil = evil.write(&unsigned, encrypt.as_ref()).unwrap();
    let name = if encrypted { "EncryptedAssertion" } else { "Assertion" };
    let assertion = cut(&xml, &format!("<saml:{name}"), &format!("</saml:{name}>")).to_owned();
    let in_sight = xml.contains("<ds:Signature ");
    let signature =
        if in_sight { cut(&xml, "<ds:Signature ", "</ds:Signature>").to_owned() } else { String::new() };
    Pieces { xml, assertion, evil, signature }
}

/// XSW 1 to 8 (Somorovsky and others, "On Breaking SAML", 2012), as far as each applies.
fn wrapped(pieces: &Pieces) -> Vec<String> {
    let Pieces { xml, assertion, evil, signature } = pieces;
    let bare = assertion.replace(signature.as_str(), "");
    let evil_response = xml.replace("ID=\"_r1\"", "ID=\"_evil_r\"").replace(assertion, evil);
    let evil_bare = evil_response.replace(signature.as_str(), "");
    let object = |inner: &str| format!("<ds:Object xmlns:ds=\"{}\">{inner}</ds:Object>", DS);
    let in_signature = |inner: &str| signature.replace("</ds:Signature>", &format!("{inner}</ds:Signature>"));
    let signed_evil = |signature: &str| {
        let issuer = format!("<saml:Issuer>{IDP}</saml:Issuer>");
        evil.replacen(&issuer, &format!("{issuer}{signature}"), 1)
    };
    let close = "</samlp:Response>";
    let genuine_bare = xml.replace(signature.as_str(), "");
    vec![
        evil_bare.replace(close, &format!("{}{close}", in_signature(&genuine_bare))),
        evil_bare.replace(close, &format!("{genuine_bare}{signature}{close}")),
        xml.replace(assertion, &format!("{evil}{assertion}")),
        xml.replace(assertion, &evil.replace("</saml:Subject>", &format!("</saml:Subject>{assertion}"))),
        xml.replace(assertion, &format!("{}{bare}", signed_evil(signature))),
        xml.replace(assertion, &signed_evil(&in_signature(&bare))),
        xml.replace(assertion, &format!("<samlp:Extensions>{evil}</samlp:Extensions>{assertion}")),
        xml.replace(assertion, &signed_evil(&in_signature(&object(&bare)))),
    ]
}

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

#[test]
fn c04_no_wrapping_brings_anybody_in() {
    for encrypted in [false, true] {
        let wanted = if encrypted { expected_encrypted() } else { expected() };
        for (assertion_signed, response_signed) in SHAPES {
            let pieces = genuine(assertion_signed, response_signed, encrypted);
            assert!(read(pieces.xml.as_bytes(), &wanted).is_ok());
            for (index, xml) in wrapped(&pieces).iter().enumerate() {
                if *xml == pieces.xml {
                    continue;
                }
                let outcome = read(xml.as_bytes(), &wanted);
                assert!(
                    outcome.is_err(),
                    "XSW{} {assertion_signed} {response_signed}: {outcome:?}",
                    index + 1
                );
            }
        }
    }
}

/// Whatever is done to the bytes, what is read is what the provider signed.
#[test]
fn c06_no_mutant_says_anything_new() {
    let random = Random::sequence(4);
    let pick = |below: usize| usize::try_from(u32::from_le_bytes(random.bytes())).unwrap() % below;
    for (assertion_signed, response_signed) in SHAPES {
        let xml = genuine(assertion_signed, response_signed, false).xml.into_bytes();
        let sound = read(&xml, &expected()).unwrap();
        for _ in 0..500 {
            let mut mutant = xml.clone();
            let (at, length) = (pick(xml.len()), pick(40));
            let piece = mutant[at..(at + length).min(xml.len())].to_vec();
            let to = pick(xml.len());
            match pick(4) {
                0 => mutant[at] = random.bytes::<1>()[0],
                1 => drop(mutant.drain(at..(at + length).min(xml.len()))),
                2 => drop(mutant.splice(to..to, piece)),
                _ => mutant.insert(at, b"<>&\"' \0\n"[pick(8)]),
            }
            if let Ok(read) = read(&mutant, &expected()) {
                assert_eq!(read, sound);
            }
        }
    }
}

#[test]
fn c04_a_second_assertion_is_refused_wherever_it_is() {
    let Pieces { xml, assertion, evil, .. } = genuine(true, false, false);
    let advice = format!("<saml:Advice>{evil}</saml:Advice>");
    let foreign = evil.replace("saml:Assertion", "x:Assertion");
    let foreign = foreign.replacen("<x:Assertion", "<x:Assertion xmlns:x=\"urn:x\"", 1);
    for xml in [
        xml.replace(&assertion, &format!("{assertion}{evil}")),
        xml.replace(&assertion, &format!("{assertion}{assertion}")),
        xml.replace(&assertion, &format!("{assertion}{foreign}")),
        xml.replace(&assertion, &format!("{foreign}{assertion}")),
        xml.replace("<samlp:Status>", &format!("<samlp:Extensions>{evil}</samlp:Extensions><samlp:Status>")),
        xml.replace(
            "</samlp:Status>",
            &format!("<samlp:StatusDetail>{evil}</samlp:StatusDetail></samlp:Status>"),
        ),
        xml.replace("<saml:AuthnStatement", &format!("{advice}<saml:AuthnStatement")),
    ] {
        assert_eq!(refused(&xml, &expected()), Check::Structure);
    }
    // As the provider signed it: still more than this profile has.
    let signed = signed_after(
        |xml| xml.replace("<saml:AuthnStatement", &format!("{advice}<saml:AuthnStatement")),
        true,
        true,
    );
    assert_eq!(refused(&signed, &expected()), Check::Structure);
}

#[test]
fn c04_an_id_is_nobody_elses() {
    let Pieces { xml, .. } = genuine(true, false, false);
    for (to, check) in [
        ("<samlp:Status ID=\"_a1\">", Check::SignatureProfile),
        ("<samlp:Status Id=\"_a1\">", Check::SignatureProfile),
        ("<samlp:Status xml:id=\"_a1\">", Check::Malformed),
    ] {
        assert_eq!(refused(&xml.replace("<samlp:Status>", to), &expected()), check, "{to}");
    }
}

#[test]
fn c05_without_a_signature_that_counts_nothing_is_read() {
    for (assertion_signed, response_signed) in SHAPES {
        let Pieces { xml, signature, .. } = genuine(assertion_signed, response_signed, false);
        let stripped = xml.replace(&signature, "");
        let check = (!(assertion_signed && response_signed)).then_some(Check::SignatureMissing);
        if let Some(check) = check {
            assert_eq!(refused(&stripped, &expected()), check);
        }
        let value = cut(&xml, "<ds:SignatureValue>", "</ds:SignatureValue>").to_owned();
        let empty = xml.replacen(&value, "<ds:SignatureValue></ds:SignatureValue>", 1);
        assert_eq!(refused(&empty, &expected()), Check::SignatureProfile);
        let no_keys = Expected { keys: &[], ..expected() };
        assert_eq!(refused(&xml, &no_keys), Check::NoKey);
        let stranger = Expected { keys: &STRANGER.keys, ..expected() };
        assert_eq!(refused(&xml, &stranger), Check::SignatureInvalid);
        let changed = xml.replace("ann@a.test", EVIL);
        assert_eq!(refused(&changed, &expected()), Check::Digest);
    }
    let unsigned = response(assertion()).write(&sign(false, false), None).unwrap();
    assert_eq!(refused(&unsigned, &expected()), Check::SignatureMissing);
}

#[test]
fn c05_one_bad_signature_spoils_the_other() {
    let plain = response(assertion()).write(&sign(false, false), None).unwrap();
    let by = |xml: &str, id: &str, signer: &Signer| sign_enveloped(xml, id, &signer.key, None).unwrap();
    let bad_inside = by(&by(&plain, "_a1", &STRANGER), "_r1", &PROVIDER);
    assert_eq!(refused(&bad_inside, &expected()), Check::SignatureInvalid);
    let bad_outside = by(&by(&plain, "_a1", &PROVIDER), "_r1", &STRANGER);
    assert_eq!(refused(&bad_outside, &expected()), Check::SignatureInvalid);
    // Called a signature, and not of the namespace.
    let fake = by(&plain, "_r1", &PROVIDER).replacen(
        "<saml:Subject>",
        "<x:Signature xmlns:x=\"urn:x\"/><saml:Subject>",
        1,
    );
    assert!(read(fake.as_bytes(), &expected()).is_err());
}

#[test]
fn c07_comments_and_instructions_are_refused_wherever_they_are() {
    let Pieces { xml, .. } = genuine(true, true, false);
    for odd in ["<!-- -->", "<?x y?>"] {
        for (from, to) in [
            ("ann@a.test</saml:NameID>", format!("ann{odd}@a.test</saml:NameID>")),
            ("</saml:Audience>", format!("{odd}</saml:Audience>")),
            ("</ds:DigestValue>", format!("{odd}</ds:DigestValue>")),
            ("</ds:SignatureValue>", format!("{odd}</ds:SignatureValue>")),
            ("</saml:Issuer>", format!("{odd}</saml:Issuer>")),
        ] {
            assert_eq!(refused(&xml.replacen(from, &to, 1), &expected()), Check::Malformed, "{to}");
        }
        // Even if the provider signs it.
        assert_eq!(refused(&format!("{odd}{xml}"), &expected()), Check::Malformed);
        assert_eq!(refused(&format!("{xml}{odd}"), &expected()), Check::Malformed);
    }
}

#[test]
fn c09_a_key_in_the_message_counts_for_nothing() {
    let by_stranger = Sign {
        key: &STRANGER.key,
        certificate: Some(&STRANGER.certificate),
        assertion: true,
        response: true,
    };
    let xml = response(assertion()).write(&by_stranger, None).unwrap();
    assert!(xml.contains(&STRANGER.certificate.base64()));
    assert_eq!(refused(&xml, &expected()), Check::SignatureInvalid);
    let pretender = xml.replace(&STRANGER.certificate.base64(), &PROVIDER.certificate.base64());
    assert_eq!(refused(&pretender, &expected()), Check::SignatureInvalid);
}

#[test]
fn c10_encryption_proves_nothing() {
    let evil = genuine(false, false, true).evil;
    let unsigned = genuine(false, false, true).xml;
    assert_eq!(refused(&unsigned, &expected_encrypted()), Check::SignatureMissing);
    // Beside what is signed, or in place of it.
    for (assertion_signed, response_signed) in SHAPES {
        let Pieces { xml, assertion, .. } = genuine(assertion_signed, response_signed, true);
        let beside = xml.replace(&assertion, &format!("{assertion}{evil}"));
        assert_eq!(refused(&beside, &expected_encrypted()), Check::Structure);
        let instead = xml.replace(&assertion, &evil);
        let check = if response_signed { Check::Digest } else { Check::SignatureMissing };
        assert_eq!(refused(&instead, &expected_encrypted()), check);
    }
    let Pieces { xml, assertion, .. } = genuine(true, false, false);
    let sibling = xml.replace(&assertion, &format!("{evil}{assertion}"));
    assert_eq!(refused(&sibling, &expected_encrypted()), Check::Structure);
}

#[test]
fn c10_cbc_is_opened_only_where_the_response_is_signed() {
    let by = |assertion_signed, response_signed| {
        let sign = sign(assertion_signed, response_signed);
        response(assertion()).write(&sign, Some(&encrypt(Cipher::Aes256Cbc))).unwrap()
    };
    assert_eq!(refused(&by(true, false), &expected_encrypted()), Check::EncryptionUnsupported);
    assert!(read(by(true, true).as_bytes(), &expected_encrypted()).is_ok());
    assert!(read(by(false, true).as_bytes(), &expected_encrypted()).is_ok());
}

#[test]
fn c10_what_was_decrypted_is_held_against_every_rule() {
    let sealed = |plain: &str, response_signed: bool| {
        let to = encrypt(Cipher::Aes128Gcm);
        let data = encryption::encrypt(plain.as_bytes(), to.key, to.cipher, to.oaep, to.random).unwrap();
        let change = |xml: String| {
            let own = cut(&xml, "<saml:Assertion", "</saml:Assertion>").to_owned();
            xml.replace(&own, &format!("<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{data}</saml:EncryptedAssertion>"))
        };
        signed_after(change, false, response_signed)
    };
    let Pieces { assertion, evil, xml, .. } = genuine(true, false, false);
    let wanted = expected_encrypted();
    assert!(read(sealed(&assertion, false).as_bytes(), &wanted).is_ok());
    for (plain, check) in [
        (assertion.replace("ann@a.test", "ann<!-- -->@a.test"), Check::Undecryptable),
        (format!("<!DOCTYPE x [<!ENTITY e 'e'>]>{assertion}"), Check::Undecryptable),
        (assertion.replace("ann@a.test", EVIL), Check::Digest),
        (
            assertion
                .replace("<saml:Conditions", &format!("<saml:Advice>{evil}</saml:Advice><saml:Conditions")),
            Check::Structure,
        ),
        (xml.clone(), Check::Structure),
        ("junk".to_owned(), Check::Undecryptable),
    ] {
        assert_eq!(refused(&sealed(&plain, false), &wanted), check);
        // Whoever can sign around it is not told what it held.
        let within = if check == Check::Structure { Check::Undecryptable } else { check };
        assert_eq!(refused(&sealed(&plain, true), &wanted), within);
        // By a key that others' messages are encrypted to, too, nobody is told anything (threats H12).
        let shared = Expected { naming: &[], ..wanted };
        for is_response_signed in [false, true] {
            let told = read(sealed(&plain, is_response_signed).as_bytes(), &shared).unwrap_err();
            assert_eq!(told, encryption::Undecryptable::Failed.into());
        }
    }
    let shared = Expected { naming: &[], ..expected_encrypted() };
    for later in [Expected { idp_entity_id: "urn:x", ..shared }, Expected { sp_entity_id: "urn:x", ..shared }]
    {
        let told = read(sealed(&assertion, false).as_bytes(), &later).unwrap_err();
        let is_of_the_response = later.idp_entity_id == "urn:x";
        let wanted = if is_of_the_response { Check::IssuerResponse } else { Check::Undecryptable };
        assert_eq!(told.check, wanted);
    }
    assert!(read(sealed(&assertion, false).as_bytes(), &shared).is_ok());
}

#[test]
fn h16_weak_algorithms_have_no_name_here() {
    let Pieces { xml, .. } = genuine(true, false, false);
    for (from, to) in [
        ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        (
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        ),
        ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2000/09/xmldsig#dsa-sha1"),
        ("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1"),
    ] {
        assert!(xml.contains(from));
        assert_eq!(refused(&xml.replace(from, to), &expected()), Check::SignatureAlgorithm, "{to}");
    }
}
