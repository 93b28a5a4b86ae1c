#![allow(clippy::unwrap_used)]

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    VerificationAlgorithm,
};

use super::*;
use crate::foundation::random::Random;
use crate::protocol::saml::fixtures::{P256, P384, RSA_2048, decrypting, der, fixture, mutant, signing};
use crate::protocol::saml::keys::EncryptingKey;

const RSA: &str = fixture!("rsa2048.crt");
const FROM: Moment = Moment::from_seconds(1_767_323_045);
const UNTIL: Moment = Moment::from_seconds(2_682_936_245);

#[test]
fn a_certificate_is_read_from_der_base64_and_pem() {
    let bytes = der(RSA);
    let certificate = Certificate::from_der(&bytes).unwrap();
    assert_eq!(certificate.subject(), "O=Con, CN=idp.con.test");
    assert_eq!(certificate.not_before(), Moment::parse_rfc3339("2026-11-21T22:08:13Z").unwrap());
    assert_eq!(certificate.not_after(), Moment::parse_rfc3339("2036-11-18T22:08:13Z").unwrap());
    assert_eq!(certificate.fingerprint()[..4], [0x90, 0x66, 0xb3, 0xd0]);
    assert_eq!(certificate.verifying_key(), signing(RSA_2048).verifying_key());
    let pem = certificate.pem();
    let crowded = format!("\r\n  {}\t\n", certificate.base64());
    for text in
        [RSA, &pem, &pem.replace('\n', "\r\n"), &format!("\n{pem}\n\n"), &certificate.base64(), &crowded]
    {
        assert_eq!(Certificate::from_base64(text).as_ref(), Ok(&certificate));
        assert_eq!(Certificate::read(text.as_bytes()).as_ref(), Ok(&certificate));
    }
    assert_eq!(Certificate::read(&bytes).unwrap().der(), bytes);
}

#[test]
fn h16_a_certificate_with_a_weak_or_foreign_key_is_refused_by_name() {
    assert_eq!(Certificate::from_base64(fixture!("rsa1024.crt")), Err(KeyError::Weak(1024)));
    assert_eq!(Certificate::from_base64(fixture!("rsa2048_e3.crt")), Err(KeyError::Exponent));
    assert_eq!(Certificate::from_base64(fixture!("p521.crt")), Err(KeyError::Kind));
    assert_eq!(Certificate::from_base64(fixture!("ed25519.crt")), Err(KeyError::Kind));
    for (text, kind) in [(fixture!("p256.crt"), "P-256"), (fixture!("p384.crt"), "P-384")] {
        let certificate = Certificate::from_base64(text).unwrap();
        assert_eq!(certificate.verifying_key().kind(), kind);
        assert_eq!(EncryptingKey::from_certificate(&certificate).unwrap_err(), KeyError::NotRsa);
    }
}

#[test]
fn nothing_but_one_certificate_is_read() {
    let bytes = der(RSA);
    let pem = Certificate::from_der(&bytes).unwrap().pem();
    assert_eq!(Certificate::from_der(&[&bytes[..], &[0]].concat()), Err(KeyError::Trailing));
    assert_eq!(Certificate::from_base64(&format!("{pem}{pem}")), Err(KeyError::Trailing));
    assert_eq!(Certificate::from_base64(&format!("{pem}x")), Err(KeyError::Trailing));
    assert_eq!(Certificate::from_der(&vec![0x30; Certificate::MAX_BYTES + 1]), Err(KeyError::TooLarge));
    assert_eq!(
        Certificate::from_base64(&"A".repeat(2 * Certificate::MAX_BYTES + 1)),
        Err(KeyError::TooLarge)
    );
    let open = pem.replace(END, "");
    let private = pem.replace("CERTIFICATE", "PRIVATE KEY");
    for text in ["", " ", "x", "MIIC", "-----BEGIN CERTIFICATE-----", &open, &private, &format!("x{pem}")] {
        assert_eq!(Certificate::from_base64(text), Err(KeyError::Certificate), "{text}");
    }
    assert_eq!(Certificate::read(b"\xff\xfe"), Err(KeyError::Certificate));
}

fn assert_signed(certificate: &X509Certificate<'_>, algorithm: &'static dyn VerificationAlgorithm) {
    let key = ParsedPublicKey::new(algorithm, certificate.public_key().raw).unwrap();
    key.verify_sig(certificate.tbs_certificate.as_ref(), &certificate.signature_value.data).unwrap();
}

#[test]
fn a_certificate_of_our_own_says_what_it_was_told() {
    let algorithms: [(&str, &'static dyn VerificationAlgorithm); 3] = [
        (RSA_2048, &RSA_PKCS1_2048_8192_SHA256),
        (P256, &ECDSA_P256_SHA256_ASN1),
        (P384, &ECDSA_P384_SHA384_ASN1),
    ];
    for (key, algorithm) in algorithms {
        let key = signing(key);
        let made = self_signed(&key, "Behalf", FROM, UNTIL, &[0x80, 1, 2]).unwrap();
        assert_eq!((made.not_before(), made.not_after()), (FROM, UNTIL));
        assert_eq!((made.subject(), made.verifying_key()), ("CN=Behalf", key.verifying_key()));
        let (_, parsed) = X509Certificate::from_der(made.der()).unwrap();
        assert_eq!(parsed.raw_serial(), [0, 0x80, 1, 2]);
        assert!(parsed.key_usage().unwrap().unwrap().value.digital_signature());
        assert_signed(&parsed, algorithm);
    }
    let key = decrypting(RSA_2048);
    let made = self_signed(&key, "Behalf", FROM, UNTIL, &[1]).unwrap();
    let (_, parsed) = X509Certificate::from_der(made.der()).unwrap();
    assert!(parsed.key_usage().unwrap().unwrap().value.key_encipherment());
    assert_signed(&parsed, &RSA_PKCS1_2048_8192_SHA256);
    assert_eq!(made, self_signed(&key, "Behalf", FROM, UNTIL, &[1]).unwrap());
    assert!(EncryptingKey::from_certificate(&made).is_ok());
}

#[test]
fn a_certificate_is_not_made_of_impossible_inputs() {
    let key = signing(P256);
    let far = Moment::from_seconds(253_402_300_800);
    for (name, from, until, serial) in [
        ("", FROM, UNTIL, [1].as_slice()),
        (&"x".repeat(65), FROM, UNTIL, &[1]),
        ("Behalf", UNTIL, FROM, &[1]),
        ("Behalf", FROM, FROM, &[1]),
        ("Behalf", Moment::from_seconds(-1), UNTIL, &[1]),
        ("Behalf", FROM, far, &[1]),
        ("Behalf", FROM, Moment::from_millis(i64::MAX), &[1]),
        ("Behalf", FROM, UNTIL, &[]),
        ("Behalf", FROM, UNTIL, &[0, 0]),
        ("Behalf", FROM, UNTIL, &[1; 20]),
    ] {
        assert_eq!(self_signed(&key, name, from, until, serial), Err(KeyError::Inputs));
    }
    let last = Moment::from_seconds(253_402_300_799);
    assert_eq!(self_signed(&key, "B", FROM, last, &[1; 19]).unwrap().not_after(), last);
}

#[test]
fn h16_no_mutant_of_a_certificate_does_harm() {
    let random = Random::sequence(16);
    for bytes in [der(RSA), der(fixture!("p256.crt"))] {
        for _ in 0..10_000 {
            if let Ok(certificate) = Certificate::from_der(&mutant(&random, &bytes)) {
                let (method, key) = (SignatureMethod::RsaSha256, certificate.verifying_key());
                assert!(!key.verify(method, &method.digest().digest(b""), &[0; 256]));
            }
        }
    }
}
