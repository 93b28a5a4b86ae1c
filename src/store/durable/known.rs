//! What the long texts of some rows mean. Settings are read at each step of a login and hardly ever change, and to parse
//! them takes longer than to find them.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde::de::DeserializeOwned;

use super::engine::{Row, StoreError};
use super::json;

/// With more rows than this in use, some are parsed again and again.
const MOST: usize = 1_024;

/// What the texts of one column meant. Only the very same text means the same, so nothing here is ever out of date.
pub(super) struct Known<Id, T>(RwLock<BTreeMap<Id, (Box<str>, T)>>);

impl<Id: Copy + Ord, T: Clone + DeserializeOwned> Known<Id, T> {
    pub(super) const fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    /// What the text means that column `index` of the row `id` holds.
    pub(super) fn json(&self, id: Id, row: &Row, index: usize) -> Result<T, StoreError> {
        let text = row.text(index)?;
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(&id).filter(|(of, _)| **of == *text).map(|(_, value)| value.clone());
        drop(known);
        match found {
            Some(value) => Ok(value),
            None => {
                let value: T = json(row, index)?;
                self.keep(id, text, value.clone());
                Ok(value)
            }
        }
    }

    fn keep(&self, id: Id, text: &str, value: T) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(id, (text.into(), value));
        if known.len() > MOST {
            known.pop_first();
        }
    }
}
