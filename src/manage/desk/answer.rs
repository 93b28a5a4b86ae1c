//! How an operation answers, and what is held against `If-Match` and `If-None-Match`.

use std::marker::PhantomData;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::foundation::secret::Digest;
use crate::manage::refused::{Code, Refused};
use crate::web::reply::Fault;

/// What is answered, and of which shape it is.
pub struct Answer<A> {
    pub reply: Reply,
    /// Whether it was given before.
    pub is_replayed: bool,
    shape: PhantomData<fn() -> A>,
}

/// An answer as it goes out, and as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    pub status: u16,
    pub etag: Option<String>,
    /// A path of the project's.
    pub location: Option<String>,
    /// What it is kept as, where it is a file.
    #[serde(default)]
    pub file: Option<String>,
    pub body: Value,
}

impl<A> Answer<A> {
    /// One that was given before.
    pub(super) fn replayed(reply: Reply) -> Self {
        Self { reply, is_replayed: true, shape: PhantomData }
    }
}

impl<A: Serialize> Answer<A> {
    pub fn new(status: u16, body: &A) -> Result<Self, Refused> {
        let body = serde_json::to_value(body).map_err(|error| Refused::from(Fault::from(error)))?;
        let reply = Reply { status, etag: None, location: None, file: None, body };
        Ok(Self { reply, is_replayed: false, shape: PhantomData })
    }

    #[must_use]
    pub fn etag(mut self, etag: String) -> Self {
        self.reply.etag = Some(etag);
        self
    }

    #[must_use]
    pub fn location(mut self, location: String) -> Self {
        self.reply.location = Some(location);
        self
    }

    #[must_use]
    pub fn file(mut self, name: String) -> Self {
        self.reply.file = Some(name);
        self
    }
}

/// The strong validator of a view (RFC 9110, section 8.8.3).
pub fn etag(view: &impl Serialize) -> String {
    let text = serde_json::to_vec(view).unwrap_or_default();
    format!("\"{}\"", BASE64URL_NOPAD.encode(&Digest::of(&text).as_bytes()[..16]))
}

/// Whether the list of an `If-None-Match` names this validator, compared weakly (RFC 9110, section 13.1.2).
pub fn names_etag(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

pub(super) fn matches(if_match: Option<&str>, etag: &str) -> Result<(), Refused> {
    match if_match {
        Some(list) if !matches_etag(list, etag) => {
            Err(Refused::new(Code::PreconditionFailed, "read it again, and decide again"))
        }
        _ => Ok(()),
    }
}

/// Whether the list of an `If-Match` does, compared strongly (RFC 9110, section 13.1.1).
fn matches_etag(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one == etag)
}
