//! What must hold of whatever was taken.

use std::time::Duration;

use crate::actors::{ANN, ATTRIBUTES, IDP, NOW};
use crate::protocol::saml::assertion::Assertion;

/// Whoever wrote the assertion.
pub fn sound(assertion: &Assertion) {
    assert_eq!(assertion.issuer, IDP);
    if let Some(name) = assertion.name_id.as_ref().map(|name| &name.value) {
        assert!(!name.is_empty() && name.trim() == name && !name.contains(char::is_control), "{name:?}");
    }
    assert!(!assertion.id.is_empty());
    assert!(assertion.not_on_or_after > NOW, "it would be forgotten before it is over");
    assert!(assertion.authn_instant <= NOW.plus(Duration::from_secs(60)));
}

/// Where the provider signed nothing but its own messages: they say what it said.
pub fn genuine(assertion: &Assertion) {
    sound(assertion);
    assert_eq!(assertion.id, "_a1");
    assert_eq!(assertion.name_id.as_ref(), Some(&*ANN));
    assert_eq!(assertion.session_index.as_deref(), Some("_s1"));
    assert_eq!(assertion.attributes, *ATTRIBUTES);
}
