//! H14 and H15: document types, entities, and documents that are work.

use std::net::TcpListener;

use crate::house::forgery::{BOB, Forgery, Scene};
use crate::house::surgery::{before, swap, swap_all, within};

fn typed(xml: &str, subset: &str) -> String {
    format!("<!DOCTYPE Response {subset}>{xml}")
}

fn dtds(scene: &Scene, canary: &str) -> Vec<Forgery> {
    let honest = scene.honest();
    let named = |entity: &str| swap_all(&honest, "id-of-bob", entity);
    let laughs: String = (1..10)
        .map(|level| format!("<!ENTITY l{level} \"{}\">", format!("&l{};", level - 1).repeat(10)))
        .collect();
    let within_status = |what: &str| before(&honest, "<samlp:StatusCode", what);
    let file = |name: &str, xml: String| Forgery::new(format!("DTD: {name}"), xml, "malformed_saml");
    vec![
        file("empty", typed(&honest, "")).fooling(BOB),
        file("an empty subset", typed(&honest, "[]")).fooling(BOB),
        file("in lower case", format!("<!doctype Response>{honest}")),
        file("an entity that is the name", typed(&named("id-of-&who;"), "[<!ENTITY who \"bob\">]"))
            .fooling(BOB),
        file("an entity that is an element", typed(&honest, "[<!ENTITY x \"<x/>\">]")),
        file(
            "an external entity, a file",
            typed(&within_status("&x;"), "[<!ENTITY x SYSTEM \"file:///etc/hostname\">]"),
        ),
        file(
            "an external entity, a file that is not there",
            typed(&within_status("&x;"), "[<!ENTITY x SYSTEM \"file:///nowhere\">]"),
        ),
        file(
            "an external entity, an address",
            typed(&within_status("&x;"), &format!("[<!ENTITY x SYSTEM \"{canary}x\">]")),
        ),
        file("an external entity, unused", typed(&honest, &format!("[<!ENTITY x SYSTEM \"{canary}y\">]"))),
        file("an external subset", typed(&honest, &format!("SYSTEM \"{canary}dtd\""))),
        file("a public external subset", typed(&honest, &format!("PUBLIC \"-//x//x\" \"{canary}dtd\""))),
        file("a parameter entity", typed(&honest, &format!("[<!ENTITY % p SYSTEM \"{canary}p\">%p;]"))),
        file("laughs", typed(&within_status("&l9;"), &format!("[<!ENTITY l0 \"lol\">{laughs}]"))),
        file("an entity of itself", typed(&within_status("&x;"), "[<!ENTITY x \"&x;\">]")),
        file("attributes by default", typed(&honest, "[<!ATTLIST samlp:Response Version CDATA \"2.0\">]"))
            .fooling(BOB),
        file("an id by declaration", typed(&honest, "[<!ATTLIST samlp:Status x ID #IMPLIED>]")).fooling(BOB),
        file("a notation", typed(&honest, "[<!NOTATION n SYSTEM \"n\">]")),
        file("after the root", format!("{honest}<!DOCTYPE Response>")),
        file("inside", within_status("<!DOCTYPE x>")),
        file("an entity outside of one", within_status("<!ENTITY x \"y\">")),
        file("an entity that nothing declares", named("id-of-&who;")),
        file("a conditional section", within_status("<![INCLUDE[x]]>")),
    ]
}

/// Each of them is the most that one limit does not allow.
fn heavy(scene: &Scene) -> Vec<Forgery> {
    let honest = scene.honest();
    let status = |what: &str| before(&honest, "<samlp:StatusCode", what);
    let nested = |count: usize| "<x>".repeat(count) + &"</x>".repeat(count);
    let attributes = |count: usize| {
        let all: String = (0..count).map(|number| format!(" a{number}=\"\"")).collect();
        status(&format!("<x{all}/>"))
    };
    let spaces: String = (0..1_200)
        .map(|number| (0..8).map(|one| format!(" xmlns:p{one}=\"urn:{number}\"")).collect::<String>())
        .map(|all| format!("<x{all}/>"))
        .collect();
    let file = |name: &str, xml: String| Forgery::new(format!("heavy: {name}"), xml, "malformed_saml");
    vec![
        file("depth of 64", status(&nested(64))),
        file("depth of 10,000", status(&nested(10_000))),
        file("depth that does not end", status(&"<x>".repeat(10_000))),
        file("49 attributes", attributes(49)),
        file("20,000 attributes", attributes(20_000)),
        file("100,000 elements", status(&"<x/>".repeat(100_000))),
        file("9,600 declarations", status(&spaces)),
        file("a name of 200 bytes", status(&format!("<{}/>", "x".repeat(200)))),
        file(
            "more than 512 KiB",
            within(&honest, "StatusCode", |code| {
                swap(code, "Value", &format!("x=\"{}\" Value", "y".repeat(512 * 1024)))
            }),
        ),
    ]
}

pub fn files(scene: &Scene) -> Vec<Forgery> {
    let mut files = dtds(scene, "http://127.0.0.1:9/");
    files.extend(heavy(scene));
    files
}

#[tokio::test]
async fn h14_a_document_type_is_refused_and_nothing_is_fetched() {
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let address = format!("http://{}/", canary.local_addr().unwrap());
    let mut scene = Scene::opens().await;
    scene.refuses(dtds(&scene, &address)).await;
    assert!(canary.accept().is_err(), "somebody came for the canary");
    scene.ends_well().await;
}

#[tokio::test]
async fn h15_a_document_that_is_work_is_refused_before_the_work() {
    let mut scene = Scene::opens().await;
    scene.refuses(heavy(&scene)).await;
    scene.ends_well().await;
}
