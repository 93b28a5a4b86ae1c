//! Pages of a list, and the one kind of cursor that leads from page to page.

use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use schemars::JsonSchema;
use serde::Serialize;

use crate::foundation::clock::Moment;
use crate::foundation::id::{Identifier, canonical};
use crate::foundation::page;
use crate::manage::caller::{Caller, Who};
use crate::manage::desk::{Desk, Params};
use crate::manage::refused::{Code, Refused};
use crate::model::organization::Organization;
use crate::model::project::Project;

const USUAL: u32 = 50;
const MOST: u32 = 200;

/// Some items of a list, in a stable order.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page begins; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// One thing that a list is sorted by.
pub trait Key: Sized {
    fn written(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

impl<I: Identifier + FromStr> Key for I {
    fn written(&self) -> String {
        self.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Where there is none, it comes first.
impl<I: Identifier + FromStr> Key for Option<I> {
    fn written(&self) -> String {
        self.as_ref().map(ToString::to_string).unwrap_or_default()
    }
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
    }
}

impl Key for i64 {
    fn written(&self) -> String {
        self.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Key for Moment {
    fn written(&self) -> String {
        self.millis().to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::from_millis)
    }
}

impl Key for Vec<u8> {
    fn written(&self) -> String {
        BASE64URL_NOPAD.encode(self)
    }
    fn read(text: &str) -> Option<Self> {
        BASE64URL_NOPAD.decode(text.as_bytes()).ok()
    }
}

/// All that a list is sorted by: what a cursor holds of the last item of its page.
pub trait Keys: Sized {
    fn texts(&self) -> Vec<String>;
    fn of_texts(texts: &[String]) -> Option<Self>;
}

impl<K: Key> Keys for K {
    fn texts(&self) -> Vec<String> {
        vec![self.written()]
    }
    fn of_texts(texts: &[String]) -> Option<Self> {
        let [one] = texts else { return None };
        K::read(one)
    }
}

impl<A: Key, B: Key> Keys for (A, B) {
    fn texts(&self) -> Vec<String> {
        vec![self.0.written(), self.1.written()]
    }
    fn of_texts(texts: &[String]) -> Option<Self> {
        let [a, b] = texts else { return None };
        Some((A::read(a)?, B::read(b)?))
    }
}

impl<A: Key, B: Key, C: Key> Keys for (A, B, C) {
    fn texts(&self) -> Vec<String> {
        vec![self.0.written(), self.1.written(), self.2.written()]
    }
    fn of_texts(texts: &[String]) -> Option<Self> {
        let [a, b, c] = texts else { return None };
        Some((A::read(a)?, B::read(b)?, C::read(c)?))
    }
}

/// A part of a list: from where on, and how much of it.
pub struct Slice<K> {
    list: String,
    pub limit: u32,
    /// The keys of the last item of the page before.
    pub after: Option<K>,
}

impl<K: Keys> Slice<K> {
    /// `list`: what tells it from every other list. A cursor that is none, or another one's, is told as such.
    pub fn new(list: String, limit: u32, cursor: Option<&str>) -> Result<Self, Refused> {
        let wrong = || {
            Refused::new(Code::CursorInvalid, "a cursor goes with the list and filters that it was given for")
        };
        let read = |cursor| page::keys(&list, cursor).and_then(|keys| K::of_texts(&keys)).ok_or_else(wrong);
        let after = cursor.map(read).transpose()?;
        Ok(Self { list, limit, after })
    }

    pub fn first(list: String, limit: u32) -> Self {
        Self { list, limit, after: None }
    }

    /// What is left of the page for the list that goes on where this one ends; nothing, where it is full.
    pub fn rest(&self, taken: usize) -> Option<Self> {
        let limit = self.limit.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX));
        (limit > 0).then(|| Self::first(self.list.clone(), limit))
    }

    /// One more than a page has: it tells whether there is another page.
    pub fn most(&self) -> u32 {
        self.limit + 1
    }

    /// The key as a text, which is empty at the beginning.
    pub fn text(&self) -> String
    where
        K: Key,
    {
        self.after.as_ref().map(Key::written).unwrap_or_default()
    }

    /// A page of what was read, and the cursor of the next one.
    pub fn page<T>(&self, mut items: Vec<T>, keys: impl Fn(&T) -> K) -> (Vec<T>, Option<String>) {
        let limit = self.limit as usize;
        if items.len() <= limit {
            return (items, None);
        }
        items.truncate(limit);
        let cursor = items.last().map(|last| self.cursor(&keys(last)));
        (items, cursor)
    }

    pub fn cursor(&self, keys: &K) -> String {
        page::cursor(&self.list, &keys.texts())
    }
}

impl Desk {
    /// The part of the operation's list that the query asks for.
    pub fn slice<K: Keys>(&self, limit: Option<u32>, cursor: Option<&str>) -> Result<Slice<K>, Refused> {
        self.slice_to(MOST, limit, cursor)
    }

    /// The same of a list that gives more at once.
    pub fn slice_to<K: Keys>(
        &self,
        most: u32,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<Slice<K>, Refused> {
        let limit = limit.unwrap_or(USUAL);
        if !(1..=most).contains(&limit) {
            return Err(Refused::parameter("limit", format!("must be 1 to {most}")));
        }
        Slice::new(self.asked.list.clone(), limit, cursor)
    }
}

/// What tells a list from every other one: whose it is, what its path and its filters say, however they write it, and for
/// whom it is read.
pub fn list(
    operation: &str,
    (project, caller): (&Project, &Caller),
    (organization, params): (Option<&Organization>, &Params),
    query: Option<&str>,
) -> String {
    let reader = match caller.who {
        Who::Person(acting) => acting.user.to_string(),
        Who::Operator(_) | Who::Key(_) | Who::Nobody => String::new(),
    };
    let acts_for = caller.organization().map(|id| id.to_string());
    let of = organization.map(|organization| organization.id.to_string());
    let mut said: Vec<_> = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(name, _)| !matches!(&**name, "limit" | "cursor" | "organization_id"))
        .map(|(name, value)| (name.into_owned(), canonical(&value)))
        .collect();
    said.extend(
        params.others_than("organization_id").map(|(name, value)| (name.to_owned(), canonical(value))),
    );
    said.sort();
    format!("{operation} {} {reader:?} {acts_for:?} {of:?} {said:?}", project.id)
}
