//! C04: XML signature wrapping. A signature that counts is moved about in a response until one reader finds what was
//! signed, and another one what an attacker wrote.

use crate::house::forgery::{BOB, Forgery, OWNER, Scene};
use crate::house::lying_saml_idp::Signs;
use crate::house::surgery::{after, attr, element, signature_of, swap, value, with_first, with_last, within};

/// A signed element, taken apart.
struct Signed {
    whole: String,
    signature: String,
    /// Without its signature.
    bare: String,
}

impl Signed {
    fn of(xml: &str, local: &str) -> Self {
        let (whole, signature) = (element(xml, local).to_owned(), signature_of(xml, local).to_owned());
        let bare = swap(&whole, &signature, "");
        Self { whole, signature, bare }
    }

    /// The signature with what it signs inside.
    fn enveloping(&self) -> String {
        with_last(&self.signature, &self.bare)
    }

    fn in_object(&self) -> String {
        with_last(&self.signature, &format!("<ds:Object>{}</ds:Object>", self.bare))
    }
}

/// An element with something directly after its Issuer, where a signature belongs.
fn signed_by(element: &str, what: &str) -> String {
    after(element, "</saml:Issuer>", what)
}

fn extended(response: &str, what: &str) -> String {
    signed_by(response, &format!("<samlp:Extensions>{what}</samlp:Extensions>"))
}

/// The assertion of a response replaced.
fn holding(response: &str, what: &str) -> String {
    within(response, "Assertion", |_| what.to_owned())
}

/// As it is, or encrypted.
fn sealed(scene: &Scene, assertion: &str, is_sealed: bool) -> String {
    if is_sealed { scene.encrypted(assertion) } else { assertion.to_owned() }
}

/// The eight variants of a wrapped response.
fn response_wrapped(scene: &Scene, signs: Signs, is_sealed: bool) -> Vec<String> {
    let seal = |assertion: &str| sealed(scene, assertion, is_sealed);
    let says = scene.says().signing(signs);
    let says = if is_sealed { says.encrypting(super::CIPHER) } else { says };
    let signed = Signed::of(&scene.idp().answers(&scene.asked, &says), "Response");
    let (evil, assertion) = (scene.evil(), scene.evil_assertion());
    let sealed = holding(&evil, &seal(&assertion));
    let inside = |assertion: String| holding(&evil, &seal(&assertion));
    vec![
        signed_by(&sealed, &signed.enveloping()),
        signed_by(&sealed, &(signed.bare.clone() + &signed.signature)),
        signed_by(&sealed, &signed.whole),
        inside(with_last(&assertion, &signed.whole)),
        with_last(&signed_by(&sealed, &signed.signature), &signed.bare),
        inside(signed_by(&assertion, &signed.enveloping())),
        extended(&sealed, &signed.whole),
        signed_by(&sealed, &signed.in_object()),
    ]
}

/// The eight variants of a wrapped assertion within this response.
fn assertion_wrapped(scene: &Scene, xml: &str, is_sealed: bool) -> Vec<String> {
    let seal = |assertion: &str| sealed(scene, assertion, is_sealed);
    let signed = Signed::of(xml, "Assertion");
    let evil = scene.evil_assertion();
    let twin = attr(&evil, "ID", Some(value(&signed.whole, "ID")));
    let root = |what: String| holding(xml, &what);
    vec![
        root(signed.enveloping() + &seal(&evil)),
        root(seal(&signed.bare) + &signed.signature + &seal(&evil)),
        root(seal(&evil) + &seal(&signed.whole)),
        root(seal(&with_last(&evil, &signed.whole))),
        root(seal(&signed_by(&evil, &signed.signature)) + &seal(&signed.bare)),
        root(seal(&signed_by(&evil, &signed.enveloping()))),
        extended(&root(seal(&signed.whole)), &seal(&twin)),
        root(seal(&signed_by(&evil, &signed.in_object()))),
    ]
}

pub fn wrapped(scene: &Scene) -> Vec<Forgery> {
    let honest = |signs| scene.idp().answers(&scene.asked, &scene.says().signing(signs));
    let both = [
        response_wrapped(scene, Signs::Both, false)[..2].to_vec(),
        assertion_wrapped(scene, &honest(Signs::Both), false)[2..].to_vec(),
    ];
    let encrypted = [
        response_wrapped(scene, Signs::Response, true)[..2].to_vec(),
        assertion_wrapped(scene, &honest(Signs::Assertion), true)[2..].to_vec(),
    ];
    let kinds = [
        ("a signed response", response_wrapped(scene, Signs::Response, false)),
        ("a signed assertion", assertion_wrapped(scene, &honest(Signs::Assertion), false)),
        ("both signed", both.concat()),
        ("encrypted", encrypted.concat()),
    ];
    let mut files = Vec::new();
    for (kind, made) in kinds {
        for (number, xml) in made.into_iter().enumerate() {
            let name = format!("XSW{} of {kind}", number + 1);
            // What is wrong within is not told of what a shared key opened.
            let is_within = kind == "encrypted" && [3, 5, 7].contains(&number);
            let reason = if is_within { "undecryptable" } else { "structure" };
            files.push(Forgery::new(name, xml, reason).fooling(OWNER));
        }
    }
    files
}

/// One identifier, two bearers.
pub fn ids(scene: &Scene) -> Vec<Forgery> {
    let honest = scene.honest();
    let id = value(element(&honest, "Assertion"), "ID").to_owned();
    let status = |attribute: &str| swap(&honest, "<samlp:Status>", &format!("<samlp:Status {attribute}>"));
    let mut files: Vec<_> =
        ["ID", "Id", "id", "iD", "AssertionID", "samlp:ID", "samlp:Id", "samlp:AssertionID"]
            .into_iter()
            .map(|name| {
                (format!("Status has the assertion's id as {name}"), status(&format!("{name}=\"{id}\"")))
            })
            .collect();
    files.push(("another id in a namespace".into(), status("samlp:ID=\"_other\"")));
    files.push(("the response has the assertion's id".into(), attr(&honest, "ID", Some(&id))));
    let lower = format!("<samlp:Extensions><samlp:assertion ID=\"{id}\"/></samlp:Extensions>");
    files.push(("something else has it".into(), after(&honest, "</saml:Issuer>", &lower)));
    let assertion = |change: &dyn Fn(&str) -> String| within(&honest, "Assertion", change);
    files.push((
        "the assertion has one in a namespace, too".into(),
        assertion(&|text| swap(text, " ID=", " saml:ID=\"_other\" ID=")),
    ));
    files.push((
        "its subject has it".into(),
        assertion(&|text| swap(text, "<saml:Subject>", &format!("<saml:Subject ID=\"{id}\">"))),
    ));
    files.push((
        "the assertion has it only in a namespace".into(),
        assertion(&|text| swap(text, " ID=", " saml:ID=")),
    ));
    let mut files: Vec<_> =
        files.into_iter().map(|(name, xml)| Forgery::new(name, xml, "signature_profile")).collect();
    files.iter_mut().take(11).for_each(|file| file.fools = Some(BOB));
    let reserved = status(&format!("xml:id=\"{id}\""));
    files.push(
        Forgery::new("Status has the assertion's id as xml:id", reserved, "malformed_saml").fooling(BOB),
    );
    files
}

/// More than one assertion, or one where none belongs.
pub fn places(scene: &Scene) -> Vec<Forgery> {
    let honest = scene.honest();
    let (evil, good) = (scene.evil_assertion(), element(&honest, "Assertion").to_owned());
    let in_place = |what: String| holding(&honest, &what);
    let advice = format!("<saml:Advice>{evil}</saml:Advice>");
    let foreign = swap(
        &swap(&evil, "<saml:Assertion ", "<x:Assertion xmlns:x=\"urn:x\" "),
        "</saml:Assertion>",
        "</x:Assertion>",
    );
    [
        ("an unsigned one before", in_place(evil.clone() + &good)),
        ("an unsigned one after", in_place(good.clone() + &evil)),
        ("in the status", with_first_in(&honest, "Status", &evil)),
        ("in its own advice", in_place(after(&good, "</saml:Conditions>", &advice))),
        ("of another namespace", in_place(foreign + &good)),
        ("an encrypted one besides", in_place(scene.encrypted(&evil) + &good)),
        (
            "an encrypted one in its advice",
            in_place(after(&good, "</saml:Conditions>", &scene.encrypted(&evil))),
        ),
    ]
    .into_iter()
    .map(|(name, xml)| Forgery::new(format!("another assertion: {name}"), xml, "structure"))
    .collect()
}

fn with_first_in(xml: &str, local: &str, what: &str) -> String {
    within(xml, local, |element| with_first(element, what))
}

#[tokio::test]
async fn c04_no_wrapping_of_a_signature_lets_anybody_be_somebody_else() {
    let mut scene = Scene::opens().await;
    let wrapped = wrapped(&scene);
    assert_eq!(wrapped.len(), 32);
    scene.refuses(wrapped).await;
    scene.refuses(ids(&scene)).await;
    scene.refuses(places(&scene)).await;
    scene.ends_well().await;
}
