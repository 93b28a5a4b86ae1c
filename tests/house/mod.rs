//! The harness: what the stories are told with.
//!
//! - [`browser`]: a person at a real browser
//! - [`visitor`]: somebody without scripts, one request at a time
//! - [`node`]: the other side of every protocol, by other authors
//! - [`simplesamlphp`]: a customer's SAML identity provider, by other authors
//! - [`oracles`]: what other authors think of our XML, signatures and SAML messages
//! - [`postgres`]: an empty database
//! - [`smtp`]: a mail server, by another author
//! - [`broker`]: a whole broker of one's own, with [`lying_idp`] and [`lying_saml_idp`] as its customers' identity
//!   providers and [`application`] as what people sign in to
//! - [`key_holder`]: an application that proves with every request that it holds a key
//! - [`apache`]: a website that leaves signing people in to its server
//! - [`certificates`]: what clients show in TLS, and who vouches for it
//! - [`api`]: a caller of the administration API, and [`answers`], what it is told
//! - [`ear`]: what an application hears of sessions that ended
//! - [`forgery`]: answers that must be refused, and [`naive_saml_sp`], who takes them
// A harness offers more than one story needs.
#![allow(dead_code)]

pub mod answers;
pub mod apache;
pub mod api;
pub mod application;
pub mod broker;
pub mod browser;
pub mod certificates;
pub mod chromedriver;
pub mod cookies;
pub mod device;
pub mod dns;
pub mod ear;
pub mod forgery;
pub mod form;
pub mod heavy_keys;
pub mod key_holder;
pub mod lying_idp;
pub mod lying_saml_idp;
pub mod naive_saml_sp;
pub mod node;
pub mod oracles;
pub mod people;
pub mod ports;
pub mod postgres;
pub mod publisher;
pub mod simplesamlphp;
pub mod smtp;
pub mod surgery;
pub mod trial;
pub mod visitor;

mod introduction;
mod introduction_saml;
