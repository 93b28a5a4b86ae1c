//! A value that many hold and few change.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A clone is another handle. Whoever changes it changes a copy of their own, so nobody else sees that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shared<T>(Arc<T>);

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_changes_it_changes_nobody_elses() {
        let (mut mine, text) = (Shared::from("a".to_owned()), "a");
        let theirs = mine.clone();
        mine.push('b');
        assert_eq!((mine.as_str(), theirs.as_str()), ("ab", text));
    }
}
