//! SAML 2.0: messages, metadata and bindings, with one strict profile of XML Signature.

pub mod keys;
pub mod signature;
pub mod xml;
