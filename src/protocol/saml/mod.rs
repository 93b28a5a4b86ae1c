//! SAML 2.0: messages, metadata and bindings, with one strict profile of XML Signature.

#[cfg(test)]
pub(crate) mod actors;
pub mod assertion;
pub mod authn_request;
mod base64;
pub mod binding;
pub mod certificate;
pub mod encryption;
#[cfg(test)]
mod fixtures;
pub mod keys;
pub mod logout;
pub mod message;
pub mod metadata;
pub mod names;
pub mod outline;
pub mod redact;
pub mod refused;
pub mod response;
pub mod signature;
pub mod status;
pub mod time;
pub mod xml;
