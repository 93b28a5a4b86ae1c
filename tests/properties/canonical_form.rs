//! The canonical form is libxml2's, byte for byte: of whole documents and of parts, with the namespaces that a part
//! inherits, with a PrefixList, and with a signature taken out.

use behalf::protocol::saml::xml::{Document, Element, Limits, canonical};
use serde_json::{Value, json};

use super::documents::{Dice, document, signed_looking};
use crate::house::oracles::XmlOracle;

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const CASES: u64 = 1_500;

/// One question; `id` is nothing for the whole document.
#[derive(Clone)]
struct Case {
    seed: u64,
    xml: String,
    id: Option<String>,
    prefixes: Vec<&'static str>,
    without_signature: bool,
}

impl Case {
    fn of(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let without_signature = dice.one_in(2);
        let made = if without_signature { signed_looking(&dice) } else { document(&dice) };
        let lists = ["a", "b", "saml", "ds", "a-b", "_", "#default", "none", "xml"];
        let listed = if dice.one_in(3) { 1_000 } else { 3 };
        let prefixes = lists.into_iter().filter(|_| dice.one_in(listed)).collect();
        let id = (!dice.one_in(5)).then(|| format!("n{}", dice.below(made.elements)));
        Self { seed, xml: made.xml, id, prefixes, without_signature }
    }

    fn asked(&self) -> Value {
        json!({
            "xml": self.xml, "id": self.id, "prefixes": self.prefixes,
            "without_signature": self.without_signature,
        })
    }

    fn by_us(&self) -> String {
        let document = Document::parse(self.xml.as_bytes(), &Limits::MESSAGE)
            .unwrap_or_else(|error| panic!("{error}: seed {}: {}", self.seed, self.xml));
        let asked =
            |element: &Element<'_>| self.id.as_deref().is_none_or(|id| element.attr("ID") == Some(id));
        let element = document.root().descendants().find(asked).unwrap();
        let signature = if self.without_signature { element.child(DS, "Signature").unwrap() } else { None };
        String::from_utf8(canonical(element, &self.prefixes, signature).unwrap()).unwrap()
    }
}

async fn cases() -> Vec<(Case, String)> {
    let cases: Vec<_> = (0..CASES).map(Case::of).collect();
    let asked: Vec<_> = cases.iter().map(Case::asked).collect();
    let expected = XmlOracle::start().await.canonical_all(&asked).await.unwrap();
    cases.into_iter().zip(expected).collect()
}

/// The cases in which somebody says something else than the oracle, the shortest first.
fn wrong(cases: &[(Case, String)], says: impl Fn(&Case) -> String) -> Vec<&(Case, String)> {
    let mut wrong: Vec<_> = cases.iter().filter(|(case, expected)| says(case) != *expected).collect();
    wrong.sort_by_key(|(case, _)| case.xml.len());
    wrong
}

#[tokio::test]
async fn the_canonical_form_is_what_libxml2_makes_of_it() {
    let cases = cases().await;
    let wrong_cases = wrong(&cases, Case::by_us);
    if let Some((case, expected)) = wrong_cases.first() {
        let (many, seed, asked, ours) = (wrong_cases.len(), case.seed, case.asked(), case.by_us());
        panic!("{many} of {CASES}, seed {seed}: {asked}\nours:   {ours:?}\nlibxml: {expected:?}");
    }
    // Each rule decides some of the cases: whoever forgets it is caught.
    let without_default = |case: &Case| {
        case.prefixes.iter().copied().filter(|prefix| *prefix != "#default").collect::<Vec<_>>()
    };
    let forgetful = [
        wrong(&cases, |case| Case { prefixes: Vec::new(), ..case.clone() }.by_us()),
        wrong(&cases, |case| Case { prefixes: without_default(case), ..case.clone() }.by_us()),
        wrong(&cases, |case| Case { without_signature: false, ..case.clone() }.by_us()),
        wrong(&cases, |case| Case { id: None, ..case.clone() }.by_us()),
    ];
    let caught = forgetful.map(|wrong| wrong.len());
    assert!(caught.iter().all(|caught| *caught > 20), "{caught:?}");
}

/// With and without a PrefixList, an element's form says all that there is to say of it, and says it again.
#[test]
fn the_canonical_form_of_a_canonical_form_is_itself() {
    for case in (0..500).map(Case::of) {
        let once = case.by_us();
        let again = Case { xml: once.clone(), id: None, without_signature: false, ..case };
        assert_eq!(again.by_us(), once, "seed {}", again.seed);
    }
}
