//! C08: canonical forms that are void, ambiguous or not the one that is asked for. The provider's own key signs every
//! one of these, so that it is the form alone that is refused.

use crate::house::forgery::{
    BOB, Crafted, ENVELOPED, EXCLUSIVE, Forgery, SHA256, Scene, algorithm, by, canonical_bytes, reference,
    sha256, transforms,
};
use crate::house::surgery::{after, element, swap, value, with_last};

/// The assertion with a signature that the provider made by this plan.
fn crafted(scene: &Scene, plan: impl FnOnce(&str, &mut Crafted)) -> String {
    let plain = scene.idp().plain(&scene.asked, &scene.says());
    let assertion = element(&plain, "Assertion").to_owned();
    let mut crafted = Crafted::over(&assertion);
    plan(&assertion, &mut crafted);
    let signature = crafted.text(by(&scene.idp().signer));
    swap(&plain, &assertion, &after(&assertion, "</saml:Issuer>", &signature))
}

fn prefixes(list: &str) -> String {
    format!(
        "<ec:InclusiveNamespaces xmlns:ec=\"{EXCLUSIVE}\" PrefixList=\"{list}\"></ec:InclusiveNamespaces>"
    )
}

fn one_transform(uri: &str, inside: &str) -> String {
    let enveloped = algorithm("Transform", ENVELOPED, "");
    format!("<ds:Transforms>{enveloped}{}</ds:Transforms>", algorithm("Transform", uri, inside))
}

/// With these transforms, and everything else as it should be.
fn transformed(scene: &Scene, transforms: String) -> String {
    crafted(scene, |assertion, crafted| {
        let (id, digest) = (value(assertion, "ID"), sha256(&canonical_bytes(assertion)));
        crafted.references = reference(&format!("#{id}"), &transforms, SHA256, &digest);
    })
}

/// Referring to this, and everything else as it should be.
fn referring(scene: &Scene, uri: impl FnOnce(&str) -> String) -> String {
    crafted(scene, |assertion, crafted| {
        let digest = sha256(&canonical_bytes(assertion));
        let uri = uri(value(assertion, "ID"));
        crafted.references = reference(&uri, &transforms(&[ENVELOPED, EXCLUSIVE]), SHA256, &digest);
    })
}

const INCLUSIVE: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";

fn forms(scene: &Scene) -> Vec<(&'static str, String)> {
    let canonicalized = |uri: &str, inside: &str| {
        crafted(scene, |_, crafted| {
            crafted.canonicalization = algorithm("CanonicalizationMethod", uri, inside)
        })
    };
    let many = (0..17).map(|number| format!("p{number}")).collect::<Vec<_>>().join(" ");
    vec![
        ("SignedInfo in inclusive form", canonicalized(INCLUSIVE, "")),
        ("SignedInfo with comments", canonicalized(&format!("{EXCLUSIVE}WithComments"), "")),
        ("SignedInfo in the form of 2006", canonicalized("http://www.w3.org/2006/12/xml-c14n11", "")),
        ("SignedInfo in no form", canonicalized("", "")),
        ("SignedInfo in a form of somebody's own", canonicalized("urn:x", "")),
        ("SignedInfo in seventeen prefixes", canonicalized(EXCLUSIVE, &prefixes(&many))),
        (
            "SignedInfo in prefixes and more",
            canonicalized(EXCLUSIVE, &(prefixes("saml") + &prefixes("samlp"))),
        ),
        ("inclusive form", transformed(scene, one_transform(INCLUSIVE, ""))),
        (
            "with comments",
            transformed(scene, one_transform("http://www.w3.org/2001/10/xml-exc-c14n#WithComments", "")),
        ),
        ("the form of 2006", transformed(scene, one_transform("http://www.w3.org/2006/12/xml-c14n11", ""))),
        ("seventeen prefixes", transformed(scene, one_transform(EXCLUSIVE, &prefixes(&many)))),
        ("no transforms", transformed(scene, String::new())),
        ("empty transforms", transformed(scene, transforms(&[]))),
        ("the enveloped one alone", transformed(scene, transforms(&[ENVELOPED]))),
        ("the canonical one alone", transformed(scene, transforms(&[EXCLUSIVE]))),
        ("in the wrong order", transformed(scene, transforms(&[EXCLUSIVE, ENVELOPED]))),
        ("twice", transformed(scene, transforms(&[ENVELOPED, EXCLUSIVE, EXCLUSIVE]))),
        ("base64", transformed(scene, one_transform("http://www.w3.org/2000/09/xmldsig#base64", ""))),
        (
            "XPath",
            transformed(
                scene,
                one_transform("http://www.w3.org/TR/1999/REC-xpath-19991116", "<ds:XPath>1=1</ds:XPath>"),
            ),
        ),
        ("XPath filter", transformed(scene, one_transform("http://www.w3.org/2002/06/xmldsig-filter2", ""))),
        (
            "XSLT",
            transformed(
                scene,
                one_transform(
                    "http://www.w3.org/TR/1999/REC-xslt-19991116",
                    "<xsl:stylesheet xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"></xsl:stylesheet>",
                ),
            ),
        ),
        ("a reference to the whole document", referring(scene, |_| String::new())),
        ("an XPointer to the root", referring(scene, |_| "#xpointer(/)".into())),
        ("an XPointer to the id", referring(scene, |id| format!("#xpointer(id('{id}'))"))),
        ("a reference to another element", referring(scene, |_| "#_other".into())),
        ("an address", referring(scene, |id| format!("http://127.0.0.1:9/#{id}"))),
        ("an escaped reference", referring(scene, |id| format!("#%5F{}", &id[1..]))),
        ("two references", crafted(scene, |_, crafted| crafted.references = crafted.references.repeat(2))),
        ("no reference", crafted(scene, |_, crafted| crafted.references.clear())),
        (
            "a reference without an address",
            crafted(scene, |assertion, crafted| {
                let uri = format!(" URI=\"#{}\"", value(assertion, "ID"));
                crafted.references = swap(&crafted.references, &uri, "");
            }),
        ),
        (
            "an empty digest",
            crafted(scene, |_, crafted| {
                let digest = crafted.references.split("DigestValue>").nth(1).unwrap().to_owned();
                crafted.references = swap(&crafted.references, &digest, "</ds:");
            }),
        ),
    ]
}

pub fn files(scene: &Scene) -> Vec<Forgery> {
    let mut files: Vec<_> = forms(scene)
        .into_iter()
        .map(|(name, xml)| Forgery::new(format!("canonical form: {name}"), xml, "signature_profile"))
        .collect();
    let padded = crafted(scene, |_, crafted| {
        let blanks = " ".repeat(20 * 1024);
        crafted.canonicalization = algorithm("CanonicalizationMethod", EXCLUSIVE, &blanks);
    });
    files.push(Forgery::new("canonical form: a SignedInfo of 20 kB", padded, "signature_size"));
    let honest = scene.honest();
    let void = crafted(scene, |assertion, crafted| {
        let id = format!("#{}", value(assertion, "ID"));
        crafted.references = reference(&id, &transforms(&[ENVELOPED, EXCLUSIVE]), SHA256, &sha256(b""));
    });
    files.push(Forgery::new("canonical form: the digest of nothing", void, "digest"));
    let object = after(&honest, "</ds:SignatureValue>", "");
    let signature = element(&object, "Signature").to_owned();
    for (name, what) in
        [("an object", "<ds:Object></ds:Object>"), ("a manifest", "<ds:Manifest></ds:Manifest>")]
    {
        let xml = swap(&honest, &signature, &with_last(&signature, what));
        files.push(Forgery::new(format!("canonical form: {name} besides"), xml, "structure").fooling(BOB));
    }
    let two = swap(&honest, &signature, &signature.repeat(2));
    files.push(Forgery::new("canonical form: two signatures", two, "signature_profile"));
    for (name, declaration) in [
        ("a relative namespace", "xmlns:x=\"relative\""),
        ("a namespace of a digit", "xmlns:x=\"1\""),
        ("a namespace of a path", "xmlns:x=\"../x\""),
        ("a prefix undeclared", "xmlns:x=\"\""),
        ("xml redefined", "xmlns:xml=\"urn:x\""),
        ("xmlns redefined", "xmlns:xmlns=\"urn:x\""),
        ("the namespace of xml by another prefix", "xmlns:x=\"http://www.w3.org/XML/1998/namespace\""),
        ("the namespace of declarations", "xmlns:x=\"http://www.w3.org/2000/xmlns/\""),
        ("a namespace declared twice", "xmlns:x=\"urn:x\" xmlns:x=\"urn:y\""),
        (
            "nine declarations",
            "xmlns:a=\"urn:a\" xmlns:b=\"urn:b\" xmlns:c=\"urn:c\" xmlns:d=\"urn:d\" xmlns:e=\"urn:e\" xmlns:f=\"urn:f\" \
             xmlns:g=\"urn:g\" xmlns:h=\"urn:h\" xmlns:i=\"urn:i\"",
        ),
    ] {
        let xml = swap(&honest, "<samlp:Status>", &format!("<samlp:Status {declaration}>"));
        files.push(Forgery::new(format!("canonical form: {name}"), xml, "malformed_saml"));
    }
    files
}

#[tokio::test]
async fn c08_one_canonical_form_counts_and_it_is_never_void() {
    let mut scene = Scene::opens().await;
    // What is crafted as it should be is as good as what the library makes.
    let files = files(&scene);
    scene.refuses(files).await;
    let crafted = crafted(&scene, |_, _| {});
    let arrival = scene.bob.returns(&scene.ask, &scene.asked, crafted).await;
    assert_eq!(scene.ask.redeems(&arrival).await.id["email"], "bob@b.test");
}
