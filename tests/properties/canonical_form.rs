//! The canonical form is libxml2's, byte for byte.

use std::fs;
use std::process::Command;

use behalf::protocol::saml::xml::{Document, Limits, canonical};

use super::documents::{Dice, document};

/// One question to an oracle; `id` is nothing for the whole document.
struct Case {
    xml: String,
    id: Option<String>,
    prefixes: Vec<&'static str>,
}

const CASES: u64 = 500;

#[test]
fn a_whole_document_is_what_libxml2_makes_of_it() {
    let cases: Vec<_> =
        (0..CASES).map(|seed| Case { id: None, prefixes: Vec::new(), ..case(seed) }).collect();
    for (case, expected) in cases.iter().zip(by_xmllint(&cases)) {
        assert_eq!(by_us(case), expected, "{}", case.xml);
    }
}

/// With and without a PrefixList, an element's form says all that there is to say of it, and says it again.
#[test]
fn the_canonical_form_of_a_canonical_form_is_itself() {
    for seed in 0..CASES {
        let case = case(seed);
        let once = by_us(&case);
        assert_eq!(
            by_us(&Case { xml: once.clone(), id: None, prefixes: case.prefixes }),
            once,
            "{}",
            case.xml
        );
    }
}

fn case(seed: u64) -> Case {
    let dice = Dice::new(seed);
    let made = document(&dice);
    let lists = ["a", "b", "saml", "ds", "a-b", "#default", "none", "xml"];
    let prefixes = lists.into_iter().filter(|_| dice.one_in(3)).collect();
    Case { xml: made.xml, id: Some(format!("n{}", dice.below(made.elements))), prefixes }
}

fn by_us(case: &Case) -> String {
    let document = Document::parse(case.xml.as_bytes(), &Limits::MESSAGE)
        .unwrap_or_else(|error| panic!("{error}: {}", case.xml));
    let asked = |element: &behalf::protocol::saml::xml::Element<'_>| match &case.id {
        Some(id) => element.attr("ID") == Some(id),
        None => true,
    };
    let element = document.root().descendants().find(asked).unwrap();
    String::from_utf8(canonical(element, &case.prefixes, None).unwrap()).unwrap()
}

/// Whole documents only.
fn by_xmllint(cases: &[Case]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let answer = |case: &Case| {
        let file = folder.path().join("document");
        fs::write(&file, &case.xml).unwrap();
        let made = Command::new("xmllint").args(["--nonet", "--exc-c14n"]).arg(file).output().unwrap();
        assert!(made.status.success(), "{}: {}", case.xml, String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap()
    };
    cases.iter().map(answer).collect()
}
