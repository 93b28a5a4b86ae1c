//! What a draft would undo. All of it that nobody has said is a copy of what was live when it was begun, and that is nobody's
//! word for it once something else is live.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Connection, Version, shown};

/// A setting that was changed since in what is live, and that a draft has otherwise: certificates by their fingerprints, and
/// of a secret nothing but that it differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    pub setting: String,
    pub live: Value,
    pub draft: Value,
}

impl Version {
    /// What this would undo in the place of `live`, if it was begun on `begun`; whatever differs, if nobody knows on what.
    pub fn undoes(&self, begun: Option<&Self>, live: &Connection) -> Vec<Undone> {
        let [own, now] = [&self.settings, &*live.settings].map(shown::settings);
        let was = begun.map(|begun| shown::settings(&begun.settings));
        let names: BTreeSet<_> = now.keys().chain(own.keys()).collect();
        let mut undone: Vec<_> = names
            .into_iter()
            .map(|name| Undone { setting: name.clone(), live: at(&now, name), draft: at(&own, name) })
            .filter(|one| one.live != one.draft)
            .filter(|one| was.as_ref().is_none_or(|was| at(was, &one.setting) != one.live))
            .collect();
        let is_other_since = begun.is_none_or(|begun| begun.secret != live.secret);
        if self.secret != live.secret && is_other_since {
            undone.push(Undone { setting: "secret".into(), live: Value::Null, draft: Value::Null });
        }
        undone
    }
}

fn at(settings: &Map<String, Value>, name: &str) -> Value {
    settings.get(name).cloned().unwrap_or_default()
}
