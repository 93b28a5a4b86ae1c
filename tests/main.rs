//! Stories about the whole house, in one binary.

mod attacks;
mod house {
    pub mod dns;
}
