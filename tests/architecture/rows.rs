//! Every capability that the product must have, by the id of its row, and how it stands. A row is proved by tests whose
//! names hold its id.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use super::reader::{home, rust_files};

/// How a row stands.
#[derive(Clone, Copy)]
enum Row {
    /// Tests name it.
    Tested,
    /// It says what this one says.
    As(&'static str),
    /// Nothing proves it before this is built.
    Waits(&'static str),
}

use Row::{As, Tested, Waits};

const CONSOLE: &str = "the console";
const LOCAL_SIGN_IN: &str = "sign-in without an identity provider";
const SAML_APPLICATIONS: &str = "applications that speak SAML";
const SCIM: &str = "directories";

/// How many rows each of the four lists has.
const LISTS: [(&str, usize); 4] = [("S0-", 35), ("S1-", 95), ("S2-", 45), ("S3-", 36)];

#[rustfmt::skip]
const ROWS: &[(&str, Row)] = &[
    ("S0-01", Tested),
    ("S0-02", Tested),
    ("S0-03", Tested),
    ("S0-04", Tested),
    ("S0-05", Tested),
    ("S0-06", Tested),
    ("S0-07", Tested),
    ("S0-08", Tested),
    ("S0-09", Tested),
    ("S0-10", Tested),
    ("S0-11", Tested),
    ("S0-12", Tested),
    ("S0-13", Waits(CONSOLE)),
    ("S0-14", Tested),
    ("S0-15", Tested),
    ("S0-16", Tested),
    ("S0-17", Tested),
    ("S0-18", Tested),
    ("S0-19", Tested),
    ("S0-20", Tested),
    ("S0-21", Tested),
    ("S0-22", Tested),
    ("S0-23", Tested),
    ("S0-24", Tested),
    ("S0-25", Tested),
    ("S0-26", Tested),
    ("S0-27", Tested),
    ("S0-28", Tested),
    ("S0-29", Tested),
    ("S0-30", Tested),
    ("S0-31", Tested),
    ("S0-32", Tested),
    ("S0-33", Tested),
    ("S0-34", Tested),
    ("S0-35", Tested),
    ("S1-O1", Tested),
    ("S1-O2", Tested),
    ("S1-O3", Tested),
    ("S1-O4", Tested),
    ("S1-O5", Tested),
    ("S1-O6", Tested),
    ("S1-O7", As("S1-R10")),
    ("S1-W1", Tested),
    ("S1-W2", Tested),
    ("S1-W3", Tested),
    ("S1-W4", Tested),
    ("S1-W5", Tested),
    ("S1-W6", Tested),
    ("S1-L1", As("S1-R02")),
    ("S1-L2", Tested),
    ("S1-L3", Tested),
    ("S1-L4", Tested),
    ("S1-L5", Tested),
    ("S1-L6", Tested),
    ("S1-L7", Tested),
    ("S1-L8", Tested),
    ("S1-P0", Tested),
    ("S1-P1", Tested),
    ("S1-P2A", Tested),
    ("S1-P2B", Tested),
    ("S1-P2C", Tested),
    ("S1-P2D", Tested),
    ("S1-P2E", Tested),
    ("S1-P3", Tested),
    ("S1-P4", Tested),
    ("S1-P5", Tested),
    ("S1-P6", Tested),
    ("S1-P7", Tested),
    ("S1-P8", Tested),
    ("S1-T1", Tested),
    ("S1-T2", Tested),
    ("S1-D1", Tested),
    ("S1-D2", Tested),
    ("S1-D3", Tested),
    ("S1-D4", Tested),
    ("S1-D5", Tested),
    ("S1-D6", Tested),
    ("S1-D7", Tested),
    ("S1-D8", Tested),
    ("S1-D9", Tested),
    ("S1-D10", Tested),
    ("S1-D11", Tested),
    ("S1-RO1", Tested),
    ("S1-RO2", Tested),
    ("S1-RO3", Tested),
    ("S1-RO4", Tested),
    ("S1-C1", Waits(SCIM)),
    ("S1-C2", Waits(SCIM)),
    ("S1-C3", Waits(SCIM)),
    ("S1-C4", Waits(SCIM)),
    ("S1-C5", Waits(SCIM)),
    ("S1-C6", Waits(SCIM)),
    ("S1-C7", Waits(SCIM)),
    ("S1-C8", Waits(SCIM)),
    ("S1-C9", Waits(SCIM)),
    ("S1-C10", Waits(SCIM)),
    ("S1-R00", Tested),
    ("S1-R01", Tested),
    ("S1-R02", Tested),
    ("S1-R03", Tested),
    ("S1-R04", Tested),
    ("S1-R05", Tested),
    ("S1-R06", Tested),
    ("S1-R07", Tested),
    ("S1-R08", Tested),
    ("S1-R09", Tested),
    ("S1-R10", Tested),
    ("S1-R11", Tested),
    ("S1-R12", Tested),
    ("S1-R13", Tested),
    ("S1-R14", Tested),
    ("S1-R15", Tested),
    ("S1-R16", Tested),
    ("S1-R17", Tested),
    ("S1-R18", Tested),
    ("S1-R19", Tested),
    ("S1-R20", Tested),
    ("S1-R21", Tested),
    ("S1-R22", Tested),
    ("S1-R23", Tested),
    ("S1-R24", Tested),
    ("S1-R25", Tested),
    ("S1-A1", Tested),
    ("S1-A2", Tested),
    ("S1-A3", Tested),
    ("S1-A4", Waits(LOCAL_SIGN_IN)),
    ("S1-A5", Tested),
    ("S1-A6", Waits(SCIM)),
    ("S1-A7", Tested),
    ("S1-A8", Tested),
    ("S2-01", Tested),
    ("S2-02", Tested),
    ("S2-03", Waits(SAML_APPLICATIONS)),
    ("S2-04", Tested),
    ("S2-05", Tested),
    ("S2-06", Tested),
    ("S2-07", Tested),
    ("S2-08", Tested),
    ("S2-09", Tested),
    ("S2-10", Tested),
    ("S2-11", Tested),
    ("S2-12", Tested),
    ("S2-13", Tested),
    ("S2-14", Tested),
    ("S2-15", Tested),
    ("S2-16", Tested),
    ("S2-17", Tested),
    ("S2-18", Tested),
    ("S2-19", Tested),
    ("S2-20", Tested),
    ("S2-21", Tested),
    ("S2-22", Tested),
    ("S2-23", Waits(SAML_APPLICATIONS)),
    ("S2-24", Tested),
    ("S2-25", Tested),
    ("S2-26", Tested),
    ("S2-27", Tested),
    ("S2-28", Waits(CONSOLE)),
    ("S2-29", Tested),
    ("S2-30", Tested),
    ("S2-31", Tested),
    ("S2-32", Tested),
    ("S2-33", Waits(CONSOLE)),
    ("S2-34", Tested),
    ("S2-35", Tested),
    ("S2-36", Tested),
    ("S2-37", Tested),
    ("S2-38", Tested),
    ("S2-39", Tested),
    ("S2-40", Tested),
    ("S2-41", Tested),
    ("S2-42", Waits(CONSOLE)),
    ("S2-43", Waits(CONSOLE)),
    ("S2-44", Waits(CONSOLE)),
    ("S2-45", As("S1-R05")),
    ("S3-01", Tested),
    ("S3-02", As("S0-03")),
    ("S3-03", As("S0-32")),
    ("S3-04", Tested),
    ("S3-05", Tested),
    ("S3-06", Tested),
    ("S3-07", Tested),
    ("S3-08", Waits(LOCAL_SIGN_IN)),
    ("S3-09", Tested),
    ("S3-10", Tested),
    ("S3-11", Tested),
    ("S3-12", Waits(SCIM)),
    ("S3-13", Tested),
    ("S3-14", Waits(SCIM)),
    ("S3-15", Tested),
    ("S3-16", Tested),
    ("S3-17", Tested),
    ("S3-18", Tested),
    ("S3-19", Tested),
    ("S3-20", Tested),
    ("S3-21", Tested),
    ("S3-22", Tested),
    ("S3-23", Tested),
    ("S3-24", Tested),
    ("S3-25", Tested),
    ("S3-26", Tested),
    ("S3-27", Tested),
    ("S3-28", Tested),
    ("S3-29", Tested),
    ("S3-30", Tested),
    ("S3-31", Tested),
    ("S3-32", Tested),
    ("S3-33", Tested),
    ("S3-34", Tested),
    ("S3-35", Tested),
    ("S3-36", Tested),
];

#[test]
fn every_row_is_proved_or_says_what_it_waits_for() {
    let rows: BTreeMap<&str, Row> = ROWS.iter().copied().collect();
    assert_eq!(rows.len(), ROWS.len(), "no row stands there twice");
    for (list, count) in LISTS {
        assert_eq!(rows.keys().filter(|id| id.starts_with(list)).count(), count, "{list}");
    }
    let named = named_by_tests();
    let mut wrong = Vec::new();
    for (id, row) in &rows {
        match row {
            Tested if !named.contains(*id) => wrong.push(format!("{id}: no test names it")),
            As(other) if !rows.contains_key(other) || matches!(rows[other], As(_)) => {
                wrong.push(format!("{id}: {other} is no row of its own"));
            }
            As(_) | Waits(_) if named.contains(*id) => wrong.push(format!("{id}: a test names it by now")),
            Waits(what) => println!("{id} waits for {what}"),
            Tested | As(_) => {}
        }
    }
    for id in named.iter().filter(|id| !rows.contains_key(id.as_str())) {
        wrong.push(format!("{id}: a test names it, and it is no row"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The ids in the names of all tests: `s1_r05_s3_36_…` names S1-R05 and S3-36.
fn named_by_tests() -> BTreeSet<String> {
    let mut tests = Tests::default();
    for file in ["src", "tests"].iter().flat_map(|folder| rust_files(&home().join(folder))) {
        tests.visit_file(&syn::parse_file(&std::fs::read_to_string(&file).unwrap()).unwrap());
    }
    tests.0.iter().flat_map(|name| ids(name)).collect()
}

#[derive(Default)]
struct Tests(Vec<String>);

impl<'ast> Visit<'ast> for Tests {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        let is_test = |attribute: &syn::Attribute| {
            attribute.path().segments.last().is_some_and(|last| last.ident == "test")
        };
        // A function of a story that runs on both databases is called by a macro; one that nothing calls is a warning.
        let name = function.sig.ident.to_string();
        if function.attrs.iter().any(is_test)
            || ["s0_", "s1_", "s2_", "s3_"].iter().any(|list| name.starts_with(list))
        {
            self.0.push(name);
        }
        visit::visit_item_fn(self, function);
    }
}

/// `s1_ro4_…` holds S1-RO4; also later in the name.
fn ids(name: &str) -> Vec<String> {
    let parts: Vec<_> = name.split('_').collect();
    let is_list = |part: &str| matches!(part, "s0" | "s1" | "s2" | "s3");
    let is_place = |part: &str| {
        let digits = part.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
        let digits = digits.strip_suffix(|letter: char| letter.is_ascii_lowercase()).unwrap_or(digits);
        part.len() >= 2 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let pairs = parts.windows(2).filter(|pair| is_list(pair[0]) && is_place(pair[1]));
    pairs.map(|pair| format!("{}-{}", pair[0], pair[1]).to_uppercase()).collect()
}
