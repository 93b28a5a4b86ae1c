//! All forged responses: what somebody could bring in the place of one person who was sent to his provider. The story
//! of each row posts its own; here they are counted and held against each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    c04_signature_wrapping, c05_verification_fails_closed, c06_lenient_xml, c07_comments,
    c08_canonical_forms, c09_brought_keys, c10_encryption_is_no_signature, h09_unsolicited, h10_addressees,
    h11_saml_times, h14_dtds, h16_weak_algorithms,
};
use crate::house::forgery::{Forgery, Scene};

fn families(scene: &Scene) -> Vec<(&'static str, Vec<Forgery>)> {
    vec![
        ("C04 wrapping", c04_signature_wrapping::wrapped(scene)),
        ("C04 ids", c04_signature_wrapping::ids(scene)),
        ("C04 places", c04_signature_wrapping::places(scene)),
        ("C05 no signature", c05_verification_fails_closed::files(scene)),
        ("C06 lenient XML", c06_lenient_xml::files(scene)),
        ("C07 comments", c07_comments::files(scene)),
        ("C08 canonical forms", c08_canonical_forms::files(scene)),
        ("C09 keys", c09_brought_keys::files(scene)),
        ("C10 encryption", c10_encryption_is_no_signature::files(scene)),
        ("H09 unsolicited", h09_unsolicited::files(scene)),
        ("H10 addressees", h10_addressees::files(scene)),
        ("H11 times", h11_saml_times::files(scene)),
        ("H14 DTDs", h14_dtds::files(scene)),
        ("H16 algorithms", h16_weak_algorithms::files(scene)),
    ]
}

#[tokio::test]
async fn the_corpus_has_what_it_should_and_each_file_is_of_its_own() {
    let scene = Scene::opens().await;
    let (mut names, mut files, mut reasons) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    let (mut count, mut fooling) = (0, 0);
    for (family, made) in families(&scene) {
        assert!(made.len() >= 7, "{family}");
        let bite =
            ["wrapping", "ids", "comments", "DTDs", "keys", "times", "addressees", "lenient", "algorithms"];
        let bites = made.iter().filter(|file| file.fools.is_some()).count();
        assert!(bites >= 3 || !bite.iter().any(|word| family.contains(word)), "{family} bites nobody");
        for file in made {
            count += 1;
            fooling += usize::from(file.fools.is_some());
            *reasons.entry(file.reason).or_insert(0) += 1;
            assert!(names.insert(file.name.clone()), "{} is there twice", file.name);
            assert!(files.insert(file.xml), "{} is the same file as another one", file.name);
        }
    }
    println!("{count} files, {fooling} of which fool a naive reader, {} reasons", reasons.len());
    assert!(count >= 400, "{count} files");
    assert!(fooling >= 100, "{fooling} fool a naive reader");
    assert!(reasons.len() >= 30, "{reasons:?}");
}
