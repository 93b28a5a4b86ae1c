//! What goes into a statement and what comes out: nothing, a 64-bit integer, text or bytes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::StoreError;
use crate::foundation::clock::Moment;
use crate::foundation::id::Identifier;
use crate::foundation::secret::Digest;

/// A parameter of a statement. Its `Debug` tells only the kind, because drivers log parameters.
#[derive(Clone, PartialEq, Eq)]
pub enum Param<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

impl Param<'_> {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "integer",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        }
    }

    /// PostgreSQL refuses U+0000 in a text; SQLite would take it.
    pub(super) fn check_all(params: &[Self]) -> Result<(), StoreError> {
        let nul = params.iter().any(|param| matches!(param, Self::Text(text) if text.contains('\0')));
        if nul { Err(StoreError::NulInText) } else { Ok(()) }
    }
}

impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

/// What [`params!`](crate::params) takes.
pub trait ToParam {
    fn to_param(&self) -> Param<'_>;
}

/// The parameters of a statement, in the order of `$1`, `$2`, …
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::durable::engine::ToParam::to_param(&$value)),*]
    };
}

impl<T: Identifier> ToParam for T {
    fn to_param(&self) -> Param<'_> {
        Param::Text(self.to_string().into())
    }
}

/// For a type and for a reference to it; a blanket rule for references would meet the one for identifiers.
macro_rules! parameters {
    ($([$($generics:tt)*] $type:ty: |$value:ident| $param:expr;)*) => {$(
        impl<$($generics)*> ToParam for $type {
            fn to_param(&self) -> Param<'_> {
                let $value = self;
                $param
            }
        }

        impl<$($generics)*> ToParam for &$type {
            fn to_param(&self) -> Param<'_> {
                <$type>::to_param(self)
            }
        }
    )*};
}

parameters! {
    [] str: |text| Param::Text(text.into());
    [] String: |text| Param::Text(text.as_str().into());
    [] Cow<'_, str>: |text| Param::Text(Cow::Borrowed(text));
    [] [u8]: |bytes| Param::Bytes(bytes.into());
    [] Vec<u8>: |bytes| Param::Bytes(bytes.as_slice().into());
    [const N: usize] [u8; N]: |bytes| Param::Bytes(bytes.as_slice().into());
    [] Digest: |digest| Param::Bytes(digest.as_bytes().as_slice().into());
    [] Moment: |moment| Param::Int(moment.millis());
    [] i64: |number| Param::Int(*number);
    [] i32: |number| Param::Int(i64::from(*number));
    [] u32: |number| Param::Int(i64::from(*number));
    [T: ToParam] Option<T>: |value| value.as_ref().map_or(Param::Null, ToParam::to_param);
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value<'r> {
    Null,
    Int(i64),
    Text(&'r str),
    Bytes(&'r [u8]),
}

/// One row of an answer, apart from its connection. All its texts are one: a row that every token looks at has dozens.
#[derive(Clone)]
pub struct Row {
    statement: &'static str,
    places: Vec<Place>,
    text: String,
    bytes: Vec<u8>,
}

/// Where a value is.
#[derive(Clone, Copy)]
enum Place {
    Null,
    Int(i64),
    Text { from: usize, to: usize },
    Bytes { from: usize, to: usize },
}

/// Of a column, before it is known how long the texts are.
const USUAL: usize = 24;

impl Row {
    pub(super) fn new(statement: &'static str, width: usize) -> Self {
        Self { statement, places: Vec::with_capacity(width), text: String::new(), bytes: Vec::new() }
    }

    /// Adds the next column.
    pub(super) fn push(&mut self, value: Value<'_>) {
        self.places.push(match value {
            Value::Null => Place::Null,
            Value::Int(number) => Place::Int(number),
            Value::Text(text) => {
                if self.text.is_empty() {
                    self.text.reserve(text.len().max(self.places.capacity() * USUAL));
                }
                let from = self.text.len();
                self.text.push_str(text);
                Place::Text { from, to: self.text.len() }
            }
            Value::Bytes(bytes) => {
                let from = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                Place::Bytes { from, to: self.bytes.len() }
            }
        });
    }

    fn value(&self, index: usize) -> Option<Value<'_>> {
        Some(match *self.places.get(index)? {
            Place::Null => Value::Null,
            Place::Int(number) => Value::Int(number),
            Place::Text { from, to } => Value::Text(self.text.get(from..to)?),
            Place::Bytes { from, to } => Value::Bytes(self.bytes.get(from..to)?),
        })
    }

    /// Column `index`, counted from 0.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if there is no such column, or it does not hold a `T`.
    pub fn get<T: FromColumn>(&self, index: usize) -> Result<T, StoreError> {
        self.value(index).and_then(T::from_column).ok_or_else(|| self.corrupt(index))
    }

    /// A column of text, as it stands in the row.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn text(&self, index: usize) -> Result<&str, StoreError> {
        match self.value(index) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(self.corrupt(index)),
        }
    }

    pub fn is_null(&self, index: usize) -> bool {
        self.value(index) == Some(Value::Null)
    }

    /// What to say of a column that holds something else than it should.
    pub fn corrupt(&self, index: usize) -> StoreError {
        StoreError::Corrupt { statement: self.statement, column: index }
    }
}

/// What a column can be read as; `None` if the value is of another kind.
pub trait FromColumn: Sized {
    fn from_column(value: Value<'_>) -> Option<Self>;
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(value: Value<'_>) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::from_column(value).map(Some) }
    }
}

impl<T: Identifier + FromStr> FromColumn for T {
    fn from_column(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { text.parse().ok() } else { None }
    }
}

impl FromColumn for String {
    fn from_column(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.to_owned()) } else { None }
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes.to_owned()) } else { None }
    }
}

impl FromColumn for Digest {
    fn from_column(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Self::from_slice(bytes) } else { None }
    }
}

impl FromColumn for i64 {
    fn from_column(value: Value<'_>) -> Option<Self> {
        if let Value::Int(number) = value { Some(number) } else { None }
    }
}

impl FromColumn for Moment {
    fn from_column(value: Value<'_>) -> Option<Self> {
        i64::from_column(value).map(Self::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::id::{OrganizationId, UserId};

    #[test]
    fn a_parameter_shows_its_kind_only() {
        assert_eq!(format!("{:?}", params!["ann@a.test", 7]), "[text, integer]");
    }

    #[test]
    fn an_id_of_another_kind_is_corrupt_and_named() {
        let mut row = Row::new("SELECT a, b, c FROM d", 3);
        row.push(Value::Null);
        row.push(Value::Text(&UserId::from_u128(7).to_string()));
        row.push(Value::Bytes(b"c"));
        assert_eq!(row.get(1), Ok(UserId::from_u128(7)));
        assert_eq!(row.get(0), Ok(None::<UserId>));
        let corrupt = StoreError::Corrupt { statement: "SELECT a, b, c FROM d", column: 1 };
        assert_eq!(row.get::<OrganizationId>(1), Err(corrupt));
        assert_eq!((row.get::<Vec<u8>>(2), row.get::<String>(2).is_err()), (Ok(b"c".to_vec()), true));
        assert!(row.get::<String>(3).is_err());
    }
}
