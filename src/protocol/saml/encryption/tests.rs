#![allow(clippy::unwrap_used)]

use aws_lc_rs::{aead, cipher};

use super::open::{open_cbc, open_gcm};
use super::seal::{seal_cbc, seal_gcm, written};
use super::*;
use crate::foundation::random::Random;
use crate::protocol::saml::fixtures::{OTHER_2048, RSA_2048, decrypting, fixture, mutant};
use crate::protocol::saml::keys::DecryptingKey;
use crate::protocol::saml::xml::{Document, Limits};

const PLAIN: &[u8] =
    br#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1">ann@a.test</saml:Assertion>"#;
const GCM_256: &str = "http://www.w3.org/2009/xmlenc11#aes256-gcm";

fn wrapped(inner: &str) -> String {
    format!(
        "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{inner}</saml:EncryptedAssertion>"
    )
}

fn opened(xml: &str, keys: &[&DecryptingKey], ciphers: Ciphers) -> Result<Vec<u8>, Undecryptable> {
    decrypt(Document::parse(xml.as_bytes(), &Limits::MESSAGE).unwrap().root(), keys, ciphers)
}

fn unsupported(xml: &str) -> Option<Unsupported> {
    // No key is handed in, so none can have been used.
    match opened(xml, &[], Ciphers::Gcm) {
        Err(Undecryptable::Unsupported(reason)) => Some(reason),
        _ => None,
    }
}

fn sealed(cipher: Cipher, oaep: Oaep) -> String {
    let random = Random::sequence(7);
    wrapped(&encrypt(PLAIN, decrypting(RSA_2048).encrypting_key(), cipher, oaep, &random).unwrap())
}

/// A message with this content and this content key.
fn made_of(cipher: Cipher, content: &[u8], content_key: &[u8]) -> String {
    let key = decrypting(RSA_2048);
    let encrypted_key = key.encrypting_key().encrypt(Oaep::Sha256.algorithm(), content_key).unwrap();
    wrapped(&written(cipher, content, Oaep::Sha256, &encrypted_key))
}

#[test]
fn h12_what_others_encrypted_is_opened() {
    let key = decrypting(RSA_2048);
    for xml in [
        fixture!("openssl_sha256_cbc256.xml"),
        fixture!("openssl_mgf1p_cbc128.xml"),
        fixture!("openssl_sha384_cbc192.xml"),
        fixture!("xmlsec1_aes256_cbc.xml"),
    ] {
        assert_eq!(opened(xml.trim_end(), &[&key], Ciphers::GcmAndCbc).unwrap(), PLAIN);
        assert_eq!(unsupported(xml.trim_end()), Some(Unsupported::Cbc));
    }
    for xml in [
        fixture!("python_mgf1p_gcm128.xml"),
        fixture!("python_sha384_gcm192.xml"),
        fixture!("python_sha512_gcm256.xml"),
        fixture!("xmlsec1_aes128_gcm.xml"),
    ] {
        assert_eq!(opened(xml.trim_end(), &[&key], Ciphers::Gcm).unwrap(), PLAIN);
    }
}

#[test]
fn h12_every_cipher_goes_with_every_way_to_encrypt_its_key() {
    let key = decrypting(RSA_2048);
    for cipher in Cipher::ALL {
        for oaep in Oaep::ALL {
            let xml = sealed(cipher, oaep);
            assert_eq!(opened(&xml, &[&key], Ciphers::GcmAndCbc).unwrap(), PLAIN, "{cipher:?} {oaep:?}");
            let alone = opened(&xml, &[&key], Ciphers::Gcm);
            match cipher {
                Cipher::Aes128Gcm | Cipher::Aes192Gcm | Cipher::Aes256Gcm => {
                    assert_eq!(alone.unwrap(), PLAIN)
                }
                _ => assert_eq!(alone, Err(Unsupported::Cbc.into())),
            }
        }
    }
}

#[test]
fn c10_anybody_can_encrypt_so_what_is_opened_is_only_bytes() {
    // There is no `Verified` here: the type of the answer is what keeps encryption from being taken for a signature.
    let forged = wrapped(
        &encrypt(
            b"<forged/>",
            decrypting(RSA_2048).encrypting_key(),
            Cipher::Aes256Gcm,
            Oaep::Sha256,
            &Random::sequence(1),
        )
        .unwrap(),
    );
    let bytes: Vec<u8> = opened(&forged, &[&decrypting(RSA_2048)], Ciphers::Gcm).unwrap();
    assert_eq!(bytes, b"<forged/>");
}

#[test]
fn h12_unsafe_algorithms_are_refused_by_name_before_any_key_is_used() {
    let xml = sealed(Cipher::Aes256Gcm, Oaep::Sha256);
    let digest = "http://www.w3.org/2001/04/xmlenc#sha256";
    let mask = "http://www.w3.org/2009/xmlenc11#mgf1sha256";
    let oaep = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
    for (from, to, reason) in [
        (oaep, "http://www.w3.org/2001/04/xmlenc#rsa-1_5", Unsupported::Rsa15),
        (oaep, "http://www.w3.org/2001/04/xmlenc#kw-aes128", Unsupported::KeyTransport),
        (oaep, "http://www.w3.org/2009/xmlenc11#RSA-OAEP", Unsupported::KeyTransport),
        (oaep, "", Unsupported::KeyTransport),
        (GCM_256, "http://www.w3.org/2001/04/xmlenc#tripledes-cbc", Unsupported::TripleDes),
        (GCM_256, "http://www.w3.org/2001/04/xmlenc#aes256-cbc", Unsupported::Cbc),
        (GCM_256, "http://www.w3.org/2001/04/xmlenc#kw-aes256", Unsupported::Content),
        (GCM_256, "", Unsupported::Content),
        (digest, "http://www.w3.org/2000/09/xmldsig#sha1", Unsupported::UnequalDigests),
        (mask, "http://www.w3.org/2009/xmlenc11#mgf1sha1", Unsupported::UnequalDigests),
        (oaep, "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", Unsupported::UnequalDigests),
        (digest, "http://www.w3.org/2001/04/xmldsig-more#md5", Unsupported::Digest),
        (mask, "http://www.w3.org/2009/xmlenc11#mgf1sha224", Unsupported::Digest),
        ("ds:DigestMethod", "ds:Digest", Unsupported::Parameters),
    ] {
        assert!(xml.contains(from));
        assert_eq!(unsupported(&xml.replace(from, to)), Some(reason), "{from} -> {to}");
    }
    let label = "<xenc:OAEPparams>9lWu3Q==</xenc:OAEPparams></xenc:EncryptionMethod>";
    assert_eq!(unsupported(&xml.replace("</xenc:EncryptionMethod>", label)), Some(Unsupported::Parameters));
    let unequal = fixture!("python_mgf1p_digest_sha256.xml");
    assert_eq!(unsupported(unequal.trim_end()), Some(Unsupported::UnequalDigests));
}

#[test]
fn h12_a_missing_digest_is_sha1_as_the_specification_has_it() {
    let xml = sealed(Cipher::Aes256Gcm, Oaep::Sha1);
    let start = xml.find("<ds:DigestMethod").unwrap();
    let end = xml[start..].find("</xenc:EncryptionMethod>").unwrap() + start;
    let bare = [&xml[..start], &xml[end..]].concat();
    let older = bare.replace("http://www.w3.org/2009/xmlenc11#rsa-oaep", Oaep::Mgf1p.uri());
    for xml in [bare, older] {
        assert_eq!(opened(&xml, &[&decrypting(RSA_2048)], Ciphers::Gcm).unwrap(), PLAIN);
    }
}

#[test]
fn h12_the_size_of_the_key_may_be_said_again_but_not_otherwise() {
    let xml = sealed(Cipher::Aes256Gcm, Oaep::Sha256);
    let bare = format!("<xenc:EncryptionMethod Algorithm=\"{GCM_256}\"/>");
    let sized = |bits: &str| {
        let size = format!("<xenc:KeySize>{bits}</xenc:KeySize></xenc:EncryptionMethod>");
        xml.replace(&bare, &(bare.replace("/>", ">") + &size))
    };
    assert_eq!(opened(&sized("256"), &[&decrypting(RSA_2048)], Ciphers::Gcm).unwrap(), PLAIN);
    assert_eq!(unsupported(&sized("128")), Some(Unsupported::Parameters));
}

#[test]
fn h12_whatever_fails_once_a_key_is_used_fails_the_same_way() {
    let (key, other) = (decrypting(RSA_2048), decrypting(OTHER_2048));
    let random = Random::sequence(12);
    let content_key: [u8; 32] = random.bytes();
    let gcm = seal_gcm(&aead::AES_256_GCM, &content_key, PLAIN, &random).unwrap();
    let cbc = seal_cbc(&cipher::AES_256, &content_key, PLAIN, &random).unwrap();
    let (by_gcm, by_cbc) = (Cipher::Aes256Gcm, Cipher::Aes256Cbc);
    let oaep = |bytes: &[u8]| wrapped(&written(by_gcm, &gcm, Oaep::Sha256, bytes));
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x80;
        bytes
    };
    let genuine = made_of(by_gcm, &gcm, &content_key);
    assert_eq!(opened(&genuine, &[&key], Ciphers::GcmAndCbc).unwrap(), PLAIN);
    assert_eq!(opened(&genuine, &[&other], Ciphers::GcmAndCbc), Err(Undecryptable::Failed));
    assert_eq!(opened(&genuine, &[], Ciphers::GcmAndCbc), Err(Undecryptable::Failed));
    let whole_key = key.encrypting_key().encrypt(Oaep::Sha512.algorithm(), &content_key).unwrap();
    for (what, xml) in [
        ("another digest", oaep(&whole_key)),
        ("zeros", oaep(&[0; 256])),
        ("beyond the modulus", oaep(&[0xff; 256])),
        ("a short key", oaep(&[7; 255])),
        ("a long key", oaep(&[7; 257])),
        ("no key", oaep(&[])),
        ("a content key of 16 bytes", made_of(by_gcm, &gcm, &content_key[..16])),
        ("a content key of no bytes", made_of(by_gcm, &gcm, &[])),
        ("another content key", made_of(by_gcm, &gcm, &[1; 32])),
        ("another nonce", made_of(by_gcm, &flipped(&gcm, 0), &content_key)),
        ("another text", made_of(by_gcm, &flipped(&gcm, 20), &content_key)),
        ("another tag", made_of(by_gcm, &flipped(&gcm, gcm.len() - 1), &content_key)),
        ("three bytes by GCM", made_of(by_gcm, &[1, 2, 3], &content_key)),
        ("less than a tag", made_of(by_gcm, &gcm[..27], &content_key)),
        ("nothing by GCM", made_of(by_gcm, &[], &content_key)),
        ("three bytes by CBC", made_of(by_cbc, &[1, 2, 3], &content_key)),
        ("an IV alone", made_of(by_cbc, &cbc[..16], &content_key)),
        ("half a block", made_of(by_cbc, &cbc[..40], &content_key)),
        ("nothing by CBC", made_of(by_cbc, &[], &content_key)),
        ("bad padding", made_of(by_cbc, &flipped(&cbc, cbc.len() - 17), &content_key)),
    ] {
        assert_eq!(opened(&xml, &[&key], Ciphers::GcmAndCbc), Err(Undecryptable::Failed), "{what}");
    }
}

#[test]
fn h12_padding_is_one_to_sixteen_bytes_of_anything() {
    let random = Random::sequence(2);
    let key = [5; 16];
    for length in 0..=48 {
        let sealed = seal_cbc(&cipher::AES_128, &key, &PLAIN[..length], &random).unwrap();
        assert_eq!(sealed.len() % 16, 0);
        assert_eq!(open_cbc(&cipher::AES_128, &key, sealed).unwrap(), &PLAIN[..length]);
    }
    // The last byte of the first block turns the last byte of the second into any other.
    let sealed = seal_cbc(&cipher::AES_128, &key, &PLAIN[..31], &random).unwrap();
    for last in 0..=u8::MAX {
        let mut sealed = sealed.clone();
        sealed[31] ^= 1 ^ last;
        let length = open_cbc(&cipher::AES_128, &key, sealed).map(|plain| plain.len());
        assert_eq!(length, (1..=16).contains(&last).then(|| 32 - usize::from(last)));
    }
}

#[test]
fn h12_an_old_key_still_opens_while_it_is_replaced() {
    let (key, other) = (decrypting(RSA_2048), decrypting(OTHER_2048));
    let xml = sealed(Cipher::Aes256Gcm, Oaep::Sha256);
    for keys in [&[&key, &other][..], &[&other, &key], &[&other, &other, &other, &key]] {
        assert_eq!(opened(&xml, keys, Ciphers::Gcm).unwrap(), PLAIN);
    }
    let crowd = [&other, &other, &other, &other, &key];
    assert_eq!(opened(&xml, &crowd, Ciphers::Gcm), Err(Undecryptable::Failed));
}

#[test]
fn h12_one_of_up_to_four_encrypted_keys_is_ours_wherever_it_stands() {
    let key = decrypting(RSA_2048);
    let xml = sealed(Cipher::Aes256Gcm, Oaep::Sha256);
    let foreign = encrypt(
        b"",
        decrypting(OTHER_2048).encrypting_key(),
        Cipher::Aes256Gcm,
        Oaep::Mgf1p,
        &Random::System,
    );
    let foreign = element(&foreign.unwrap(), "xenc:EncryptedKey");
    let declared = foreign.replace(
        "<xenc:EncryptedKey>",
        &format!("<xenc:EncryptedKey xmlns:xenc=\"{XENC}\" xmlns:ds=\"{DSIG}\">"),
    );
    let ours = element(&xml, "xenc:EncryptedKey");
    let inside = |many: usize| xml.replace(&ours, &(foreign.repeat(many) + &ours));
    let beside = |many: usize| xml.replace("</saml:", &(declared.repeat(many) + "</saml:"));
    for many in 0..=3 {
        assert_eq!(opened(&inside(many), &[&key], Ciphers::Gcm).unwrap(), PLAIN);
        assert_eq!(opened(&beside(many), &[&key], Ciphers::Gcm).unwrap(), PLAIN);
    }
    for xml in [inside(4), beside(4), xml.replace(&ours, "")] {
        assert!(matches!(opened(&xml, &[&key], Ciphers::Gcm), Err(Undecryptable::Malformed(_))));
    }
}

fn element(xml: &str, name: &str) -> String {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let from = xml.find(&start).unwrap();
    xml[from..xml.find(&end).unwrap() + end.len()].to_owned()
}

#[test]
fn h12_elements_that_do_not_belong_there_are_refused() {
    let key = decrypting(RSA_2048);
    let xml = sealed(Cipher::Aes256Gcm, Oaep::Sha256);
    let data = element(&xml.replace(" xmlns:xenc", "><x xmlns:xenc"), "xenc:EncryptedData");
    assert!(data.starts_with("<xenc:EncryptedData>"));
    let twice =
        wrapped(&xml[xml.find("<xenc:EncryptedData").unwrap()..xml.find("</saml:").unwrap()].repeat(2));
    for wrong in [
        twice,
        wrapped(""),
        xml.replace("</saml:", "<evil/></saml:"),
        xml.replace("#Element", "#Content"),
        xml.replace("xenc:CipherValue", "xenc:CipherReference"),
        xml.replace("<xenc:CipherValue>", "<xenc:CipherValue><evil/>"),
        xml.replace("<xenc:CipherValue>", "<xenc:CipherValue>*"),
        xml.replace("xenc:CipherData", "xenc:Cipher"),
        xml.replace("<xenc:CipherData>", "<xenc:CipherData/><xenc:CipherData>"),
        xml.replace("/2001/04/xmlenc#\"", "/2001/04/xmlenc\""),
    ] {
        let found = opened(&wrong, &[&key], Ciphers::Gcm);
        assert!(matches!(found, Err(Undecryptable::Malformed(_))), "{found:?} {wrong}");
    }
}

#[test]
fn h12_no_mutant_of_what_is_encrypted_does_harm() {
    let random = Random::sequence(3);
    let key = [9; 32];
    let gcm = seal_gcm(&aead::AES_256_GCM, &key, PLAIN, &random).unwrap();
    let cbc = seal_cbc(&cipher::AES_256, &key, PLAIN, &random).unwrap();
    for _ in 0..50_000 {
        let changed = mutant(&random, &gcm);
        let same = changed == gcm;
        assert_eq!(open_gcm(&aead::AES_256_GCM, &key, changed).is_some(), same);
        if let Some(plain) = open_cbc(&cipher::AES_256, &key, mutant(&random, &cbc)) {
            assert!(plain.len() < cbc.len());
        }
    }
    let ours = decrypting(RSA_2048);
    let xml = sealed(Cipher::Aes256Gcm, Oaep::Sha256);
    for _ in 0..2_000 {
        let changed = mutant(&random, xml.as_bytes());
        let Ok(document) = Document::parse(&changed, &Limits::MESSAGE) else { continue };
        if let Ok(plain) = decrypt(document.root(), &[&ours], Ciphers::GcmAndCbc) {
            assert_eq!(plain, PLAIN);
        }
    }
}
