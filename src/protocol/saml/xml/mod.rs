//! XML as SAML needs it: a reader that cannot be fooled, its canonical form, and a writer that escapes.

mod canonical;
mod reader;
mod writer;

pub use canonical::canonical;
pub use reader::{Comments, Document, Element, Limits, Malformed};
pub use writer::Writer;
