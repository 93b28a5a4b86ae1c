//! An upstream SAML identity provider: the way there, and the way back.
//!
//! Its answer is posted by another site, so the browser sends no cookie along. It is verified where it arrives and put
//! aside as a proof; only the browser that holds the flow's cookie then takes the proof up (threats C28, H09).

pub mod answered;
mod asking;
pub mod pages;
mod unasked;

pub use asking::leave_for;
