//! Organizations and everything that belongs to them, as an operator or their own people keep them.

pub mod house_file;
