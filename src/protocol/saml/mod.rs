//! SAML 2.0: messages, metadata and bindings, with one strict profile of XML Signature.

mod base64;
pub mod binding;
pub mod certificate;
pub mod encryption;
#[cfg(test)]
mod fixtures;
pub mod keys;
pub mod signature;
pub mod time;
pub mod xml;
