//! Any bytes: a document or a refusal; and the canonical form of a document is its own canonical form.
#![no_main]

use behalf_fuzz::protocol::saml::xml::{Document, Limits, canonical};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    for limits in [Limits::MESSAGE, Limits::METADATA] {
        let Ok(document) = Document::parse(text, &limits) else { continue };
        let Ok(once) = canonical(document.root(), &[], None) else { continue };
        // It may be longer than what it was made of, and so over a limit.
        let Ok(again) = Document::parse(&once, &Limits::METADATA) else { continue };
        let twice = canonical(again.root(), &[], None).expect("what is canonical has a canonical form");
        assert_eq!(once, twice);
        assert_eq!(document.root().descendants().count(), again.root().descendants().count());
    }
});
