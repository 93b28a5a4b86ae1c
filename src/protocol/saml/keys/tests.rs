#![allow(clippy::unwrap_used)]

use SignatureMethod::{EcdsaSha256, EcdsaSha384, EcdsaSha512, RsaSha256, RsaSha384, RsaSha512};

use super::*;
use crate::protocol::saml::fixtures::{OTHER_2048, P256, P384, RSA_2048, der, fixture, signing};

const METHODS: [SignatureMethod; 6] =
    [RsaSha256, RsaSha384, RsaSha512, EcdsaSha256, EcdsaSha384, EcdsaSha512];

fn verify(key: &VerifyingKey, method: SignatureMethod, message: &[u8], signature: &[u8]) -> bool {
    key.verify(method, &method.digest().digest(message), signature)
}

#[test]
fn h16_a_key_signs_by_the_methods_of_its_kind_and_no_other() {
    let cases: [(&str, &str, &[SignatureMethod]); 3] = [
        (RSA_2048, "RSA 2048", &[RsaSha256, RsaSha384, RsaSha512]),
        (P256, "P-256", &[EcdsaSha256]),
        (P384, "P-384", &[EcdsaSha384]),
    ];
    for (document, kind, methods) in cases {
        let key = signing(document);
        assert_eq!(key.verifying_key().kind(), kind);
        assert_eq!(key.method(), methods[0]);
        for method in METHODS {
            let signature = key.sign(method, b"hello");
            if !methods.contains(&method) {
                assert_eq!(signature, Err(KeyError::Method));
                continue;
            }
            let signature = signature.unwrap();
            let public = VerifyingKey::from_spki(key.verifying_key().spki()).unwrap();
            for tried in METHODS {
                assert_eq!(verify(&public, tried, b"hello", &signature), tried == method);
            }
            assert!(!verify(&public, method, b"hullo", &signature));
            for at in [0, signature.len() / 2, signature.len() - 1] {
                let mut changed = signature.clone();
                changed[at] ^= 1;
                assert!(!verify(&public, method, b"hello", &changed));
            }
            for length in [0, 1, signature.len() - 1] {
                assert!(!verify(&public, method, b"hello", &signature[..length]));
            }
            assert!(!verify(&public, method, b"hello", &[signature.as_slice(), &[0]].concat()));
        }
    }
}

#[test]
fn an_ecdsa_signature_is_two_numbers_of_fixed_length_and_not_asn1() {
    assert_eq!(signing(P256).sign(EcdsaSha256, b"").unwrap().len(), 64);
    assert_eq!(signing(P384).sign(EcdsaSha384, b"").unwrap().len(), 96);
    assert!(!verify(signing(P256).verifying_key(), EcdsaSha256, b"", &[0; 64]));
    assert!(!verify(signing(P256).verifying_key(), EcdsaSha256, b"", &[0xff; 64]));
}

/// By OpenSSL, over `hello`, as `r ‖ s`: XML Signature binds no digest to a curve.
#[test]
fn h16_an_ecdsa_key_verifies_by_each_digest_that_there_is() {
    for (document, made) in [
        (
            P256,
            [
                (
                    EcdsaSha256,
                    "ASZaUA99ALfGmFWLnJ/8mSrOUIBvYLwAIEDZujSk+BLFRmKQ1P7Y20MXInMzp4Lt97YsgnYB1zWRt1s4E8lT5A==",
                ),
                (
                    EcdsaSha384,
                    "8vABDlQPyL5awjcDSUf9sbldnDyoZ+0SMqh7ht5sivfNszYdzN2SttUXzHCrHIn6EPXQDbQYJrPUXOc9ElTggA==",
                ),
                (
                    EcdsaSha512,
                    "PE29cd6Awn9MGIwsnyQ+yAZGw6qIjJGqQLOQSWR7cBmGv9v3+J0CL1O4OLpPP9Y1sy2bboSCApqiYhV3qQIYbA==",
                ),
            ],
        ),
        (
            P384,
            [
                (
                    EcdsaSha256,
                    "PTERiXLgQ+sLtQrHIK6gRLo+q6hR/hGDUPmAZOGJkWfdeaFhtN+AUpGvXEZSDVnKpLUhJHyZp+OWDgzp5UCQH8lsaTXj\
                     QUHfB1sAabh5Fpj+8Vzt36hQD3gnysnQoqZl",
                ),
                (
                    EcdsaSha384,
                    "YaoMyGRKEnTF6HMC/t8cobEVhoE21RAecGD2UzeDPF5HK6jOSflhy/OOJ6gnktg1V4GO5EdEUxDX8rWdW3pu7JRBVXwe\
                     Q8S8vXSkniWCHEpCKg8YvL649K6QmbOK7vp6",
                ),
                (
                    EcdsaSha512,
                    "R9sonahN+fMLhN8ONPBAbs1hHaPc1PbrhMsX0SkmCi1UaKbJx7HNAzskfA2RkTN1+Pe3ABe7dUPhSgYw0N3+HpdamTng\
                     DIK1ohfdgdDJzVOZCA+Jr1AaOjwQec/XbSL8",
                ),
            ],
        ),
    ] {
        let key = signing(document).verifying_key().clone();
        for (method, text) in made {
            let signature = der(text);
            for tried in METHODS {
                assert_eq!(verify(&key, tried, b"hello", &signature), tried == method, "{tried:?}");
            }
            assert!(!verify(&key, method, b"hullo", &signature));
            for at in [0, signature.len() / 2, signature.len() - 1] {
                let mut changed = signature.clone();
                changed[at] ^= 1;
                assert!(!verify(&key, method, b"hello", &changed));
            }
            let (r, s) = signature.split_at(signature.len() / 2);
            let zero = vec![0; r.len()];
            for other in [
                [r, zero.as_slice()].concat(),
                [zero.as_slice(), s].concat(),
                vec![0xff; signature.len()],
                signature[1..].to_vec(),
                [&[0][..], r, &[0], s].concat(),
                as_asn1(&signature, r.len()).unwrap(),
            ] {
                assert!(!verify(&key, method, b"hello", &other), "{method:?}");
            }
        }
    }
}

#[test]
fn h16_numbers_become_asn1_as_it_writes_them() {
    assert_eq!(as_asn1(&[0, 1, 0x80, 2], 2).unwrap(), [0x30, 8, 2, 1, 1, 2, 3, 0, 0x80, 2]);
    assert_eq!(as_asn1(&[0xff; 96], 48).unwrap().len(), 2 + 2 * (2 + 49));
    let others: [&[u8]; 5] = [&[0, 0, 1, 1], &[1, 1, 0, 0], &[1, 1, 1], &[1, 1, 1, 1, 1], &[]];
    for signature in others {
        assert_eq!(as_asn1(signature, 2), None);
    }
}

#[test]
fn a_key_comes_back_from_its_document_and_is_not_printed() {
    fn shared<T: Send + Sync>(_: &T) {}
    for document in [RSA_2048, P256, P384] {
        let key = signing(document);
        shared(&key);
        let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
        assert_eq!(again.verifying_key(), key.verifying_key());
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.verifying_key().kind()));
    }
    let key = DecryptingKey::from_pkcs8(&der(RSA_2048)).unwrap();
    shared(&key);
    let again = DecryptingKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
    assert_eq!(*again.to_pkcs8().unwrap(), *key.to_pkcs8().unwrap());
    assert_eq!(
        format!("{key:?} {:?}", key.encrypting_key()),
        "DecryptingKey(RSA 2048) EncryptingKey(RSA 2048)"
    );
    assert_ne!(signing(RSA_2048).verifying_key(), signing(OTHER_2048).verifying_key());
}

#[test]
fn h16_weak_and_foreign_private_keys_are_refused() {
    for document in [fixture!("rsa1024.key"), fixture!("p521.key"), fixture!("ed25519.key")] {
        assert!(SigningKey::from_pkcs8(&der(document)).is_err());
        assert!(DecryptingKey::from_pkcs8(&der(document)).is_err());
    }
    assert_eq!(DecryptingKey::from_pkcs8(&der(P256)).unwrap_err(), KeyError::Private);
    assert_eq!(DecryptingKey::generate(KeyKind::P256).unwrap_err(), KeyError::NotRsa);
    for document in [RSA_2048, P256, P384] {
        let der = der(document);
        for length in [0, 1, 2, 20, der.len() - 1] {
            assert_eq!(SigningKey::from_pkcs8(&der[..length]).unwrap_err(), KeyError::Private);
        }
    }
}

#[test]
fn h16_a_public_key_is_exactly_a_strong_one() {
    let spki = signing(P256).verifying_key().spki().to_vec();
    assert_eq!(VerifyingKey::from_spki(&[&spki[..], &[0]].concat()), Err(KeyError::Trailing));
    assert_eq!(VerifyingKey::from_spki(&spki[..spki.len() - 1]), Err(KeyError::Public));
    assert_eq!(VerifyingKey::from_spki(b""), Err(KeyError::Public));
    // A point that is not on the curve.
    let mut off = spki.clone();
    *off.last_mut().unwrap() ^= 1;
    assert_eq!(VerifyingKey::from_spki(&off), Err(KeyError::Public));
    // A key of RSA-PSS (RFC 4055) says that it makes no PKCS#1 1.5 signatures.
    let mut pss = signing(RSA_2048).verifying_key().spki().to_vec();
    let oid = pss.windows(9).position(|at| at == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]).unwrap();
    pss[oid + 8] = 10;
    assert_eq!(VerifyingKey::from_spki(&pss), Err(KeyError::Kind));
}

#[test]
fn h16_an_rsa_key_whose_signatures_anybody_can_make_is_refused() {
    let spki = signing(RSA_2048).verifying_key().spki().to_vec();
    let (head, exponent) = spki.split_at(spki.len() - 5);
    assert_eq!(exponent, [2, 3, 1, 0, 1]);
    let even = [head, &[2, 3, 1, 0, 0]].concat();
    assert_eq!(VerifyingKey::from_spki(&even), Err(KeyError::Exponent));
    // To raise to the power of one leaves the padded digest as it is, and to that of three often little more. The outer
    // lengths shrink by two.
    for small in [1, 3, 17] {
        let mut weak = [head, &[2, 1, small]].concat();
        for length in [3, 22, 27] {
            weak[length] -= 2;
        }
        assert_eq!(VerifyingKey::from_spki(&weak), Err(KeyError::Exponent), "{small}");
    }
}

#[test]
fn new_keys_are_of_the_kind_that_was_asked_for() {
    for (kind, name) in [(KeyKind::P256, "P-256"), (KeyKind::P384, "P-384"), (KeyKind::Rsa2048, "RSA 2048")] {
        assert_eq!(SigningKey::generate(kind).unwrap().verifying_key().kind(), name);
    }
}
