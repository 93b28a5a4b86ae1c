//! Metadata (SAML Metadata 2.0): a customer's identity provider is read, our service provider is written.

mod duration;
mod find;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Dropped, Endpoint, IdpMetadata, MetadataError, Scope, read, read_again};
pub use write::{ServiceProvider, write};
