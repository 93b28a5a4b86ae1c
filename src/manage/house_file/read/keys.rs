//! Reads the tables of a TOML document key by key, with the place of everything; what is wrong is collected, so
//! that every mistake is told at once.

use std::cell::RefCell;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::foundation::secret::Secret;
use crate::manage::house_file::fault::{Fault, Place, Placed, Places};
use crate::manage::refused::Refused;

/// What is read, and what was wrong with it so far.
pub struct Reader<'r> {
    pub text: &'r str,
    /// Relative paths in the file start here.
    pub folder: &'r Path,
    pub environment: &'r dyn Fn(&str) -> Option<String>,
    pub faults: RefCell<Vec<Fault>>,
}

type Value<'r> = Placed<DeValue<'r>>;

impl<'r> Reader<'r> {
    pub fn refuse(&self, at: Place, message: impl Into<String>) {
        self.faults.borrow_mut().push(Fault { at, message: message.into() });
    }

    pub fn placed(&self, value: Spanned<DeValue<'r>>) -> Value<'r> {
        Placed { at: Place::of(self.text, value.span()), value: value.into_inner() }
    }

    /// The value, or a fault at its place.
    pub fn accept<T, E: ToString>(&self, at: Place, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.refuse(at, error.to_string())).ok()
    }

    /// Tells by which rule of a room something was refused, at the place that the room points to, or at `at`.
    pub fn obeys<T>(&self, at: Place, places: &Places, result: Result<T, Refused>) -> Option<T> {
        let told = match result {
            Ok(value) => return Some(value),
            Err(Refused::Told(told)) => *told,
            // A rule asks nobody.
            Err(_) => return None,
        };
        self.faults.borrow_mut().extend(places.faults(at, told));
        None
    }

    fn wrong_type(&self, value: &Value<'r>, wanted: &str) {
        self.refuse(value.at, format!("must be {wanted}, not {}", value.value.type_str()));
    }

    fn text_of(&self, value: Value<'r>) -> Option<Placed<String>> {
        match value.value {
            DeValue::String(text) if text.trim().is_empty() => {
                self.refuse(value.at, "is empty; leave it out instead");
                None
            }
            DeValue::String(text) => Some(Placed { value: text.into_owned(), at: value.at }),
            _ => {
                self.wrong_type(&value, "a text");
                None
            }
        }
    }

    /// `{ env = "NAME" }` or `{ file = "path" }`: secrets are not written into the file itself.
    fn secret_of(&'r self, value: Value<'r>, key: &str) -> Option<Placed<Secret>> {
        let at = value.at;
        let DeValue::Table(table) = value.value else {
            self.refuse(
                at,
                r#"must be { env = "VARIABLE" } or { file = "path" }: this file holds no secrets"#,
            );
            return None;
        };
        let mut keys = Keys::new(self, table, at, key);
        let (variable, file) = (keys.text("env"), keys.text("file"));
        keys.finish();
        let found = match (variable, file) {
            (Some(variable), None) => {
                let found = (self.environment)(&variable.value);
                found.ok_or_else(|| format!("the environment variable {} is not set", variable.value))
            }
            (None, Some(file)) => {
                let found = std::fs::read_to_string(self.folder.join(&file.value));
                found.map_err(|error| format!("the file {} cannot be read: {}", file.value, why(&error)))
            }
            _ => Err(r#"must be one of { env = "VARIABLE" } and { file = "path" }"#.into()),
        };
        let text = self.accept(at, found)?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.trim().is_empty() {
            self.refuse(at, "the secret is empty");
            return None;
        }
        Some(Placed { value: Secret::new(text), at })
    }
}

fn why(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".into(),
        ErrorKind::PermissionDenied => "this user may not read it".into(),
        ErrorKind::InvalidData => "it is not text in UTF-8".into(),
        ErrorKind::IsADirectory => "it is a folder".into(),
        other => other.to_string(),
    }
}

/// The keys of one table. What nobody asks for is unknown.
pub struct Keys<'r> {
    pub reader: &'r Reader<'r>,
    pub at: Place,
    /// What the table is, for messages.
    name: String,
    entries: Vec<(Placed<String>, Value<'r>)>,
    asked: Vec<String>,
    /// Everything that is written in the table, right or wrong.
    written: Vec<(String, Place)>,
}

impl<'r> Keys<'r> {
    pub fn new(reader: &'r Reader<'r>, table: DeTable<'r>, at: Place, name: impl Into<String>) -> Self {
        let entries = table.into_iter().map(|(key, value)| {
            let at = Place::of(reader.text, key.span());
            (Placed { value: key.into_inner().into_owned(), at }, reader.placed(value))
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|(key, _)| key.at);
        let written = entries.iter().map(|(key, value)| (key.value.clone(), value.at)).collect();
        Self { reader, at, name: name.into(), entries, asked: Vec::new(), written }
    }

    fn take(&mut self, key: &str) -> Option<Value<'r>> {
        self.asked.push(key.to_owned());
        let place = self.entries.iter().position(|(name, _)| name.value == key)?;
        Some(self.entries.remove(place).1)
    }

    pub fn text(&mut self, key: &str) -> Option<Placed<String>> {
        let value = self.take(key)?;
        self.reader.text_of(value)
    }

    /// A text that may be empty, to switch off what would be there otherwise.
    pub fn text_or_empty(&mut self, key: &str) -> Option<Placed<String>> {
        match self.take(key)? {
            Placed { value: DeValue::String(text), at } => Some(Placed { value: text.into_owned(), at }),
            other => {
                self.reader.wrong_type(&other, "a text");
                None
            }
        }
    }

    /// A text that must be there.
    pub fn required(&mut self, key: &str) -> Option<Placed<String>> {
        if !self.entries.iter().any(|(name, _)| name.value == key) {
            self.missing(key);
        }
        self.text(key)
    }

    /// Whether the key is there, whatever its value.
    pub fn is_written(&self, key: &str) -> bool {
        self.written.iter().any(|(written, _)| written == key)
    }

    /// Where its values stand, each under the name of its key.
    pub fn places(&self) -> Places {
        let mut places = Places::default();
        self.written.iter().for_each(|(key, at)| places.put(format!("/{key}"), *at));
        places
    }

    /// Refuses that a key is not there. One that is there and wrong has been told already.
    pub fn missing(&self, key: &str) {
        if self.is_written(key) {
            return;
        }
        self.reader.refuse(self.at, format!("{} needs {key}", self.name));
    }

    pub fn flag(&mut self, key: &str, default: bool) -> bool {
        match self.take(key) {
            None => default,
            Some(Placed { value: DeValue::Boolean(flag), .. }) => flag,
            Some(other) => {
                self.reader.wrong_type(&other, "true or false");
                default
            }
        }
    }

    /// The same, where nothing said is no answer.
    pub fn optional_flag(&mut self, key: &str) -> Option<bool> {
        let said = self.is_written(key);
        let on = self.flag(key, false);
        said.then_some(on)
    }

    pub fn number(&mut self, key: &str, most: u64) -> Option<u64> {
        let value = self.take(key)?;
        let DeValue::Integer(number) = &value.value else {
            self.reader.wrong_type(&value, "a whole number");
            return None;
        };
        let read = u64::from_str_radix(number.as_str(), number.radix()).ok().filter(|number| *number <= most);
        if read.is_none() {
            self.reader.refuse(value.at, format!("must be from 0 to {most}"));
        }
        read
    }

    pub fn texts(&mut self, key: &str) -> Option<Placed<Vec<Placed<String>>>> {
        let value = self.take(key)?;
        let DeValue::Array(array) = value.value else {
            self.reader.wrong_type(&value, "a list of texts");
            return None;
        };
        let items = array.into_iter().filter_map(|item| self.reader.text_of(self.reader.placed(item)));
        let list: Vec<_> = items.collect();
        for (index, item) in list.iter().enumerate() {
            if list[..index].iter().any(|other| other.value == item.value) {
                self.reader.refuse(item.at, format!("{} is listed twice", item.value));
            }
        }
        Some(Placed { value: list, at: value.at })
    }

    /// One word of a closed set.
    pub fn word<T: DeserializeOwned>(&mut self, key: &str, words: &[&str]) -> Option<Placed<T>> {
        let text = self.text(key)?;
        let read = word::<T>(&text.value);
        if read.is_none() {
            self.reader.refuse(text.at, format!("must be one of {}", words.join(", ")));
        }
        read.map(|value| Placed { value, at: text.at })
    }

    /// A moment, as a TOML time or as a text (RFC 3339), with its offset from UTC.
    pub fn moment(&mut self, key: &str) -> Option<Placed<crate::foundation::clock::Moment>> {
        let value = self.take(key)?;
        let text = match &value.value {
            DeValue::Datetime(time) => time.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => String::new(),
        };
        let read = crate::foundation::clock::Moment::parse_rfc3339(&text.replace(' ', "T"));
        if read.is_none() {
            self.reader.refuse(value.at, "must be a moment such as 2026-01-01T00:00:00Z");
        }
        read.map(|moment| Placed { value: moment, at: value.at })
    }

    pub fn secret(&mut self, key: &str) -> Option<Placed<Secret>> {
        let value = self.take(key)?;
        self.reader.secret_of(value, key)
    }

    pub fn secrets(&mut self, key: &str) -> Option<Placed<Vec<Placed<Secret>>>> {
        let value = self.take(key)?;
        let at = value.at;
        let DeValue::Array(array) = value.value else {
            self.reader.wrong_type(&value, "a list of secrets");
            return None;
        };
        let items: Vec<_> = array.into_iter().map(|item| self.reader.placed(item)).collect();
        let read: Vec<_> = items.into_iter().map(|item| self.reader.secret_of(item, key)).collect();
        // With one that cannot be had the list is not known, and that has been told.
        Some(Placed { value: read.into_iter().collect::<Option<_>>()?, at })
    }

    /// A text or a list of texts; each of them may be `{ env = "NAME" }` or `{ file = "path" }` instead.
    pub fn texts_or_references(&mut self, key: &str) -> Option<Placed<Vec<Placed<String>>>> {
        let value = self.take(key)?;
        let at = value.at;
        let items = match value.value {
            DeValue::Array(array) => array.into_iter().map(|item| self.reader.placed(item)).collect(),
            other => vec![Placed { value: other, at }],
        };
        let read = |item: Value<'r>| match item.value {
            DeValue::Table(_) => {
                let found = self.reader.secret_of(item, key)?;
                Some(found.map(|secret| secret.expose().to_owned()))
            }
            _ => self.reader.text_of(item),
        };
        Some(Placed { value: items.into_iter().filter_map(read).collect(), at })
    }

    /// The content of the file that is named, which may have up to `largest` bytes.
    pub fn file(&mut self, key: &str, largest: usize) -> Option<Placed<Vec<u8>>> {
        let path = self.text(key)?;
        let read = read_file(&self.reader.folder.join(&path.value), largest);
        let read = read.map_err(|error| format!("the file {} cannot be read: {error}", path.value));
        let value = self.reader.accept(path.at, read)?;
        Some(Placed { value, at: path.at })
    }

    /// The names of all keys.
    pub fn names(&self) -> Vec<Placed<String>> {
        self.entries.iter().map(|(name, _)| name.clone()).collect()
    }

    pub fn table(&mut self, key: &str) -> Option<Keys<'r>> {
        let value = self.take(key)?;
        self.table_of(value, key.to_owned())
    }

    /// `[key.<name>]`: the tables by their names.
    pub fn named_tables(&mut self, key: &str) -> Vec<(Placed<String>, Keys<'r>)> {
        let Some(all) = self.table(key) else { return Vec::new() };
        let reader = self.reader;
        let named = all.entries.into_iter().filter_map(|(name, value)| {
            let label = format!("[{key}.{}]", name.value);
            let DeValue::Table(table) = value.value else {
                reader.wrong_type(&value, &format!("a table: write {label} and its keys below it"));
                return None;
            };
            let keys = Keys::new(reader, table, name.at, label);
            Some((name, keys))
        });
        named.collect()
    }

    /// `[[key]]`, or a list of inline tables.
    pub fn listed_tables(&mut self, key: &str) -> Vec<Keys<'r>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let DeValue::Array(array) = value.value else {
            self.reader.wrong_type(
                &value,
                &format!("a list of tables: write [[{key}]] and its keys below it for each"),
            );
            return Vec::new();
        };
        let items: Vec<_> = array.into_iter().map(|item| self.reader.placed(item)).collect();
        items.into_iter().filter_map(|item| self.table_of(item, key.to_owned())).collect()
    }

    /// Every key of the table with a value of any kind.
    pub fn all_texts(self) -> Vec<(Placed<String>, Placed<String>)> {
        let reader = self.reader;
        self.entries
            .into_iter()
            .filter_map(|(key, value)| reader.text_of(value).map(|text| (key, text)))
            .collect()
    }

    /// Every key of the table with a list of texts.
    pub fn all_lists(mut self) -> Vec<(Placed<String>, Vec<Placed<String>>)> {
        let names: Vec<_> = self.entries.iter().map(|(name, _)| name.clone()).collect();
        let lists = names.into_iter().filter_map(|name| {
            let list = self.texts(&name.value)?;
            Some((name, list.value))
        });
        lists.collect()
    }

    /// A text, or a list of texts.
    pub fn text_or_list(&mut self, key: &str) -> Option<Result<Placed<String>, Vec<Placed<String>>>> {
        self.asked.push(key.to_owned());
        let (_, value) = self.entries.iter().find(|(name, _)| name.value == key)?;
        if matches!(value.value, DeValue::Array(_)) {
            self.texts(key).map(|list| Err(list.value))
        } else {
            self.text(key).map(Ok)
        }
    }

    fn table_of(&self, value: Value<'r>, name: String) -> Option<Keys<'r>> {
        let at = value.at;
        let DeValue::Table(table) = value.value else {
            self.reader.wrong_type(&value, "a table");
            return None;
        };
        Some(Keys::new(self.reader, table, at, name))
    }

    /// Refuses what nobody asked for.
    pub fn finish(self) {
        for (key, _) in &self.entries {
            let near = closest(&key.value, &self.asked);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            self.reader.refuse(key.at, format!("unknown key {} in {}{hint}", key.value, self.name));
        }
    }
}

fn read_file(path: &Path, largest: usize) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|error| why(&error))?;
    let mut bytes = Vec::new();
    let most = largest as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(|error| why(&error))?;
    if bytes.len() > largest { Err(format!("it has more than {largest} bytes")) } else { Ok(bytes) }
}

pub fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<WordError>::new(text)).ok()
}

fn closest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let tolerated = (name.len() / 3).clamp(1, 3);
    let near = known.iter().map(|known| (strsim::damerau_levenshtein(name, known), known));
    near.filter(|(distance, _)| *distance <= tolerated).min_by_key(|(distance, _)| *distance).map(|(_, k)| k)
}
