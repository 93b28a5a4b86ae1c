//! What applying a file changes, in the words of the file.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// What a file changed, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub changes: Vec<Change>,
    /// What the file's pending domains wait for. A plan names only those whose challenge exists already.
    pub records: Vec<DnsRecord>,
    /// What the providers of new connections are to be told of us.
    pub introductions: Vec<Introduction>,
    /// What is taken as it is written, and should be looked at.
    pub warnings: Vec<String>,
    /// What was read at addresses, and is taken.
    pub taken: Vec<Taken>,
}

/// Who a provider is by the metadata at its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub connection: String,
    /// Of those that it signs with: SHA-256, as hexadecimal digits.
    pub certificates: Vec<String>,
    /// `sha256:` and hexadecimal digits: of everything there by which somebody is believed, or sent anywhere. Whoever
    /// has compared it says it again, and takes nothing else. When the document ends is no part of it: many write that
    /// anew each time.
    pub digest: String,
}

/// `connection p: sha256:…, signing by the certificates …`
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, certificates, digest } = self;
        write!(f, "connection {connection}: {digest}, signing by {}", certificates.join(", "))
    }
}

/// What a provider's administrator needs of us: a label and an address each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    pub connection: String,
    pub lines: Vec<(String, String)>,
}

impl Report {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// A TXT record that proves a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    pub name: String,
    pub value: String,
    pub domain: String,
}

/// `name TXT "value"`, as in a zone file.
impl fmt::Display for DnsRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. TXT \"{}\"", self.name, self.value)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Created,
    Changed,
}

/// One thing that is created or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub kind: Kind,
    /// `organization`, `connection`, …
    pub noun: &'static str,
    pub name: String,
    pub fields: Vec<Field>,
}

/// `+ organization my-corp`, or `~ connection my-corp: issuer "…" → "…"`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.kind == Kind::Created { '+' } else { '~' };
        write!(f, "{sign} {} {}", self.noun, self.name)?;
        if self.kind == Kind::Changed {
            let fields: Vec<_> = self.fields.iter().map(ToString::to_string).collect();
            write!(f, ": {}", fields.join(", "))?;
        }
        Ok(())
    }
}

/// One value that differs; of a secret, only that it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    values: Option<(String, String)>,
}

impl Field {
    pub(super) fn secret(name: &str) -> Self {
        Self { name: name.into(), values: None }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.values {
            Some((before, after)) => write!(f, "{} {before} → {after}", self.name),
            None => write!(f, "{} changed", self.name),
        }
    }
}

/// What differs between two descriptions of one thing. `names` says what ids are called.
pub(super) fn difference(before: &Value, after: &Value, names: &BTreeMap<String, String>) -> Vec<Field> {
    let mut fields = Vec::new();
    compare("", before, after, names, &mut fields);
    fields
}

fn compare(
    path: &str,
    before: &Value,
    after: &Value,
    names: &BTreeMap<String, String>,
    fields: &mut Vec<Field>,
) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let mut keys: Vec<_> = new.keys().collect();
            keys.extend(old.keys().filter(|key| !new.contains_key(*key)));
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let value = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                compare(&path, &value(old), &value(new), names, fields);
            }
        }
        _ if before != after => {
            let values = Some((shown(before, names), shown(after, names)));
            fields.push(Field { name: path.to_owned(), values });
        }
        _ => {}
    }
}

fn shown(value: &Value, names: &BTreeMap<String, String>) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => format!("{:?}", names.get(text).unwrap_or(text)),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| shown(item, names)).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_reads_like_the_file() {
        let before =
            json!({"issuer": "https://a.test", "policy": {"max_age": null}, "connections": ["conn_1"]});
        let after = json!({"issuer": "https://b.test", "policy": {"max_age": 60}, "connections": []});
        let names = BTreeMap::from([("conn_1".to_owned(), "okta".to_owned())]);
        let mut fields = difference(&before, &after, &names);
        fields.push(Field::secret("client_secret"));
        let change = Change { kind: Kind::Changed, noun: "connection", name: "my-corp".into(), fields };
        let text = change.to_string();
        assert!(text.starts_with("~ connection my-corp: "), "{text}");
        for part in [
            "issuer \"https://a.test\" → \"https://b.test\"",
            "policy.max_age none → 60",
            "client_secret changed",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.contains("connections [\"okta\"] → []"), "{text}");
    }
}
