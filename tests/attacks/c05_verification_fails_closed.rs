//! C05: where there is nothing to verify, or nothing to verify by, nothing is believed.

use std::time::Duration;

use behalf::protocol::saml::certificate::self_signed;

use crate::house::application::{Application, Person};
use crate::house::broker::Plan;
use crate::house::forgery::{Forgery, Scene};
use crate::house::lying_saml_idp::{Says, Signs, posts};
use crate::house::surgery::{after, before, element, signature_of, swap, within};

/// Without a signature that could count.
pub fn files(scene: &Scene) -> Vec<Forgery> {
    let unsigned = scene.idp().plain(&scene.asked, &scene.says());
    let file = |name: &str, xml: String, reason| Forgery::new(format!("unsigned: {name}"), xml, reason);
    let mut files = vec![
        file("it never was", unsigned.clone(), "signature_missing"),
        file("about somebody else", scene.evil(), "signature_missing"),
    ];
    for signs in Signs::ALL {
        let signed = scene.idp().answers(&scene.asked, &scene.says().signing(signs));
        let whole = element(&signed, "Signature").to_owned();
        let stripped = signed.replace(&whole, "");
        let stripped = if signs == Signs::Both {
            swap(&stripped, signature_of(&stripped, "Assertion"), "")
        } else {
            stripped
        };
        files.push(file(&format!("taken away, {signs:?}"), stripped, "signature_missing"));
        let empty = swap(&signed, &whole, "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/>");
        files.push(file(&format!("hollow, {signs:?}"), empty, "signature_profile"));
        let foreign = swap(
            &signed,
            &whole,
            &whole.replace("09/xmldsig#\"><ds:SignedInfo", "09/xmldsig\"><ds:SignedInfo"),
        );
        files.push(file(
            &format!("of another namespace, {signs:?}"),
            foreign,
            if signs == Signs::Assertion { "signature_missing" } else { "structure" },
        ));
    }
    let signed = scene.honest();
    let whole = element(&signed, "Signature").to_owned();
    let moved = |xml: String| swap(&xml, &whole, "");
    let status = before(&moved(signed.clone()), "<samlp:StatusCode", &whole);
    files.push(file("moved into the status", status, "structure"));
    let subject =
        within(&moved(signed.clone()), "Subject", |subject| after(subject, "</saml:NameID>", &whole));
    files.push(file("moved into the subject", subject, "structure"));
    let up = after(&moved(signed.clone()), "</saml:Issuer>", &whole);
    files.push(file("moved up to the response", up, "signature_profile"));
    files
}

#[tokio::test]
async fn c05_a_response_without_a_signature_that_counts_is_refused() {
    let mut scene = Scene::opens().await;
    scene.refuses(files(&scene)).await;
    scene.ends_well().await;
}

#[tokio::test]
async fn c05_what_the_connection_wants_signed_must_be_signed() {
    for (wants, good) in [
        ("assertion", vec![Signs::Assertion, Signs::Both]),
        ("response", vec![Signs::Response, Signs::Both]),
        ("both", vec![Signs::Both]),
        ("either", Signs::ALL.to_vec()),
    ] {
        let mut scene =
            Scene::of(Plan::default().with_saml("cb", &format!("want_signed = \"{wants}\"\n"))).await;
        for signs in Signs::ALL.into_iter().filter(|signs| !good.contains(signs)) {
            let xml = scene.idp().answers(&scene.asked, &scene.says().signing(signs));
            scene.refuses(vec![Forgery::new(format!("{wants}: {signs:?}"), xml, "signature_missing")]).await;
        }
        for signs in good {
            let ask = Application::rp1(&scene.house).asks();
            let says = Says::that("bob@b.test").signing(signs);
            let arrival = Person::new("bob@b.test").signs_in_by(&scene.house, "cb", &ask, &says).await;
            assert!(arrival.told_application("code").is_some(), "{wants}: {}", arrival.told());
        }
    }
}

#[tokio::test]
async fn c05_a_connection_that_wants_encryption_takes_nothing_else() {
    let mut scene = Scene::of(Plan::default().with_saml("cb", "want_encrypted = true\n")).await;
    let xml = scene.honest();
    scene.refuses(vec![Forgery::new("in plain text", xml, "not_encrypted")]).await;
    let xml = scene.idp().answers(&scene.asked, &scene.says().encrypting(super::CIPHER));
    let arrival = scene.bob.returns(&scene.ask, &scene.asked, xml).await;
    scene.ask.redeems(&arrival).await;
}

#[tokio::test]
async fn c05_a_connection_without_a_key_is_never_switched_on() {
    let house = Plan::saml().build().await;
    let idp = house.saml("cb");
    let good = idp.metadata();
    let key = element(&good, "KeyDescriptor").to_owned();
    let expired = {
        let now = house.clock.now();
        let day = Duration::from_secs(86_400);
        let key = &idp.signer.key;
        self_signed(key, "x", now.minus(day * 2), now.minus(day), &[1]).unwrap()
    };
    for (name, metadata) in [
        ("no key", swap(&good, &key, "")),
        ("a key to encrypt for alone", swap(&good, "use=\"signing\"", "use=\"encryption\"")),
        ("no certificate", within(&good, "X509Certificate", |_| String::new())),
        ("an expired certificate alone", swap(&good, &idp.signer.certificate.base64(), &expired.base64())),
        ("no sign-on", good.replace("SingleSignOnService", "ManageNameIDService")),
        ("no provider", good.replace("IDPSSODescriptor", "SPSSODescriptor")),
        ("another entity's", swap(&good, "entityID=\"", "entityID=\"\" x=\"")),
        ("no XML", "metadata".to_owned()),
        ("a DTD", format!("<!DOCTYPE x>{good}")),
    ] {
        house.writes("cb.xml", &metadata);
        let before = house.text("SELECT settings FROM connections WHERE slug = 'cb'").await;
        let error = house.tries(&house.file).await;
        assert!(error.is_err(), "{name}");
        assert_eq!(house.text("SELECT settings FROM connections WHERE slug = 'cb'").await, before, "{name}");
    }
}

#[tokio::test]
async fn c05_a_key_that_is_gone_from_the_database_leaves_nothing_to_believe() {
    let mut scene = Scene::opens().await;
    let certificate = scene.idp().signer.certificate.base64();
    let sql = format!("UPDATE connections SET settings = REPLACE(settings, '\"{certificate}\"', '')");
    assert!(scene.house.execute(&sql).await >= 1);
    let settings = scene.house.text("SELECT settings FROM connections WHERE slug = 'cb'").await.unwrap();
    assert!(settings.contains("\"certificates\":[]"), "{settings}");
    let before = scene.house.before().await;
    let honest = scene.honest();
    let answer = posts(&mut scene.bob.browser, &scene.asked, &honest).await;
    assert!([403, 503, 502].contains(&answer.status.as_u16()), "{}: {}", answer.status, answer.body);
    assert!(answer.location().is_none());
    scene.house.refused(&before, "idp_unreachable").await;
    // Nobody is sent there any more either.
    let before = scene.house.before().await;
    let ask = Application::rp1(&scene.house).asks();
    let arrival = Person::new("bob@b.test").follows(&ask).await;
    assert!(
        arrival.told_application("code").is_none() && arrival.answer.location().is_none(),
        "{}",
        arrival.told()
    );
    scene.house.unchanged(&before).await;
}
