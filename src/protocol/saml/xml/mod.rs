//! XML as SAML needs it: a reader that cannot be fooled, its canonical form, and a writer that escapes.
//!
//! There is one way in. [`Document::parse`] scans the bytes once (`scan`) and lets the parser see nothing but a small,
//! dull part of XML: UTF-8, elements, attributes and text, without DTD, entities, processing instructions or anything
//! that two readers might read differently (threats C06 to C08, H14, H15). What is left is read through [`Element`],
//! which has no method that could be misled by a namespace or by a split text.

mod canonical;
mod reader;
mod scan;
mod writer;

pub use canonical::canonical;
pub use reader::{Document, Element, Malformed};
pub use scan::{Comments, Limits};
pub use writer::Writer;

/// The namespace of `xml:lang`, which is never declared (Namespaces in XML 1.0, section 3).
const XML: &str = "http://www.w3.org/XML/1998/namespace";

#[cfg(test)]
mod tests;
