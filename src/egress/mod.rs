//! The only way out: HTTP that no customer can turn against the house (SSRF), and DNS that no single
//! resolver can lie in.
//!
//! [`guard`] says where we may go, [`names`] where a name leads, [`http`] goes there; [`mail`] goes to the operator's own
//! server. Nothing else in the
//! house opens a connection on a customer's word.

pub mod collector;
pub mod dns;
pub mod documents;
pub mod guard;
pub mod http;
mod logos;
pub mod mail;
pub mod names;
pub mod openid;
