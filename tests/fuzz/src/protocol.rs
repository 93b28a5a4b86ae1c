#[path = "../../../src/protocol/saml/mod.rs"]
pub mod saml;
