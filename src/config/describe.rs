//! The settings in force, as `behalf check` shows them.

use toml::Value;
use url::Url;

use super::names;
use super::{Config, Origin};

/// One setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// `section.key`.
    pub key: String,
    /// As TOML, passwords masked; empty if it is not set and has no default.
    pub value: String,
    pub origin: Origin,
}

impl Config {
    /// Every setting, in the order of the keys, with its value and where that came from.
    pub fn describe(&self) -> Vec<Described> {
        let mut settings = names::as_table(&self.shown());
        names::every_key()
            .map(|(section, key)| {
                let keys = settings.get_mut(section).and_then(Value::as_table_mut);
                let value = keys.and_then(|keys| keys.remove(key));
                let key = format!("{section}.{key}");
                let origin = self.origins.get(&key).cloned().unwrap_or(Origin::Default);
                Described { key, value: value.map_or_else(String::new, |value| value.to_string()), origin }
            })
            .collect()
    }

    fn shown(&self) -> Self {
        let mut shown = self.clone();
        shown.server.public_url = Some(self.public_url());
        shown.database.url = masked(&self.database.url);
        shown
    }
}

/// A database URL without what lets anyone in. What cannot be read as a URL is not shown at all.
pub(super) fn masked(url: &str) -> String {
    if url.starts_with("sqlite:") {
        return url.to_owned();
    }
    let Ok(mut shown) = Url::parse(url) else {
        return "[not shown]".into();
    };
    if shown.password().is_some() && shown.set_password(Some("***")).is_err() {
        return "[not shown]".into();
    }
    // A password may also be among the parameters.
    if shown.query().is_some() {
        shown.set_query(Some("***"));
    }
    shown.into()
}
