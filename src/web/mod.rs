//! How a room meets a visitor: who they are to us, what they hold in their hands, and how they are answered.

pub mod accept;
pub mod browser;
pub mod client_certificate;
pub mod coding;
pub mod cookies;
pub mod cors;
pub mod dpop;
pub mod form;
pub mod front;
pub mod holder;
pub mod json;
pub mod language;
pub mod layers;
pub mod lost;
pub mod query;
pub mod reply;
pub mod templates;
pub mod visitor;
