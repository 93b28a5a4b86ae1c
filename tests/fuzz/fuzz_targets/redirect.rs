//! The query of a redirect, as it was received. Only what the provider signed is signed.
#![no_main]

use behalf_fuzz::actors::PROVIDER;
use behalf_fuzz::protocol::saml::binding::{Carried, RedirectMessage, post, redirect_url};
use libfuzzer_sys::fuzz_target;

const INFLATED: usize = 256 * 1024;

fuzz_target!(|input: &[u8]| {
    let Ok(query) = std::str::from_utf8(input) else { return };
    let _ = post::decode(query);
    for which in [Carried::Request, Carried::Response] {
        let Ok(read) = RedirectMessage::read(query, which) else { continue };
        assert!(read.xml.len() <= INFLATED);
        assert!(read.verified(&[]).is_err());
        if read.verified(&PROVIDER.keys).is_ok() {
            assert!(read.xml.starts_with(b"<samlp:Logout"), "the provider signed no such message");
        }
        written_again(&read, which);
    }
});

/// What was read is what is read when it is sent once more.
fn written_again(read: &RedirectMessage<'_>, which: Carried) {
    let Ok(xml) = std::str::from_utf8(&read.xml) else { return };
    let state = read.relay_state.as_deref();
    let Ok(url) = redirect_url("https://idp.a.test/slo", which, xml, state, &PROVIDER.key) else { return };
    let (_, query) = url.split_once('?').expect("a query");
    let Ok(again) = RedirectMessage::read(query, which) else {
        // It is deflated less well than it was.
        assert!(query.len() > 64 * 1024);
        return;
    };
    assert_eq!(again.xml, read.xml);
    assert_eq!(again.relay_state, read.relay_state);
    assert!(again.verified(&PROVIDER.keys).is_ok());
}
