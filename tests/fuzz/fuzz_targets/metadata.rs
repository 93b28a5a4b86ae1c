//! Metadata of identity providers, in which comments may stand, alone and as an aggregate, pinned and not.
#![no_main]

use behalf_fuzz::actors::{IDP, NOW, PROVIDER};
use behalf_fuzz::protocol::saml::metadata::{IdpMetadata, read};
use behalf_fuzz::protocol::saml::signature::sign_enveloped;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|xml: &[u8]| {
    for wanted in [None, Some(IDP)] {
        if let Ok(read) = read(xml, wanted, None, NOW) {
            assert!(!read.verified);
            check(&read, wanted);
        }
        // Nobody but the provider has signed anything, and it signed its own metadata only.
        if let Ok(read) = read(xml, wanted, Some(&PROVIDER.keys), NOW) {
            assert!(read.verified);
            assert_eq!(read.entity_id, IDP);
            check(&read, wanted);
        }
    }
    let Ok(text) = std::str::from_utf8(xml) else { return };
    let Ok(signed) = sign_enveloped(text, "_m1", &PROVIDER.key, None) else { return };
    if let Ok(read) = read(signed.as_bytes(), None, Some(&PROVIDER.keys), NOW) {
        check(&read, None);
    }
});

/// Never an identity provider without a key or an address, nor an address that is not of the web.
fn check(read: &IdpMetadata, wanted: Option<&str>) {
    assert!(!read.signing.is_empty() && !read.sso.is_empty());
    assert!(wanted.is_none_or(|wanted| wanted == read.entity_id));
    assert!(read.valid_until.is_none_or(|until| until > NOW));
    for endpoint in read.sso.iter().chain(&read.slo) {
        let location = endpoint.location.to_ascii_lowercase();
        assert!(location.starts_with("http://") || location.starts_with("https://"), "{location}");
    }
}
