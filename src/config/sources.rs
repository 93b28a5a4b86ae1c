//! The file and the environment: each setting is read alone, so that every mistake is told at once.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Table, Value};

use super::error::{ConfigError, Fault, Origin, Problem};
use super::{Config, names, rules};
use crate::foundation::secret::Secret;

const DEFAULT_FILE: &str = "behalf.toml";
/// Never in the file, and never written out.
const MAIL_PASSWORD: &str = "BEHALF_MAIL_PASSWORD";
/// Whose values may hold a password, so that no error repeats them.
const UNQUOTED: [(&str, &str); 4] = [
    ("database", "url"),
    ("server", "public_url"),
    ("client_certificates", "public_url"),
    ("telemetry", "otlp_endpoint"),
];

/// As [`Config::load`], with `folder` in the place of the working directory.
pub(super) fn load(
    folder: &Path,
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut variables: Vec<_> =
        environment.filter(|(name, value)| is_ours(name) && !is_of_kubernetes(name, value)).collect();
    variables.sort();
    let mut draft = Draft::default();
    if let Some((path, text)) = read_file(folder, file, &variables)? {
        draft.take_file(&path, &text);
    }
    draft.take_environment(variables);
    draft.finish()
}

fn is_ours(variable: &str) -> bool {
    variable.starts_with("BEHALF_") && !variable.starts_with("BEHALF_TEST_")
}

/// What Kubernetes tells every container of a service that is called `behalf`, in the form of Docker's links:
/// `BEHALF_SERVICE_HOST`, `BEHALF_SERVICE_PORT[_<NAME>]`, `BEHALF_PORT` and `BEHALF_PORT_<number>_<protocol>[_PROTO,
/// _PORT or _ADDR]`. Whoever writes a plain port into `BEHALF_PORT` means something else.
fn is_of_kubernetes(variable: &str, value: &str) -> bool {
    let rest = variable.strip_prefix("BEHALF_").unwrap_or_default();
    let is_number = |text: &str| text.parse::<u16>().is_ok();
    let is_link = |text: &str| {
        let link = text.split_once("://");
        link.is_some_and(|(protocol, to)| {
            matches!(protocol, "tcp" | "udp" | "sctp")
                && to.rsplit_once(':').is_some_and(|(_, port)| is_number(port))
        })
    };
    if rest == "SERVICE_HOST" {
        return value.parse::<IpAddr>().is_ok();
    }
    if rest == "SERVICE_PORT" || rest.strip_prefix("SERVICE_PORT_").is_some_and(|name| !name.is_empty()) {
        return is_number(value);
    }
    if rest == "PORT" {
        return is_link(value);
    }
    let Some((number, rest)) = rest.strip_prefix("PORT_").and_then(|rest| rest.split_once('_')) else {
        return false;
    };
    is_number(number)
        && match rest.split_once('_').unwrap_or((rest, "")) {
            ("TCP" | "UDP" | "SCTP", "") => is_link(value),
            ("TCP" | "UDP" | "SCTP", "PROTO") => matches!(value, "tcp" | "udp" | "sctp"),
            ("TCP" | "UDP" | "SCTP", "PORT") => is_number(value),
            ("TCP" | "UDP" | "SCTP", "ADDR") => value.parse::<IpAddr>().is_ok(),
            _ => false,
        }
}

/// Only the file that nobody asked for may be absent.
fn read_file(
    folder: &Path,
    file: Option<&Path>,
    variables: &[(String, String)],
) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let named = variables.iter().find(|(name, _)| name == "BEHALF_CONFIG").map(|(_, path)| Path::new(path));
    let wanted = file.or(named);
    let path = wanted.map_or_else(|| folder.join(DEFAULT_FILE), Path::to_path_buf);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if error.kind() == ErrorKind::NotFound && wanted.is_none() => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path, source }),
    }
}

/// What has been read so far.
#[derive(Default)]
struct Draft {
    settings: Table,
    origins: std::collections::BTreeMap<String, Origin>,
    master_key: Option<Secret>,
    mail_password: Option<Secret>,
    faults: Vec<Fault>,
}

impl Draft {
    fn refuse(&mut self, origin: Origin, key: impl Into<String>, problem: Problem) {
        self.faults.push(Fault { origin, key: key.into(), problem });
    }

    fn take_file(&mut self, path: &Path, text: &str) {
        let place = |span: Range<usize>| at(path, text, span.start);
        let (document, errors) = DeTable::parse_recoverable(text);
        // What follows the first one would only be guessed at, and so would what is left of such a file.
        if let Some(error) = errors.iter().min_by_key(|error| error.span().unwrap_or_default().start) {
            let origin = place(error.span().unwrap_or_default());
            return self.refuse(origin, "", Problem::Syntax(error.message().to_owned()));
        }
        for (section, content) in document.into_inner() {
            let origin = place(section.span());
            let section = section.into_inner().into_owned();
            if !names::sections().any(|known| known == section) {
                self.refuse(origin, section.as_str(), unknown_section(&section));
                continue;
            }
            match content.into_inner() {
                DeValue::Table(keys) => self.take_section(&section, keys, &place),
                _ => self.refuse(origin, section.as_str(), Problem::NotASection(section.clone())),
            }
        }
    }

    fn take_section(&mut self, section: &str, keys: DeTable<'_>, place: &impl Fn(Range<usize>) -> Origin) {
        for (key, value) in keys {
            let origin = place(key.span());
            let key = key.into_inner();
            if names::keys_of(section).all(|(known, _)| known != key) {
                self.refuse(origin, format!("{section}.{key}"), unknown_key(section, &key));
                continue;
            }
            let origin = place(value.span());
            self.take_value(section, &key, plain(value), origin);
        }
    }

    fn take_environment(&mut self, variables: Vec<(String, String)>) {
        for (variable, text) in variables {
            let origin = Origin::Environment { variable: variable.clone() };
            match variable.as_str() {
                "BEHALF_CONFIG" => {}
                "BEHALF_REDIS_URL" => self.refuse(origin, "", Problem::RedisUnsupported),
                "BEHALF_MASTER_KEY" | MAIL_PASSWORD if text.is_empty() => {
                    self.refuse(origin, "", Problem::Empty);
                }
                "BEHALF_MASTER_KEY" => self.master_key = Some(Secret::new(text)),
                MAIL_PASSWORD => {
                    self.mail_password = Some(Secret::new(text));
                    self.origins.insert(rules::MAIL_PASSWORD.to_owned(), origin);
                }
                _ => self.take_variable(&variable, &text, origin),
            }
        }
    }

    fn take_variable(&mut self, variable: &str, text: &str, origin: Origin) {
        let Some((section, key, sample)) = setting_of(variable) else {
            return self.refuse(origin, "", unknown_variable(variable));
        };
        let name = format!("{section}.{key}");
        if let Some(Origin::Environment { variable: other }) = self.origins.get(&name) {
            let problem = Problem::SetTwice(other.clone());
            return self.refuse(origin, name, problem);
        }
        match read_as(sample, text) {
            Ok(value) => self.take_value(section, key, Ok(value), origin),
            Err(problem) => self.refuse(origin, name, problem),
        }
    }

    /// Checks one value on its own, then puts it over what an earlier source said.
    fn take_value(&mut self, section: &str, key: &str, value: Result<Value, String>, origin: Origin) {
        let name = format!("{section}.{key}");
        let checked = value.and_then(|value| {
            let alone = Table::from_iter([(key.to_owned(), value.clone())]);
            let alone = Table::from_iter([(section.to_owned(), Value::Table(alone))]);
            let read =
                alone.try_into::<Config>().map_err(|error| in_words(section, key, &value, error.message()));
            read.map(|_| value)
        });
        match checked {
            Ok(Value::String(text)) if text.is_empty() => self.refuse(origin, name, Problem::Empty),
            Ok(value) => {
                let entry = self.settings.entry(section).or_insert_with(|| Value::Table(Table::new()));
                if let Value::Table(keys) = entry {
                    keys.insert(key.to_owned(), value);
                }
                self.origins.insert(name, origin);
            }
            Err(_) if UNQUOTED.contains(&(section, key)) => {
                let wanted = format!("must be a URL{}", such_as(sample_of(section, key)));
                self.refuse(origin, name, Problem::BadValue(wanted));
            }
            Err(message) => self.refuse(origin, name, Problem::BadValue(message)),
        }
    }

    /// A rule between settings is only asked once each is well-formed.
    fn finish(self) -> Result<Config, ConfigError> {
        if !self.faults.is_empty() {
            return Err(ConfigError::Invalid(self.faults));
        }
        let mut config: Config = self.settings.try_into().map_err(|error: toml::de::Error| {
            let problem = Problem::BadValue(error.message().to_owned());
            ConfigError::Invalid(vec![Fault { origin: Origin::Default, key: String::new(), problem }])
        })?;
        config.origins = self.origins;
        config.keys.master_key = self.master_key;
        config.mail.password = self.mail_password;
        let faults = rules::broken(&config);
        if faults.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(faults)) }
    }
}

/// What is wrong with a value, by what the setting takes: the message of the reader names types of this program.
fn in_words(section: &str, key: &str, value: &Value, message: &str) -> String {
    let sample = sample_of(section, key);
    let wanted = match sample {
        Some(Value::Integer(_)) => "a whole number that is not negative".to_owned(),
        Some(Value::Boolean(_)) => "true or false".to_owned(),
        Some(Value::Array(_)) if !value.is_array() => "a list".to_owned(),
        Some(Value::Array(items)) if items.first().is_some_and(Value::is_integer) => {
            "a list of whole numbers up to 65535".to_owned()
        }
        Some(Value::Array(_)) if value.as_array().is_some_and(|items| !items.iter().all(Value::is_str)) => {
            "a list of texts".to_owned()
        }
        Some(Value::String(_)) if !value.is_str() => format!("a text{}", such_as(sample)),
        _ => return message.replace("unknown variant", "unknown word"),
    };
    match sample.is_some_and(|sample| sample.same_type(value)) {
        true => format!("must be {wanted}"),
        false => format!("must be {wanted}, not {}", spoken(value)),
    }
}

fn sample_of(section: &str, key: &str) -> Option<&'static Value> {
    names::keys_of(section).find(|(known, _)| *known == key).map(|(_, sample)| sample)
}

fn such_as(sample: Option<&Value>) -> String {
    sample.map_or_else(String::new, |sample| format!(" such as {sample}"))
}

/// What TOML calls a value.
fn spoken(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a moment",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

/// Where byte `offset` of the file is.
fn at(path: &Path, text: &str, offset: usize) -> Origin {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Origin::File { path: path.to_path_buf(), line, column }
}

fn plain(value: Spanned<DeValue<'_>>) -> Result<Value, String> {
    Value::deserialize(ValueDeserializer::from(value)).map_err(|error| error.message().to_owned())
}

fn setting_of(variable: &str) -> Option<(&'static str, &'static str, &'static Value)> {
    let short = names::SHORT_FORMS.iter().find(|(name, ..)| *name == variable);
    names::every_sample().find(|(section, key, _)| match short {
        Some((_, of, named)) => (section, key) == (of, named),
        None => names::variable_of(section, key) == variable,
    })
}

/// Text of the environment as the kind of value that the setting takes.
fn read_as(sample: &Value, text: &str) -> Result<Value, Problem> {
    let bad = |expected: &str| Problem::BadValue(format!("must be {expected}"));
    match sample {
        Value::Integer(_) => text.parse().map(Value::Integer).map_err(|_| bad("a whole number")),
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| bad("true or false")),
        Value::Array(samples) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let read = |item: &str| match samples.first() {
                Some(sample) if sample.is_integer() => {
                    read_as(sample, item).map_err(|_| bad("whole numbers"))
                }
                _ => Ok(Value::String(item.to_owned())),
            };
            Ok(Value::Array(items.map(read).collect::<Result<_, _>>()?))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn unknown_section(name: &str) -> Problem {
    Problem::Unknown { what: "section", suggestion: names::closest(name, names::sections()) }
}

fn unknown_key(section: &str, key: &str) -> Problem {
    let here = names::closest(key, names::keys_of(section).map(|(known, _)| known));
    let elsewhere = || {
        let (section, key) = names::every_key().find(|(_, known)| *known == key)?;
        Some(format!("{key} in [{section}]"))
    };
    Problem::Unknown { what: "key", suggestion: here.or_else(elsewhere) }
}

fn unknown_variable(variable: &str) -> Problem {
    let settings = names::every_key().map(|(section, key)| names::variable_of(section, key));
    let others = ["BEHALF_CONFIG", "BEHALF_MASTER_KEY", MAIL_PASSWORD].map(str::to_owned);
    let short = names::SHORT_FORMS.map(|(name, ..)| name.to_owned());
    let suggestion = names::closest(variable, settings.chain(others).chain(short));
    Problem::Unknown { what: "environment variable", suggestion }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_kubernetes_tells_of_a_service_called_behalf_is_no_setting() {
        let load = |name: &str, value: &str| {
            let folder = tempfile::tempdir().unwrap();
            super::load(folder.path(), None, std::iter::once((name.to_owned(), value.to_owned())))
        };
        for (name, value) in [
            ("BEHALF_SERVICE_HOST", "10.43.0.7"),
            ("BEHALF_SERVICE_HOST", "fd00::7"),
            ("BEHALF_SERVICE_PORT", "8080"),
            ("BEHALF_SERVICE_PORT_HTTP", "8080"),
            ("BEHALF_PORT", "tcp://10.43.0.7:8080"),
            ("BEHALF_PORT_8080_TCP", "tcp://[fd00::7]:8080"),
            ("BEHALF_PORT_8080_TCP_PROTO", "tcp"),
            ("BEHALF_PORT_8080_TCP_PORT", "8080"),
            ("BEHALF_PORT_8080_TCP_ADDR", "10.43.0.7"),
            ("BEHALF_PORT_53_UDP", "udp://10.43.0.7:53"),
        ] {
            assert!(load(name, value).is_ok(), "{name}={value}");
        }
        for (name, value) in [
            ("BEHALF_PORT", "8080"),
            ("BEHALF_SERVICE_HOST", "behalf.test"),
            ("BEHALF_SERVICE_PORT", "http"),
            ("BEHALF_SERVICE_PORT_", "8080"),
            ("BEHALF_PORT_HTTP", "8080"),
            ("BEHALF_PORT_8080", "8080"),
            ("BEHALF_PORT_8080_TCP", "8080"),
            ("BEHALF_PORT_8080_TCP_NAME", "tcp"),
            ("BEHALF_SERVER_PORT", "8080"),
            ("BEHALF_SERVER_PORT_8080_TCP", "tcp://10.43.0.7:8080"),
        ] {
            assert!(load(name, value).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn the_file_in_the_working_directory_is_read_if_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let load = || super::load(folder.path(), None, std::iter::empty()).unwrap();
        assert_eq!(load().tokens.code_lifetime, 60);
        std::fs::write(folder.path().join(DEFAULT_FILE), "[tokens]\ncode_lifetime = 30\n").unwrap();
        assert_eq!(load().tokens.code_lifetime, 30);
    }
}
