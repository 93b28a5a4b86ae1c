//! C10 and H12: anybody can encrypt to the broker, and whoever may try often learns from how it fails.

use behalf::protocol::saml::encryption::{Cipher, Oaep};
use data_encoding::BASE64;

use crate::house::forgery::{Forgery, OWNER, Scene};
use crate::house::lying_saml_idp::{Signs, encrypted_to, sealed as sealed_by};
use crate::house::surgery::{after, element, inside, swap, within};

fn holding(response: &str, what: &str) -> String {
    within(response, "Assertion", |_| what.to_owned())
}

/// A forged assertion that nobody signed, encrypted as it should be.
fn injected(scene: &Scene) -> Vec<Forgery> {
    let evil = scene.evil_assertion();
    let sealed = scene.encrypted(&evil);
    let signed = scene.honest();
    let good = element(&signed, "Assertion").to_owned();
    let whole =
        scene.idp().answers(&scene.asked, &scene.says().signing(Signs::Response).encrypting(super::CIPHER));
    let its_own = element(&whole, "EncryptedAssertion").to_owned();
    let file = |name: &str, xml: String, reason| Forgery::new(format!("encrypted: {name}"), xml, reason);
    vec![
        file("in an unsigned response", holding(&signed, &sealed), "undecryptable"),
        file("in the place of the signed one", swap(&whole, &its_own, &sealed), "digest"),
        file("beside the signed one", swap(&whole, &its_own, &(its_own.clone() + &sealed)), "structure"),
        file("before the signed one", swap(&whole, &its_own, &(sealed.clone() + &its_own)), "structure"),
        file("beside a signed assertion", holding(&signed, &(good.clone() + &sealed)), "structure")
            .fooling(OWNER),
        file("before a signed assertion", holding(&signed, &(sealed.clone() + &good)), "structure")
            .fooling(OWNER),
        file(
            "within a signed assertion",
            holding(&signed, &after(&good, "</saml:Conditions>", &sealed)),
            "structure",
        ),
        file(
            "in extensions",
            after(&whole, "</ds:Signature>", &format!("<samlp:Extensions>{sealed}</samlp:Extensions>")),
            "structure",
        ),
        file("encrypted once more", holding(&signed, &scene.encrypted(&sealed)), "undecryptable"),
        file("a whole response", holding(&signed, &scene.encrypted(&signed)), "undecryptable"),
        file("no XML", holding(&signed, &scene.encrypted("assertion")), "undecryptable"),
        file("nothing", holding(&signed, &scene.encrypted("")), "undecryptable"),
        file("two assertions", holding(&signed, &scene.encrypted(&(good.clone() + &evil))), "undecryptable"),
        file(
            "with a comment",
            holding(&signed, &scene.encrypted(&format!("<!--x-->{good}"))),
            "undecryptable",
        ),
        file(
            "with a DTD",
            holding(&signed, &scene.encrypted(&format!("<!DOCTYPE x>{good}"))),
            "undecryptable",
        ),
        file(
            "signed by a stranger",
            holding(&signed, &{
                let plain = sealed_by(&scene.evil(), &scene.stranger, Signs::Assertion, None);
                scene.encrypted(element(&plain, "Assertion"))
            }),
            "undecryptable",
        )
        .fooling(OWNER),
    ]
}

fn of(cipher: Cipher, scene: &Scene, signs: Signs) -> String {
    let says = scene.says().signing(signs).encrypting(cipher);
    scene.idp().answers(&scene.asked, &says)
}

/// The text of the nth `CipherValue`: first the key's, then the content's.
fn value(xml: &str, nth: usize) -> String {
    xml.split("<xenc:CipherValue>").nth(nth + 1).unwrap().split('<').next().unwrap().to_owned()
}

fn changed(xml: &str, nth: usize, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let old = value(xml, nth);
    swap(xml, &old, &BASE64.encode(&change(BASE64.decode(old.as_bytes()).unwrap())))
}

fn flipped(at: usize) -> impl FnOnce(Vec<u8>) -> Vec<u8> {
    move |mut bytes| {
        bytes[at] ^= 1;
        bytes
    }
}

/// What cannot be opened. Everything that depends on a key looks the same.
fn unopened(scene: &Scene) -> Vec<Forgery> {
    let xml = of(super::CIPHER, scene, Signs::Assertion);
    let bytes = |count: usize| move |bytes: Vec<u8>| bytes[..count].to_vec();
    let strangers = {
        let good = element(&scene.honest(), "Assertion").to_owned();
        holding(
            &scene.honest(),
            &encrypted_to(&scene.stranger.certificate, &good, super::CIPHER, Oaep::Mgf1p),
        )
    };
    let named = |old: &str, new: &str| swap(&xml, old, new);
    let failed = [
        ("to somebody else", strangers),
        ("with a key of chance", changed(&xml, 0, |_| vec![7; 256])),
        ("with a key of zeros", changed(&xml, 0, |_| vec![0; 256])),
        ("with a key that is short", changed(&xml, 0, bytes(16))),
        ("with a changed key", changed(&xml, 0, flipped(9))),
        ("with a changed nonce", changed(&xml, 1, flipped(0))),
        ("with changed content", changed(&xml, 1, flipped(40))),
        ("without its end", changed(&xml, 1, |bytes| bytes[..bytes.len() - 1].to_vec())),
        ("of three bytes", changed(&xml, 1, bytes(3))),
        ("of nothing", swap(&xml, &value(&xml, 1), "")),
        ("of a nonce alone", changed(&xml, 1, bytes(12))),
        ("of a tag without content", changed(&xml, 1, bytes(28))),
        ("by a cipher that is not its own", named("xmlenc11#aes256-gcm", "xmlenc11#aes128-gcm")),
    ];
    let unsupported = [
        (
            "RSA with the padding of 1993",
            named(
                "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
                "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
            ),
        ),
        (
            "triple DES",
            named(
                "http://www.w3.org/2009/xmlenc11#aes256-gcm",
                "http://www.w3.org/2001/04/xmlenc#tripledes-cbc",
            ),
        ),
        ("a digest and a mask that differ", named("xmldsig#sha1", "xmldsig-more#sha384")),
        ("no cipher that we know", named("http://www.w3.org/2009/xmlenc11#aes256-gcm", "urn:x")),
        ("CBC in an unsigned response", of(Cipher::Aes256Cbc, scene, Signs::Assertion)),
        ("short CBC in an unsigned response", of(Cipher::Aes128Cbc, scene, Signs::Assertion)),
    ];
    let malformed = [
        ("not in base64", swap(&xml, &value(&xml, 1), "*")),
        ("without a key", swap(&xml, element(&xml, "EncryptedKey"), "")),
        (
            "with five keys",
            swap(&xml, element(&xml, "EncryptedKey"), &element(&xml, "EncryptedKey").repeat(5)),
        ),
        (
            "by reference",
            swap(
                &xml,
                &format!("<xenc:CipherValue>{}</xenc:CipherValue>", value(&xml, 1)),
                "<xenc:CipherReference URI=\"http://127.0.0.1:9/\"/>",
            ),
        ),
        ("nothing in it", within(&xml, "EncryptedAssertion", |part| swap(part, inside(part), ""))),
    ];
    let groups = [
        ("undecryptable", failed.to_vec()),
        ("encryption_unsupported", unsupported.to_vec()),
        ("malformed_saml", malformed.to_vec()),
    ];
    let files = groups.into_iter().flat_map(|(reason, files)| {
        files.into_iter().map(move |(name, xml)| Forgery::new(format!("encrypted: {name}"), xml, reason))
    });
    files.collect()
}

pub fn files(scene: &Scene) -> Vec<Forgery> {
    injected(scene).into_iter().chain(unopened(scene)).collect()
}

#[tokio::test]
async fn c10_who_can_encrypt_to_us_has_said_nothing_yet() {
    each_is_refused(injected).await;
}

#[tokio::test]
async fn h12_whatever_cannot_be_opened_looks_the_same() {
    each_is_refused(unopened).await;
}

/// One flow bears few files that cannot be opened; each is held against the first.
async fn each_is_refused(files: impl Fn(&Scene) -> Vec<Forgery>) {
    const FEW: usize = 5;
    let many = files(&Scene::opens().await).len();
    for first in (1..many).step_by(FEW) {
        let mut scene = Scene::opens().await;
        let mut files = files(&scene);
        files.truncate(many.min(first + FEW));
        files.drain(1..first);
        scene.refuses(files).await;
        scene.ends_well().await;
    }
}
