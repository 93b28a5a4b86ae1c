//! What the pages say, in one language: Fluent messages with the person's own words filled in.

use std::fmt;
use std::sync::Arc;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use minijinja::value::{Kwargs, Object, Value, from_args};
use minijinja::{Error, ErrorKind, State};

use super::{Language, TemplateError};

/// The messages of one language; what it lacks is said in the next that it falls back on.
pub struct Messages {
    language: Language,
    bundle: FluentBundle<FluentResource>,
    /// File names with their text, to tell where a faulty message is.
    sources: Vec<(String, String)>,
    fallback: Option<Arc<Messages>>,
}

impl Messages {
    /// `sources` are file names with their Fluent text; a later one overrides.
    pub fn new(
        language: Language,
        sources: &[(&str, &str)],
        fallback: Option<Arc<Messages>>,
    ) -> Result<Self, TemplateError> {
        let mut bundle = FluentBundle::new_concurrent(vec![language.identifier()]);
        // Fluent would wrap every value; `fitted` wraps only those that need it.
        bundle.set_use_isolating(false);
        for (file, text) in sources {
            bundle.add_resource_overriding(parse(file, text)?);
        }
        let sources = sources.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        Ok(Self { language, bundle, sources, fallback })
    }

    pub fn language(&self) -> &Language {
        &self.language
    }

    /// The message, not yet escaped; `None` if no language has it. An error if a variable is missing.
    fn say(&self, key: &str, args: &FluentArgs<'_>) -> Result<Option<String>, TemplateError> {
        let Some(pattern) = self.bundle.get_message(key).and_then(|m| m.value()) else {
            return self.fallback.as_ref().map_or(Ok(None), |fallback| fallback.say(key, args));
        };
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(args), &mut errors).into_owned();
        match errors.first() {
            None => Ok(Some(text)),
            Some(error) => Err(self.fault(key, &error.to_string())),
        }
    }

    /// The message with these values, not escaped: for what is no HTML.
    pub(super) fn line(&self, key: &str, values: &[(&str, &str)]) -> Result<String, TemplateError> {
        let mut args = FluentArgs::new();
        for (name, value) in values {
            args.set((*name).to_owned(), FluentValue::from(self.fitted(value)));
        }
        let said = self.say(key, &args)?;
        said.ok_or_else(|| self.fault(key, "no such message"))
    }

    /// Names the file that says `key` last, and the line.
    fn fault(&self, key: &str, why: &str) -> TemplateError {
        let defines =
            |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
        let place = self.sources.iter().rev().find_map(|(file, text)| {
            let line = text.lines().position(defines)?;
            Some((file.clone(), line + 1))
        });
        let (file, line) = place.unwrap_or_else(|| (format!("messages/{}.ftl", self.language), 1));
        TemplateError::Broken { file, line, why: format!("{key}: {why}") }
    }

    /// A name as it stands among our words. One that runs the other way than the page does not carry the
    /// words around it along, and a long one does not push them out of sight.
    fn fitted(&self, text: &str) -> String {
        let short = shortened(text);
        if self.language.is_right_to_left() || text.chars().any(runs_right_to_left) {
            format!("\u{2068}{short}\u{2069}")
        } else {
            short
        }
    }
}

/// So many characters of a name are shown inside a sentence.
const MAX_CHARS: usize = 80;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

fn parse(file: &str, text: &str) -> Result<FluentResource, TemplateError> {
    FluentResource::try_new(text.to_owned()).map_err(|(_, errors)| {
        let first = errors.first();
        let before = first.map_or(0, |e| e.pos.start).min(text.len());
        let line = text.as_bytes()[..before].iter().filter(|b| **b == b'\n').count() + 1;
        let why = first.map_or_else(String::new, |e| e.kind.to_string());
        TemplateError::Broken { file: file.to_owned(), line, why }
    })
}

/// The blocks of scripts that are written from right to left.
fn runs_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Text without what could reorder, hide or break the words around it: control characters and the marks
/// that embed, override or isolate a direction (Unicode Standard Annex 9, section 2).
pub(super) fn tame(text: &str) -> String {
    text.chars().filter(|c| !is_unruly(*c)).collect()
}

fn is_unruly(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{206f}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Messages({})", self.language)
    }
}

/// In a template: `t("key", name=value)`. The answer is ordinary text that the template escapes, once.
impl Object for Messages {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (key, named): (&str, Kwargs) = from_args(args)?;
        let mut values = FluentArgs::new();
        for name in named.args() {
            let value: Value = named.get(name)?;
            values.set(name.to_owned(), self.filled_in(&value));
        }
        let wrong = |why| Error::new(ErrorKind::InvalidOperation, why);
        let said =
            self.say(key, &values).map_err(|e| wrong("a message is broken".to_owned()).with_source(e))?;
        said.map(Value::from).ok_or_else(|| wrong(format!("no message {key}")))
    }
}

impl Messages {
    fn filled_in(&self, value: &Value) -> FluentValue<'static> {
        match (value.as_i64(), value.as_str()) {
            (Some(number), _) => FluentValue::from(number),
            (None, Some(text)) => FluentValue::from(self.fitted(text)),
            (None, None) => FluentValue::from(self.fitted(&value.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::browser::{Family, System};
    use std::collections::BTreeMap;

    const ENGLISH: &str = include_str!("../../../templates/messages/en.ftl");
    const GERMAN: &str = include_str!("../../../templates/messages/de.ftl");

    /// Each message of a file with its variables, sorted.
    fn variables(source: &str) -> BTreeMap<String, Vec<String>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut key = String::new();
        for line in source.lines().filter(|l| !l.starts_with('#')) {
            if let Some((name, _)) = line.split_once(" =").filter(|(n, _)| !n.starts_with([' ', '{'])) {
                key = name.to_owned();
                assert!(found.insert(key.clone(), vec![]).is_none(), "{key} is there twice");
            }
            for part in line.split('$').skip(1) {
                let name = part.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap();
                found.get_mut(&key).unwrap().push(name.to_owned());
            }
        }
        for names in found.values_mut() {
            names.sort();
            names.dedup();
        }
        found
    }

    /// The keys that templates name whole, and the beginnings of those they put together.
    fn used() -> (Vec<String>, Vec<String>) {
        let (mut whole, mut begun) = (vec![], vec![]);
        let is_template = |name: &str| name.ends_with(".html") || name.ends_with(".txt");
        for (_, source) in super::super::files::EMBEDDED.iter().filter(|(name, _)| is_template(name)) {
            for part in source.split("t(\"").skip(1) {
                let (key, rest) = part.split_once('"').unwrap();
                let list = if rest.trim_start().starts_with('~') { &mut begun } else { &mut whole };
                list.push(key.to_owned());
            }
        }
        (whole, begun)
    }

    #[test]
    fn both_languages_say_the_same_with_the_same_variables() {
        assert_eq!(variables(ENGLISH), variables(GERMAN));
    }

    #[test]
    fn every_message_is_used_and_every_used_message_exists() {
        let (whole, begun) = used();
        let known = [
            "error-",
            "mail-",
            "account-done-",
            "account-kind-",
            "browser-",
            "consent-lead-",
            "consent-scope-",
            "system-",
        ];
        assert!(begun.iter().all(|key| known.contains(&key.as_str())), "{begun:?}");
        let of_problems = super::super::page::Problem::ALL
            .iter()
            .flat_map(|p| ["title", "text", "next"].map(|part| format!("error-{}-{part}", p.name())));
        let of_letters = crate::model::mail::Kind::ALL.iter().flat_map(|kind| {
            ["subject", "title", "text", "next"].map(|part| format!("mail-{}-{part}", kind.word()))
        });
        let done = ["switched", "left", "session", "application", "consent"];
        let done = done.map(|word| format!("account-done-{word}"));
        let scopes =
            crate::protocol::oauth::scope::SUPPORTED.into_iter().chain(["own_roles", "own_permissions"]);
        let scopes = scopes.map(|scope| format!("consent-scope-{scope}"));
        let kinds = ["home", "member", "guest", "delegate"].map(|word| format!("account-kind-{word}"));
        let browsers = Family::ALL.iter().map(|one| format!("browser-{one}"));
        let systems = System::ALL.iter().map(|one| format!("system-{one}"));
        let reasons = ["itself", "operator", "owner"].map(|word| format!("consent-lead-{word}"));
        let of_account =
            done.into_iter().chain(kinds).chain(browsers).chain(systems).chain(scopes).chain(reasons);
        let assets = ["mark.svg", "onward.js", "style.css"];
        let mut expected: Vec<String> = whole
            .into_iter()
            .filter(|k| !assets.contains(&k.as_str()))
            .chain(of_problems)
            .chain(of_letters)
            .chain(of_account)
            .collect();
        expected.sort();
        expected.dedup();
        assert_eq!(variables(ENGLISH).into_keys().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn h26_a_name_cannot_turn_the_page_around() {
        assert_eq!(tame("a\u{202e}b\u{2069}c\u{0}\u{200f}d\ne"), "abcde");
        let messages = Messages::new(Language::ENGLISH, &[], None).unwrap();
        assert_eq!(messages.fitted("Acme"), "Acme");
        assert_eq!(messages.fitted("שלום"), "\u{2068}שלום\u{2069}");
    }
}
