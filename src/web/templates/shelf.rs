//! One complete set of templates, messages and assets.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, context};
use serde_json::Value as Json;

use super::files::{self, EMBEDDED, Files};
use super::letters::{self, LetterPage, Written};
use super::messages::{Messages, tame};
use super::monogram::{hue, monogram};
use super::{Asset, Brand, Colour, Language, Page, TemplateError, sample};

#[derive(Debug)]
pub(super) struct Shelf {
    environment: Environment<'static>,
    languages: BTreeMap<Language, Arc<Messages>>,
    english: Arc<Messages>,
    assets: Arc<BTreeMap<String, Asset>>,
}

impl Shelf {
    pub(super) fn built_in() -> Result<Self, TemplateError> {
        Self::assemble(&Files::new())
    }

    /// With the operator's files before our own, and every page tried.
    pub(super) fn with(overrides: &Files) -> Result<Self, TemplateError> {
        let shelf = Self::assemble(overrides)?;
        shelf.try_every_page()?;
        Ok(shelf)
    }

    /// Leaves out the files that are broken, and says so in the log.
    pub(super) fn with_what_works(mut overrides: Files) -> Result<Self, TemplateError> {
        loop {
            match Self::with(&overrides) {
                Err(TemplateError::Broken { file, line, why }) if !overrides.is_empty() => {
                    tracing::error!(file, line, why, "a template of the operator is broken and left out");
                    // The fault may show in one of ours that uses one of theirs.
                    if overrides.remove(&file).is_none() {
                        overrides.clear();
                    }
                }
                done => return done,
            }
        }
    }

    fn assemble(overrides: &Files) -> Result<Self, TemplateError> {
        let assets = Arc::new(assets(overrides));
        let english = Arc::new(speak(Language::ENGLISH, overrides, None)?);
        let languages = speak_all(overrides, &english)?;
        let environment = environment(overrides, Arc::clone(&assets))?;
        Ok(Self { environment, languages, english, assets })
    }

    pub(super) fn languages(&self) -> Vec<Language> {
        self.languages.keys().cloned().collect()
    }

    pub(super) fn asset(&self, name: &str) -> Option<Asset> {
        self.assets.get(name).cloned()
    }

    pub(super) fn render(
        &self,
        page: &Page,
        language: &Language,
        brand: &Brand,
    ) -> Result<String, TemplateError> {
        self.made(page.template(), tamed(page), language, brand)
    }

    /// A mail: its subject, its text, and the same as HTML.
    pub(super) fn write(
        &self,
        letter: &LetterPage,
        language: &Language,
        brand: &Brand,
    ) -> Result<Written, TemplateError> {
        let messages = self.languages.get(language).unwrap_or(&self.english);
        let subject = messages.line(&format!("mail-{}-subject", letter.kind.word()), &letter.words())?;
        let page = || Value::from(Serde(serde_json::to_value(letter).unwrap_or_default()));
        let text = self.made(letters::TEXT, page(), language, brand)?;
        let html = self.made(letters::HTML, page(), language, brand)?;
        Ok(Written { from: tame(&brand.name), subject, text, html })
    }

    fn made(
        &self,
        template: &str,
        page: Value,
        language: &Language,
        brand: &Brand,
    ) -> Result<String, TemplateError> {
        let messages = self.languages.get(language).unwrap_or(&self.english);
        let said = messages.language();
        let context = context! {
            page => page,
            brand => brand_context(brand),
            lang => said.to_string(),
            dir => said.direction(),
            t => Value::from_dyn_object(Arc::clone(messages)),
        };
        let found = self.environment.get_template(template);
        found.and_then(|found| found.render(context)).map_err(|error| broken(&error, template))
    }

    fn try_every_page(&self) -> Result<(), TemplateError> {
        let brand = sample::brand();
        for (language, page) in self.languages.keys().flat_map(|l| sample::pages().map(move |p| (l, p))) {
            self.render(&page, language, &brand)?;
        }
        for (language, letter) in
            self.languages.keys().flat_map(|l| letters::samples().map(move |letter| (l, letter)))
        {
            self.write(&letter, language, &brand)?;
        }
        Ok(())
    }
}

/// Where the fault is: the innermost of the templates that include one another, or the message in it.
fn broken(error: &Error, template: &str) -> TemplateError {
    let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let file = error.name().unwrap_or(template);
    match error.source().map(|inner| (inner.downcast_ref(), inner.downcast_ref())) {
        Some((Some(inner), _)) => broken(inner, file),
        Some((_, Some(TemplateError::Broken { file, line, why }))) => {
            TemplateError::Broken { file: file.clone(), line: *line, why: why.clone() }
        }
        _ => TemplateError::Broken { file: file.to_owned(), line: error.line().unwrap_or(1), why },
    }
}

/// The page with every text in it tamed.
fn tamed(page: &Page) -> Value {
    let mut json = serde_json::to_value(page).unwrap_or_default();
    tame_all(&mut json);
    Value::from(Serde(json))
}

fn tame_all(json: &mut Json) {
    match json {
        Json::String(text) => *text = tame(text),
        Json::Array(list) => list.iter_mut().for_each(tame_all),
        Json::Object(map) => map.values_mut().for_each(tame_all),
        _ => {}
    }
}

fn brand_context(brand: &Brand) -> Value {
    context! {
        name => tame(&brand.name),
        logo => Value::from(Serde(&brand.logo)),
        stylesheet => brand.stylesheet_path(),
        accent => brand.accent.unwrap_or(Colour::HOUSE).to_string(),
        on_accent => brand.accent.unwrap_or(Colour::HOUSE).best_ink().to_string(),
        support => Value::from(Serde(&brand.support)),
        privacy => Value::from(Serde(&brand.privacy)),
        sign_in => brand.sign_in.as_str(),
    }
}

fn environment(
    overrides: &Files,
    assets: Arc<BTreeMap<String, Asset>>,
) -> Result<Environment<'static>, TemplateError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|name| match files::is_text(name) {
        true => AutoEscape::None,
        false => AutoEscape::Html,
    });
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.remove_filter("safe");
    environment.add_filter("monogram", |name: &str| monogram(name));
    environment.add_filter("hue", |name: &str| hue(name));
    environment.add_function("asset", move |name: &str| match assets.get(name) {
        Some(asset) => Ok(format!("/assets/{}/{name}", asset.version())),
        None => Err(Error::new(ErrorKind::InvalidOperation, format!("no asset {name}"))),
    });
    for (name, source) in merged(overrides, |name| name.ends_with(".html") || files::is_text(name))? {
        let added = environment.add_template_owned(name.clone(), source);
        added.map_err(|error| broken(&error, &name))?;
    }
    Ok(environment)
}

/// Our texts with the operator's in their place.
fn merged(overrides: &Files, wanted: fn(&str) -> bool) -> Result<BTreeMap<String, String>, TemplateError> {
    let ours = EMBEDDED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let mut files: BTreeMap<String, String> = ours.filter(|(name, _)| wanted(name)).collect();
    for name in overrides.keys().filter(|name| wanted(name)) {
        files.insert(name.clone(), text(overrides, name)?.to_owned());
    }
    Ok(files)
}

fn text<'a>(files: &'a Files, name: &str) -> Result<&'a str, TemplateError> {
    let bytes = files.get(name).map(Vec::as_slice).unwrap_or_default();
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        TemplateError::Broken { file: name.to_owned(), line, why: "not UTF-8".to_owned() }
    })
}

fn speak_all(
    overrides: &Files,
    english: &Arc<Messages>,
) -> Result<BTreeMap<Language, Arc<Messages>>, TemplateError> {
    let mut spoken = BTreeMap::from([(Language::ENGLISH, Arc::clone(english))]);
    let names = EMBEDDED.iter().map(|(name, _)| *name).chain(overrides.keys().map(String::as_str));
    let mut tags: Vec<&str> = names.filter_map(files::language_tag).collect();
    // A language comes before its regions, which fall back on it.
    tags.sort_by_key(|tag| tag.len());
    for tag in tags {
        let language: Language = tag.parse().map_err(|_| not_a_language(tag))?;
        if !spoken.contains_key(&language) {
            let parent = language.parent().and_then(|p| spoken.get(&p)).unwrap_or(english);
            let messages = speak(language.clone(), overrides, Some(Arc::clone(parent)))?;
            spoken.insert(language, Arc::new(messages));
        }
    }
    Ok(spoken)
}

fn not_a_language(tag: &str) -> TemplateError {
    let file = format!("messages/{tag}.ftl");
    TemplateError::Broken { file, line: 1, why: format!("{tag} is not a language tag") }
}

fn speak(
    language: Language,
    overrides: &Files,
    fallback: Option<Arc<Messages>>,
) -> Result<Messages, TemplateError> {
    let is_this = |name: &str| {
        files::language_tag(name).and_then(|tag| tag.parse().ok()).is_some_and(|l: Language| l == language)
    };
    let ours = EMBEDDED.iter().copied().filter(|(name, _)| is_this(name));
    let mut sources: Vec<(&str, &str)> = ours.collect();
    for name in overrides.keys().filter(|name| is_this(name)) {
        sources.push((name, text(overrides, name)?));
    }
    Messages::new(language.clone(), &sources, fallback)
}

fn assets(overrides: &Files) -> BTreeMap<String, Asset> {
    let ours = EMBEDDED.iter().map(|(name, text)| (*name, text.as_bytes()));
    let theirs = overrides.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let named = |(name, bytes): (&str, &[u8])| {
        let name = name.strip_prefix("assets/")?;
        Some((name.to_owned(), Asset::new(bytes.to_owned(), content_type(name))))
    };
    ours.chain(theirs).filter_map(named).collect()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
