//! C07: comments and processing instructions, which signatures do not cover and readers stumble over.

use crate::house::forgery::{BOB, Forgery, OWNER, Scene};
use crate::house::lying_saml_idp::Signs;
use crate::house::surgery::{before, swap, within};

const ELEMENTS: [&str; 7] = [
    "Issuer",
    "NameID",
    "Audience",
    "AttributeValue",
    "AuthnContextClassRef",
    "DigestValue",
    "SignatureValue",
];

/// Splits the text of the first element of this name.
fn split(xml: &str, local: &str, by: &str) -> String {
    within(xml, local, |element| {
        let start = element.find('>').unwrap() + 4;
        [&element[..start], by, &element[start..]].concat()
    })
}

pub fn files(scene: &Scene) -> Vec<Forgery> {
    let mut files = Vec::new();
    let mut add = |name: String, xml: String, fools| {
        files.push(Forgery { fools, ..Forgery::new(name, xml, "malformed_saml") });
    };
    for signs in Signs::ALL {
        // The provider lets people choose names, and one of them chose well.
        let says = scene
            .says()
            .signing(signs)
            .named("id-of-owner.bob", "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");
        let signed = scene.idp().answers(&scene.asked, &says);
        let cut = swap(&signed, "id-of-owner.bob", "id-of-owner<!---->.bob");
        add(format!("a comment cuts a name, {signs:?} signed"), cut, Some(OWNER));
    }
    let honest = scene.honest();
    for element in ELEMENTS {
        add(format!("a comment in {element}"), split(&honest, element, "<!--x-->"), None);
        add(format!("an instruction in {element}"), split(&honest, element, "<?x y?>"), None);
    }
    add("a comment before the root".into(), format!("<!--x-->{honest}"), Some(BOB));
    add("a comment after the root".into(), format!("{honest}<!--x-->"), Some(BOB));
    add("an instruction before the root".into(), format!("<?x y?>{honest}"), Some(BOB));
    add("an instruction after the root".into(), format!("{honest}<?x y?>"), Some(BOB));
    add(
        "a style sheet".into(),
        format!("<?xml-stylesheet href=\"http://127.0.0.1:9/\"?>{honest}"),
        Some(BOB),
    );
    add("a comment between elements".into(), before(&honest, "<samlp:Status>", "<!--x-->"), Some(BOB));
    add("a comment that does not end".into(), before(&honest, "<samlp:Status>", "<!--x--"), None);
    files
}

#[tokio::test]
async fn c07_a_comment_anywhere_is_refused() {
    let mut scene = Scene::opens().await;
    scene.refuses(files(&scene)).await;
    // Whoever runs the connection sees what came by its tags, and nobody is named.
    let events = scene.house.audit().await;
    let told: Vec<_> = events.iter().filter_map(|event| event.detail["message"].as_str()).collect();
    assert!(!told.is_empty());
    for message in told {
        assert!(
            message.contains("Response ") && message.contains("ID=\"[") && message.contains("Issuer>"),
            "{message}"
        );
        assert!(!message.contains("owner") && !message.contains("@"), "{message}");
    }
    scene.ends_well().await;
}
