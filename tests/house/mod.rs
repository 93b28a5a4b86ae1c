//! The harness: what the stories are told with.
//!
//! - [`browser`]: a person at a real browser
//! - [`visitor`]: somebody without scripts, one request at a time
//! - [`node`]: the other side of every protocol, by other authors
//! - [`postgres`]: an empty database
// A harness offers more than one story needs.
#![allow(dead_code)]

pub mod browser;
pub mod chromedriver;
pub mod cookies;
pub mod dns;
pub mod form;
pub mod node;
pub mod postgres;
pub mod visitor;

mod introduction;
