//! C06: what one parser overlooks and another one does not. Every file says the same as the honest one to a lenient
//! reader, and what is signed of it is untouched.

use crate::house::forgery::{BOB, Forgery, Scene};
use crate::house::surgery::{after, before, swap, within};

fn utf16(text: &str, mark: bool, big: bool) -> Vec<u8> {
    let mark = if mark { "\u{feff}" } else { "" };
    let units = mark.encode_utf16().chain(text.encode_utf16());
    units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

fn spliced(xml: &str, mark: &str, bytes: &[u8]) -> Vec<u8> {
    let at = xml.find(mark).unwrap();
    [&xml.as_bytes()[..at], bytes, &xml.as_bytes()[at..]].concat()
}

pub fn files(scene: &Scene) -> Vec<Forgery> {
    let xml = scene.honest();
    let declared = |text: &str| format!("{text}{xml}").into_bytes();
    let whole = xml.clone().into_bytes();
    let then = |more: &[u8]| [whole.as_slice(), more].concat();
    let code = "<samlp:StatusCode";
    let head = |what: &str| swap(&xml, "<samlp:Response ", &format!("<samlp:Response {what} ")).into_bytes();
    let status = |what: &str| before(&xml, code, what).into_bytes();
    let honest: Vec<(&str, Vec<u8>)> = vec![
        ("an element after the root", then(b"<x/>")),
        ("a second response after the root", then(scene.evil().as_bytes())),
        ("text after the root", then(b"junk")),
        ("an entity after the root", then(b"&#32;")),
        ("a NUL after the root", then(b"\0")),
        ("the last sign is missing", whole[..whole.len() - 1].to_vec()),
        ("the end tag is missing", xml.replace("</samlp:Response>", "").into_bytes()),
        (
            "the end tag is of another prefix",
            xml.replace("</samlp:Response>", "</saml:Response>").into_bytes(),
        ),
        ("text before the root", declared("junk")),
        ("a blank before the declaration", declared(" <?xml version=\"1.0\"?>")),
        ("two declarations", declared("<?xml version=\"1.0\"?><?xml version=\"1.0\"?>")),
        ("a declaration inside", status("<?xml version=\"1.0\"?>")),
        ("XML 1.1", declared("<?xml version=\"1.1\"?>")),
        ("no version", declared("<?xml encoding=\"UTF-8\"?>")),
        ("declared as ISO-8859-1", declared("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>")),
        ("declared as UTF-7", declared("<?xml version=\"1.0\" encoding=\"UTF-7\"?>")),
        ("declared as UTF-16", declared("<?xml version=\"1.0\" encoding=\"UTF-16\"?>")),
        ("declared as EBCDIC", declared("<?xml version=\"1.0\" encoding=\"IBM037\"?>")),
        ("a byte order mark", declared("\u{feff}")),
        ("UTF-16, little endian", utf16(&xml, true, false)),
        ("UTF-16, big endian", utf16(&xml, true, true)),
        ("UTF-16 without a mark", utf16(&xml, false, false)),
        ("nothing", Vec::new()),
        ("a blank", b" ".to_vec()),
        ("no XML", b"SAMLResponse".to_vec()),
        ("a NUL in a tag", spliced(&xml, code, b"\0")),
        ("a vertical tab", spliced(&xml, code, b"\x0b")),
        ("U+FFFE", spliced(&xml, code, "\u{fffe}".as_bytes())),
        ("an overlong blank", spliced(&xml, code, b"\xc0\xa0")),
        ("an overlong <", spliced(&xml, code, b"\xc0\xbc")),
        ("a surrogate in UTF-8", spliced(&xml, code, b"\xed\xa0\x80")),
        ("a byte that is no UTF-8", spliced(&xml, code, b"\xff")),
        ("the reference of a NUL", status("&#0;")),
        ("the reference of a surrogate", status("&#xD800;")),
        ("a reference that nobody defined", status("&nbsp;")),
        ("a bare ampersand", status(" & ")),
        ("]]> in a text", status("]]>")),
        ("an attribute twice", head("Version=\"2.0\"")),
        (
            "an attribute twice by two prefixes",
            head("xmlns:a=\"urn:a\" xmlns:b=\"urn:a\" a:x=\"1\" b:x=\"2\""),
        ),
        ("an attribute without quotes", head("x=1")),
        ("an attribute without a value", head("x")),
        ("< in an attribute", head("x=\"<\"")),
        ("a prefix that is not declared", head("x:y=\"1\"")),
        ("an element of an undeclared prefix", status("<x:y/>")),
        ("overlapping elements", status("<samlp:a><samlp:b></samlp:a></samlp:b>")),
        ("an element without a name", status("<>")),
        ("a colon too many", status("<samlp:a:b/>")),
        ("a character section", status("<![CDATA[ ]]>")),
        (
            "a character section in the name",
            within(&xml, "NameID", |name| swap(name, "id-of-bob", "<![CDATA[id-of-bob]]>")).into_bytes(),
        ),
    ];
    // What a lenient reader reads and takes for the honest file.
    let fooling = [
        "an element after the root",
        "a NUL after the root",
        "text after the root",
        "a character section",
        "a character section in the name",
        "declared as ISO-8859-1",
    ];
    let made = honest.into_iter().map(|(name, bytes)| {
        let file = Forgery::new(format!("lenient XML: {name}"), bytes, "malformed_saml");
        if fooling.contains(&name) { file.fooling(BOB) } else { file }
    });
    let between = after(&xml, "</samlp:Status>", "stray").into_bytes();
    let other = [
        ("text between elements", between, "malformed_saml"),
        ("another root", xml.replace("samlp:Response", "samlp:ArtifactResponse").into_bytes(), "structure"),
        (
            "another namespace",
            xml.replacen("SAML:2.0:protocol", "SAML:1.0:protocol", 1).into_bytes(),
            "structure",
        ),
    ];
    made.chain(other.map(|(name, bytes, reason)| Forgery::new(format!("lenient XML: {name}"), bytes, reason)))
        .collect()
}

#[tokio::test]
async fn c06_what_only_a_lenient_parser_reads_is_not_read() {
    let mut scene = Scene::opens().await;
    let files = files(&scene);
    assert!(files.len() >= 25);
    scene.refuses(files).await;
    scene.ends_well().await;
}
