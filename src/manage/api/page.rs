//! Pages of a list.

use schemars::JsonSchema;
use serde::Serialize;

use crate::foundation::page;
use crate::manage::refused::{Code, Refused};

const USUAL: u32 = 50;
const MOST: u32 = 200;

/// Some items of a list, in a stable order.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page begins; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// How many items a page has.
pub fn limit(asked: Option<u32>) -> Result<u32, Refused> {
    match asked.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(Refused::parameter("limit", format!("must be 1 to {MOST}"))),
    }
}

/// The keys of the last item of the page before; `of` names the list with its filters.
pub fn after<const N: usize>(of: &str, cursor: Option<&str>) -> Result<Option<[String; N]>, Refused> {
    let wrong = || Refused::new(Code::CursorInvalid, "a cursor goes with the filters that it was given for");
    cursor.map(|cursor| page::keys(of, cursor).ok_or_else(wrong)).transpose()
}

/// A page of what was read: one more than `limit`, if there is more.
pub fn of<T>(
    mut items: Vec<T>,
    limit: u32,
    list: &str,
    keys: impl Fn(&T) -> Vec<String>,
) -> (Vec<T>, Option<String>) {
    let limit = limit as usize;
    if items.len() <= limit {
        return (items, None);
    }
    items.truncate(limit);
    let cursor = items.last().map(|last| page::cursor(list, &keys(last)));
    (items, cursor)
}
