//! H16: signatures by algorithms that are broken, or were never any. The provider's own key makes those that can be
//! made.

use aws_lc_rs::digest;
use behalf::protocol::saml::keys::Certificate;
use behalf::protocol::saml::signature::SignatureMethod;

use crate::house::broker::{House, Plan};
use crate::house::forgery::{
    BOB, Crafted, ENVELOPED, EXCLUSIVE, Forgery, RawRsa, SHA1, Scene, algorithm, by, canonical_bytes,
    reference, sha256, transforms,
};
use crate::house::surgery::{after, element, swap, value};

/// An RSA key of 1024 bits: modulus, exponent, certificate.
const WEAK: [&str; 3] = [
    "edf117123caf5784125b8253eed12eff589effdf70dbfe448ab35bb95b9675eab34af6445793d17fd4c05aae453038f175f5da5d1d74709571ecb9ca3cbddf3642e9bee64ed48ccba41cf145bd2a7145c81df754d9c671ae9282adda57162b2ac38edcf590fe2efc793a218bc12d09720c51ce276c4fd7a5faa05d8fde342883",
    "557815767a8fed5ac69152563de1ac0512db42440bb12a3b8aaaf496b75c6b8cdbcc607b9a0dc1e22e14ce3ded226e41e5c26326b16ee305fb7f3219800a2004176171cfc5ea010ea7c08abea8c2d893ac81422da1d52c29009ed2fb9238a533458dfc1ecb3b103ee7e752f3d7193d49b9e021d8e37a4ef78eba8883f8e59b99",
    "MIIB/DCCAWWgAwIBAgIUE/vUAmtBPM6lu5VHQnF8O58KpSYwDQYJKoZIhvcNAQELBQAwDzENMAsGA1UEAwwEd2VhazAgFw0yNjExMjEyMjI5NTZaGA8yMTI2MTAyODIyMjk1NlowDzENMAsGA1UEAwwEd2VhazCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEA7fEXEjyvV4QSW4JT7tEu/1ie/99w2/5EirNbuVuWdeqzSvZEV5PRf9TAWq5FMDjxdfXaXR10cJVx7LnKPL3fNkLpvuZO1IzLpBzxRb0qcUXIHfdU2cZxrpKCrdpXFisqw47c9ZD+Lvx5OiGLwS0JcgxRzidsT9el+qBdj940KIMCAwEAAaNTMFEwHQYDVR0OBBYEFOvcwRQw5Jsp/cUYQJhLF1JwdTlcMB8GA1UdIwQYMBaAFOvcwRQw5Jsp/cUYQJhLF1JwdTlcMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADgYEAGjY2usqsU0bigscNiAr33oRNvYE+yhvbB0xzDdR4OV98wR8ADpDhjH649SpJWAYGkjavUJRKKeFHDmsKH6O3IZHltCD+ffhhqXk8vUOPxpJKPkTSC1LRO6fw1vRU4JGWlYIEqvbq/4PABKOfZWatqU+W62sRZA2d6B+XDJ5k/DY=",
];

fn crafted(
    scene: &Scene,
    plan: impl FnOnce(&str, &mut Crafted),
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    let plain = scene.idp().plain(&scene.asked, &scene.says());
    let assertion = element(&plain, "Assertion").to_owned();
    let mut crafted = Crafted::over(&assertion);
    plan(&assertion, &mut crafted);
    let signature = crafted.text(sign);
    swap(&plain, &assertion, &after(&assertion, "</saml:Issuer>", &signature))
}

fn method(uri: &str) -> impl FnOnce(&str, &mut Crafted) {
    let method = algorithm("SignatureMethod", uri, "");
    move |_, crafted| crafted.method = method
}

fn digested(uri: &'static str, digest: &'static digest::Algorithm) -> impl FnOnce(&str, &mut Crafted) {
    move |assertion, crafted| {
        let digest = digest::digest(digest, &canonical_bytes(assertion));
        let id = format!("#{}", value(assertion, "ID"));
        crafted.references = reference(&id, &transforms(&[ENVELOPED, EXCLUSIVE]), uri, digest.as_ref());
    }
}

const MORE: &str = "http://www.w3.org/2001/04/xmldsig-more#";

pub fn files(scene: &Scene) -> Vec<Forgery> {
    let signer = &scene.idp().signer;
    let raw = RawRsa::of(signer);
    let weak = RawRsa::new(WEAK[0], WEAK[1]);
    let mut files = vec![
        Forgery::new(
            "RSA with SHA-1",
            crafted(scene, method("http://www.w3.org/2000/09/xmldsig#rsa-sha1"), |message| raw.sha1(message)),
            "signature_algorithm",
        )
        .fooling(BOB),
        Forgery::new(
            "a digest of SHA-1",
            crafted(scene, digested(SHA1, &digest::SHA1_FOR_LEGACY_USE_ONLY), by(signer)),
            "signature_algorithm",
        )
        .fooling(BOB),
        Forgery::new(
            "both of SHA-1",
            crafted(
                scene,
                |assertion, crafted| {
                    digested(SHA1, &digest::SHA1_FOR_LEGACY_USE_ONLY)(assertion, crafted);
                    method("http://www.w3.org/2000/09/xmldsig#rsa-sha1")(assertion, crafted);
                },
                |message| raw.sha1(message),
            ),
            "signature_algorithm",
        )
        .fooling(BOB),
        Forgery::new(
            "an RSA key of 1024 bits",
            crafted(scene, |_, _| {}, |message| weak.sha256(message)),
            "signature_invalid",
        ),
        Forgery::new(
            "an RSA key of 1024 bits that comes along",
            crafted(
                scene,
                |_, crafted| {
                    crafted.key_info = format!(
                        "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
                        WEAK[2]
                    );
                },
                |message| weak.sha256(message),
            ),
            "signature_invalid",
        ),
        Forgery::new(
            "SHA-1 under the name of SHA-256",
            crafted(scene, |_, _| {}, |message| raw.sha1(message)),
            "signature_invalid",
        ),
        Forgery::new(
            "SHA-512 under the name of SHA-256",
            crafted(
                scene,
                |_, _| {},
                |message| signer.key.sign(SignatureMethod::RsaSha512, message).unwrap(),
            ),
            "signature_invalid",
        ),
        Forgery::new(
            "a method with a parameter",
            crafted(
                scene,
                |_, crafted| {
                    crafted.method = algorithm(
                        "SignatureMethod",
                        &format!("{MORE}rsa-sha256"),
                        "<ds:HMACOutputLength>0</ds:HMACOutputLength>",
                    );
                },
                by(signer),
            ),
            "signature_profile",
        ),
        Forgery::new(
            "a method without a name",
            crafted(
                scene,
                |_, crafted| crafted.method = "<ds:SignatureMethod></ds:SignatureMethod>".into(),
                by(signer),
            ),
            "signature_algorithm",
        ),
        Forgery::new(
            "an elliptic method by an RSA key",
            crafted(scene, method(&format!("{MORE}ecdsa-sha256")), by(signer)),
            "signature_invalid",
        ),
        Forgery::new(
            "an elliptic method of a longer digest by an RSA key",
            crafted(scene, method(&format!("{MORE}ecdsa-sha512")), by(signer)),
            "signature_invalid",
        ),
        Forgery::new(
            "an elliptic signature of zeros",
            crafted(scene, method(&format!("{MORE}ecdsa-sha256")), |_| vec![0; 64]),
            "signature_invalid",
        ),
    ];
    let dsig = "http://www.w3.org/2000/09/xmldsig#";
    for uri in [
        String::new(),
        "none".into(),
        "urn:none".into(),
        format!("{dsig}dsa-sha1"),
        format!("{dsig}hmac-sha1"),
        format!("{MORE}rsa-md5"),
        format!("{MORE}rsa-ripemd160"),
        format!("{MORE}rsa-sha224"),
        format!("{MORE}ecdsa-sha1"),
        format!("{MORE}ecdsa-sha224"),
        format!("{MORE}hmac-sha512"),
        "http://www.w3.org/2009/xmldsig11#dsa-sha256".into(),
        "http://www.w3.org/2007/05/xmldsig-more#sha1-rsa-MGF1".into(),
        "http://www.w3.org/2007/05/xmldsig-more#rsa-pss".into(),
        "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519".into(),
        format!("{MORE}RSA-SHA256"),
        format!(" {MORE}rsa-sha256"),
    ] {
        let xml = crafted(scene, method(&uri), by(signer));
        files.push(Forgery::new(format!("signed by '{uri}'"), xml, "signature_algorithm"));
    }
    for uri in [
        "",
        "http://www.w3.org/2001/04/xmldsig-more#md5",
        "http://www.w3.org/2001/04/xmldsig-more#sha224",
        "urn:none",
    ] {
        let xml = crafted(
            scene,
            |assertion, crafted| {
                let id = format!("#{}", value(assertion, "ID"));
                crafted.references = reference(
                    &id,
                    &transforms(&[ENVELOPED, EXCLUSIVE]),
                    uri,
                    &sha256(&canonical_bytes(assertion)),
                );
            },
            by(signer),
        );
        files.push(Forgery::new(format!("digested by '{uri}'"), xml, "signature_algorithm"));
    }
    files
}

#[tokio::test]
async fn h16_what_is_broken_is_no_signature() {
    let mut scene = Scene::opens().await;
    scene.refuses(files(&scene)).await;
    scene.ends_well().await;
}

#[tokio::test]
async fn h16_a_connection_whose_only_key_is_weak_is_not_switched_on() {
    assert!(Certificate::from_base64(WEAK[2]).is_err());
    let house: House = Plan::saml().build().await;
    let before = house.before().await;
    let idp = house.saml("cb");
    house.writes("cb.xml", &swap(&idp.metadata(), &idp.signer.certificate.base64(), WEAK[2]));
    let error = house.tries(&house.file).await.unwrap_err();
    assert!(error.contains("1024 bits"), "{error}");
    house.unchanged(&before).await;
    // Long enough, and with an exponent by which signatures were forged.
    let small = include_str!("../../src/protocol/saml/fixtures/rsa2048_e3.crt").replace('\n', "");
    house.writes("cb.xml", &swap(&idp.metadata(), &idp.signer.certificate.base64(), &small));
    let error = house.tries(&house.file).await.unwrap_err();
    assert!(error.contains("exponent below 65537"), "{error}");
    house.unchanged(&before).await;
    let saved = house.text("SELECT settings FROM connections WHERE slug = 'cb'").await.unwrap();
    assert!(saved.contains(&idp.signer.certificate.base64()), "as it was");
}
