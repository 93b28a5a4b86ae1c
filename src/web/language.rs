//! Which language a visitor is spoken to.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use axum::http::request::Parts;
use unic_langid::{CharacterDirection, LanguageIdentifier, LanguageIdentifierError};

use super::accept::{MAX_RANGES, bounded, by_weight};
use super::cookies::Remembered;

/// A language that pages can be written in: a BCP 47 tag in its canonical case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(Cow<'static, str>);

impl Language {
    /// The language that every message exists in.
    pub const ENGLISH: Self = Self(Cow::Borrowed("en"));
    pub const GERMAN: Self = Self(Cow::Borrowed("de"));

    /// The best of `available` by lookup (RFC 4647, section 3.4): the application's `ui_locales` (OpenID
    /// Connect Core 1.0, section 3.1.2.1) come before the browser's `Accept-Language` (RFC 9110, section
    /// 12.5.4). English if nothing fits. What is malformed is passed over.
    pub fn negotiate(available: &[Self], ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        let wished = ui_locales.map(bounded).into_iter().flat_map(str::split_ascii_whitespace);
        wished
            .take(MAX_RANGES)
            .chain(accept_language.map(by_weight).unwrap_or_default())
            .find_map(|range| look_up(available, range))
            .unwrap_or(Self::ENGLISH)
    }

    /// The language without its region or script, if it has any.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('-').map(|(bare, _)| Self(Cow::Owned(bare.to_owned())))
    }

    /// `ltr` or `rtl`, as the `dir` attribute says it.
    pub fn direction(&self) -> &'static str {
        if self.is_right_to_left() { "rtl" } else { "ltr" }
    }

    pub fn is_right_to_left(&self) -> bool {
        self.identifier().character_direction() == CharacterDirection::RTL
    }

    pub(super) fn identifier(&self) -> LanguageIdentifier {
        self.0.parse().unwrap_or_default()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Language {
    type Err = LanguageIdentifierError;
    fn from_str(tag: &str) -> Result<Self, Self::Err> {
        let identifier: LanguageIdentifier = tag.parse()?;
        Ok(Self(Cow::Owned(identifier.to_string())))
    }
}

/// The application's wish: whoever is within a flow is spoken to in its language, whatever becomes of the step that they
/// take; otherwise the address says it.
pub fn wish(parts: &Parts) -> Option<String> {
    let of_flow = Remembered::at(&parts.headers, parts.uri.path()).language;
    of_flow.map(|language| language.to_string()).or_else(|| ui_locales(parts.uri.query()))
}

/// As far as the query of a request can be read at all.
fn ui_locales(query: Option<&str>) -> Option<String> {
    let query = query.filter(|query| query.contains("ui_locales="))?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "ui_locales").map(|(_, value)| bounded(&value).to_owned())
}

/// Shortens the range from its end until a language bears its name; a single letter or digit goes with
/// what followed it.
fn look_up(available: &[Language], range: &str) -> Option<Language> {
    let mut range = range;
    loop {
        if let Some(found) = available.iter().find(|l| l.0.eq_ignore_ascii_case(range)) {
            return Some(found.clone());
        }
        range = range.rsplit_once('-')?.0;
        if let Some((rest, last)) = range.rsplit_once('-')
            && last.len() == 1
        {
            range = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn spoken(tags: &[&str]) -> Vec<Language> {
        tags.iter().map(|tag| tag.parse().unwrap()).collect()
    }

    #[test]
    fn the_visitor_is_spoken_to_in_the_language_they_prefer() {
        let table = [
            (None, None, "en"),
            (None, Some(""), "en"),
            (None, Some("de"), "de"),
            (None, Some("de-AT,de;q=0.9,en;q=0.8"), "de-AT"),
            (None, Some("de-CH-1996"), "de"),
            (None, Some("DE-ch"), "de"),
            (None, Some("en;q=0.3, de;q=0.7"), "de"),
            (None, Some("de;q=0, en;q=0.1"), "en"),
            (None, Some("ja, de;q=0.1"), "de"),
            (None, Some("*"), "en"),
            (None, Some("zh-Hant-CN-x-private1"), "zh-Hant"),
            (None, Some("zh-Hant-a-b"), "zh-Hant"),
            (None, Some("de;q=NaN, en"), "en"),
            (None, Some("de;q=7, en;q=0.1"), "en"),
            (None, Some(";;;,,,;q=,-,--de"), "en"),
            (Some("de en"), Some("en"), "de"),
            (Some("ja"), Some("de"), "de"),
            (Some("fr-CA de"), None, "fr"),
            (Some("  "), Some("fr"), "fr"),
        ];
        let available = spoken(&["en", "de", "de-AT", "fr", "zh-Hant"]);
        for (ui_locales, accept, expected) in table {
            let chosen = Language::negotiate(&available, ui_locales, accept);
            assert_eq!(chosen.to_string(), expected, "{ui_locales:?} {accept:?}");
        }
    }

    #[test]
    fn a_wish_without_end_is_read_only_so_far() {
        let available = spoken(&["en", "de"]);
        let late = format!("{},de", "xx,".repeat(5_000));
        assert_eq!(Language::negotiate(&available, None, Some(&late)), Language::ENGLISH);
        let wide = format!("{} de", "ü".repeat(5_000));
        assert_eq!(Language::negotiate(&available, Some(&wide), None), Language::ENGLISH);
        let many = format!("{}de", "xx ".repeat(MAX_RANGES));
        assert_eq!(Language::negotiate(&available, Some(&many), None), Language::ENGLISH);
    }

    #[test]
    fn the_direction_follows_the_script() {
        let directions: Vec<_> = spoken(&["en", "ar", "he", "fa"]).iter().map(Language::direction).collect();
        assert_eq!(directions, ["ltr", "rtl", "rtl", "rtl"]);
    }
}
