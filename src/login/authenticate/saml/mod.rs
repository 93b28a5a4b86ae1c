//! An upstream SAML identity provider: the way there, and the way back.
//!
//! Its answer is posted by another site, so the browser sends no cookie along. It is verified where it arrives and put
//! aside as a proof, and the browser that posted it gets a ticket. Ticket and flow cookie together take the proof up:
//! neither who only brought the answer nor who only began the flow can (threats C28, H09).

pub mod answered;
mod asking;
pub mod pages;
pub mod unasked;

pub use asking::leave_for;
