//! What is wrong in a house file, and where.

use std::fmt;
use std::ops::Range;

use crate::manage::refused::Told;
use crate::protocol::problem::{Complaint, Place as Pointed};

/// A place in the file; lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    pub(super) fn of(text: &str, span: Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column }
    }
}

/// Something that was written at a place.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    pub value: T,
    pub at: Place,
}

impl<T> Placed<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Placed<U> {
        Placed { value: change(self.value), at: self.at }
    }
}

/// Where the values of a table stand, by the pointers under which a room tells what is wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Places(Vec<(String, Place)>);

impl Places {
    pub(super) fn put(&mut self, pointer: impl Into<String>, at: Place) {
        self.0.push((pointer.into(), at));
    }

    /// The items of a list, each under its number.
    pub(super) fn put_list<T>(&mut self, pointer: &str, list: &[Placed<T>]) {
        self.0.extend(list.iter().enumerate().map(|(number, item)| (format!("{pointer}/{number}"), item.at)));
    }

    fn of(&self, pointer: &str) -> Option<Place> {
        self.0.iter().rfind(|(known, _)| known == pointer).map(|(_, at)| *at)
    }

    /// What a room refuses, each thing at its place; at `at`, what has none.
    pub(super) fn faults(&self, at: Place, told: Told) -> Vec<Fault> {
        if told.errors.is_empty() {
            return vec![Fault { at, message: told.detail }];
        }
        let fault = |Complaint { place, detail }: Complaint| {
            let (Pointed::Pointer(pointer) | Pointed::Parameter(pointer)) = place;
            match self.of(&pointer) {
                Some(at) => Fault { at, message: detail },
                None if pointer.is_empty() => Fault { at, message: detail },
                None => Fault { at, message: format!("{}: {detail}", pointer.trim_start_matches('/')) },
            }
        };
        told.errors.into_iter().map(fault).collect()
    }
}

/// One thing that is wrong. It never quotes a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub at: Place,
    pub message: String,
}

/// `12:5: what is wrong`; whoever knows the name of the file puts it before.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.at.line, self.at.column, self.message)
    }
}

pub(super) fn lines(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
