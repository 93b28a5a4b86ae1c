//! C09: a message brings the key along that is to verify it, or makes a public one into a secret.

use aws_lc_rs::hmac;
use behalf::protocol::saml::encryption::Oaep;
use behalf::protocol::saml::keys::KeyKind;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::json;

use crate::house::forgery::{Crafted, Forgery, OWNER, Scene, algorithm, by, evil};
use crate::house::lying_saml_idp::{Signer, Signs, posts, sealed};
use crate::house::surgery::{after, attr, element, inside, swap, swap_all, value, within};

/// An evil assertion signed by a stranger, with this said about the key.
fn about(scene: &Scene, key_info: &str) -> String {
    let response = scene.evil();
    let assertion = element(&response, "Assertion").to_owned();
    let mut crafted = Crafted::over(&assertion);
    crafted.key_info = format!("<ds:KeyInfo>{key_info}</ds:KeyInfo>");
    let signature = crafted.text(by(&scene.stranger));
    swap(&response, &assertion, &after(&assertion, "</saml:Issuer>", &signature))
}

fn certificates(of: &[&Signer]) -> String {
    let one = |signer: &&Signer| {
        format!("<ds:X509Certificate>{}</ds:X509Certificate>", signer.certificate.base64())
    };
    format!("<ds:X509Data>{}</ds:X509Data>", of.iter().map(one).collect::<String>())
}

/// By a key, or what somebody takes for one.
fn strangers(scene: &Scene) -> Vec<(String, String, Option<&'static str>)> {
    let (own, theirs) = (&scene.stranger, &scene.idp().signer);
    let plain = || evil(&scene.idp().plain(&scene.asked, &scene.says()));
    let mut made = Vec::new();
    for signs in Signs::ALL {
        made.push((
            format!("its certificate comes along, {signs:?}"),
            sealed(&plain(), own, signs, None),
            Some(OWNER),
        ));
    }
    let modulus = BASE64.encode(&own.certificate.verifying_key().spki()[33..289]);
    let value = format!(
        "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
    );
    for (name, info) in [
        ("nothing comes along", String::new()),
        ("the provider's certificate comes along", certificates(&[theirs])),
        ("the provider's and its own", certificates(&[theirs, own])),
        ("its own and the provider's", certificates(&[own, theirs])),
        ("the bare key comes along", value),
        (
            "it can be fetched",
            "<ds:RetrievalMethod URI=\"http://127.0.0.1:9/key\"></ds:RetrievalMethod>".into(),
        ),
        ("it has a name", "<ds:KeyName>cb</ds:KeyName>".into()),
        ("it is in a file", "<ds:RetrievalMethod URI=\"file:///etc/hostname\"></ds:RetrievalMethod>".into()),
    ] {
        let fools = info
            .contains(&own.certificate.base64())
            .then_some(OWNER)
            .filter(|_| !name.starts_with("the provider's and"));
        made.push((name.to_owned(), about(scene, &info), fools));
    }
    let elliptic = Signer::of(KeyKind::P256, "idp-cb.test", scene.house.clock.now());
    made.push((
        "an elliptic key comes along".into(),
        sealed(&plain(), &elliptic, Signs::Assertion, None),
        None,
    ));
    made
}

/// By a stranger, too, within what is encrypted to a key that connections share: of that nothing is told.
fn hidden(scene: &Scene) -> Forgery {
    let plain = evil(&scene.idp().plain(&scene.asked, &scene.says()));
    let to = Some((&scene.asked.encryption, super::CIPHER, Oaep::Mgf1p));
    let xml = sealed(&plain, &scene.stranger, Signs::Assertion, to);
    Forgery::new("a key of one's own: within what is encrypted", xml, "undecryptable").fooling(OWNER)
}

/// The certificate is public, and a shared secret to whoever lets the message choose how it is verified.
fn secrets(scene: &Scene) -> Vec<(String, String, Option<&'static str>)> {
    let certificate = &scene.idp().signer.certificate;
    let spki = certificate.verifying_key().spki();
    let mut made = Vec::new();
    for (secret, bytes) in [
        ("in DER", certificate.der().to_vec()),
        ("in base64", certificate.base64().into_bytes()),
        ("in PEM", certificate.pem().into_bytes()),
        ("as a key in DER", spki.to_vec()),
        ("as nothing", Vec::new()),
    ] {
        for (name, uri, algorithm) in [
            ("SHA-1", "http://www.w3.org/2000/09/xmldsig#hmac-sha1", hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            ("SHA-256", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", hmac::HMAC_SHA256),
        ] {
            let xml = keyed(scene, uri, |message| {
                hmac::sign(&hmac::Key::new(algorithm, &bytes), message).as_ref().to_vec()
            });
            let fools = (secret == "in DER").then_some(OWNER);
            made.push((format!("HMAC of {name} with the certificate {secret}"), xml, fools));
        }
    }
    made
}

fn keyed(scene: &Scene, method: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let response = scene.evil();
    let assertion = element(&response, "Assertion").to_owned();
    let mut crafted = Crafted::over(&assertion);
    crafted.method = algorithm("SignatureMethod", method, "");
    let signature = crafted.text(sign);
    swap(&response, &assertion, &after(&assertion, "</saml:Issuer>", &signature))
}

/// A signature that is there and says nothing of this.
fn borrowed(scene: &Scene) -> Vec<(&'static str, String, &'static str)> {
    let honest = scene.honest();
    let evil = scene.evil_assertion();
    let signature = element(&honest, "Signature").to_owned();
    let worth = within_text(&honest, "SignatureValue");
    let digest = within_text(&honest, "DigestValue");
    let zeros = BASE64.encode(&[0; 256]);
    vec![
        (
            "the signature of another assertion",
            within(&honest, "Assertion", |_| after(&evil, "</saml:Issuer>", &signature)),
            "signature_profile",
        ),
        (
            "the same, with the id of the other",
            {
                let id = value(element(&honest, "Assertion"), "ID").to_owned();
                let twin = attr(&evil, "ID", Some(&id));
                within(&honest, "Assertion", |_| after(&twin, "</saml:Issuer>", &signature))
            },
            "digest",
        ),
        ("of zeros", swap(&honest, &worth, &zeros), "signature_invalid"),
        ("of one byte", swap(&honest, &worth, "AA=="), "signature_invalid"),
        ("of nothing", swap(&honest, &worth, ""), "signature_profile"),
        ("not in base64", swap(&honest, &worth, "*"), "signature_profile"),
        ("cut short", swap(&honest, &worth, &worth[..worth.len() - 8]), "signature_invalid"),
        ("with another digest", swap(&honest, &digest, &BASE64.encode(&[7; 32])), "signature_invalid"),
        ("with another name", swap_all(&honest, "id-of-bob", OWNER), "digest"),
        ("with another address", swap_all(&honest, "bob@b.test", "owner@b.test"), "digest"),
        (
            "with one more group",
            after(
                &honest,
                ">staff</saml:AttributeValue>",
                "<saml:AttributeValue>owners</saml:AttributeValue>",
            ),
            "digest",
        ),
        ("with a condition less", swap(&honest, element(&honest, "AudienceRestriction"), ""), "digest"),
    ]
}

fn within_text(xml: &str, local: &str) -> String {
    inside(element(xml, local)).to_owned()
}

pub fn files(scene: &Scene) -> Vec<Forgery> {
    let strangers = strangers(scene).into_iter().map(|file| (file, "signature_invalid"));
    let secrets = secrets(scene).into_iter().map(|file| (file, "signature_algorithm"));
    let keys = strangers.chain(secrets).map(|((name, xml, fools), reason)| Forgery {
        fools,
        ..Forgery::new(format!("a key of one's own: {name}"), xml, reason)
    });
    let borrowed = borrowed(scene).into_iter();
    let keys = keys.chain([hidden(scene)]);
    keys.chain(borrowed.map(|(name, xml, reason)| Forgery::new(format!("a signature {name}"), xml, reason)))
        .collect()
}

#[tokio::test]
async fn c09_only_keys_of_the_connection_verify_whatever_comes_along() {
    let mut scene = Scene::opens().await;
    scene.refuses(files(&scene)).await;
    scene.ends_well().await;
}

/// The first question after a provider has changed its key.
#[tokio::test]
async fn c09_the_trail_names_the_certificate_that_came_and_those_that_are_trusted() {
    let mut scene = Scene::opens().await;
    let xml = about(&scene, &certificates(&[&scene.stranger]));
    let before = scene.house.before().await;
    assert_eq!(posts(&mut scene.bob.browser, &scene.asked, &xml).await.status, 403);
    scene.house.unchanged(&before).await;
    let events = scene.house.events_since(&before).await;
    let detail = &events[0].detail;
    let name = |signer: &Signer| HEXLOWER.encode(&signer.certificate.fingerprint());
    assert_eq!(detail["check"], "signature_invalid");
    assert_eq!(detail["trusted"], json!(name(&scene.idp().signer)));
    let shown = detail["message"].as_str().unwrap();
    assert!(shown.contains(&name(&scene.stranger)), "{shown}");
}
