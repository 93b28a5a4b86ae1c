//! What holds for every document, tried on many. Each is made from a seed, and a failure shows the document.

mod canonical_form;
mod documents;
mod mutants;
mod signatures;
