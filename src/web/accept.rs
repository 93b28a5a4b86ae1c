//! What a visitor would rather have, as the fields `Accept` and `Accept-Language` weigh it (RFC 9110, section 12.4.2).

use std::cmp::Reverse;

use axum::http::{HeaderMap, header};

/// At most this many bytes of a visitor's wish are read, and at most this many ranges.
const MAX_BYTES: usize = 1024;
pub(super) const MAX_RANGES: usize = 16;

/// As much of a wish as is read.
pub(super) fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_BYTES)]
}

/// The ranges of a field, heaviest first; those of weight zero are left out, and so is what is malformed.
pub fn by_weight(field: &str) -> Vec<&str> {
    let mut weighted: Vec<_> = ranges(field).filter(|(weight, _)| *weight > 0).collect();
    weighted.sort_by_key(|(weight, _)| Reverse(*weight));
    weighted.into_iter().map(|(_, range)| range).collect()
}

/// Each range with its weight in thousandths, as they stand.
fn ranges(field: &str) -> impl Iterator<Item = (u32, &str)> {
    bounded(field).split(',').take(MAX_RANGES).filter_map(weighted)
}

/// `de-AT;q=0.8` as its weight and its range. Of other parameters nothing is known here that would tell ranges apart.
fn weighted(text: &str) -> Option<(u32, &str)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let is_weight = |name: &str| name.trim().eq_ignore_ascii_case("q");
    let weight = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| is_weight(name));
    Some((weight.map_or(Some(1000), |(_, text)| thousandths(text.trim()))?, range))
}

fn thousandths(text: &str) -> Option<u32> {
    let weight: f32 = text.parse().ok()?;
    // The range also refuses what is not a number; the cast cannot lose anything that counts.
    (0.0..=1.0).contains(&weight).then_some((weight * 1000.0).round() as u32)
}

/// The media types that a visitor reads.
#[derive(Debug)]
pub struct Accepted(String);

impl Accepted {
    pub fn of(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        Self(fields.collect::<Vec<_>>().join(",").to_ascii_lowercase())
    }

    /// The weight of what is asked for by a name that is one of these: nothing for what is not, nor by any wildcard.
    pub fn named(&self, is_one: impl Fn(&str) -> bool) -> u32 {
        let named = ranges(&self.0).filter(|(_, range)| is_one(range));
        named.map(|(weight, _)| weight).max().unwrap_or_default()
    }

    /// The weight of a media type: by the most special range that it is of (section 12.5.1). Who says nothing reads all.
    pub fn weight(&self, kind: &str) -> u32 {
        let of_type = format!("{}/*", kind.split('/').next().unwrap_or_default());
        let mut found = [kind, &of_type, "*/*"].into_iter().filter_map(|wanted| {
            ranges(&self.0).filter(|(_, range)| *range == wanted).map(|(weight, _)| weight).max()
        });
        found.next().unwrap_or(if self.0.trim().is_empty() { 1000 } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::http::HeaderValue;

    use super::*;

    fn accepted(fields: &[&'static str]) -> Accepted {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::ACCEPT, HeaderValue::from_static(field));
        }
        Accepted::of(&headers)
    }

    #[test]
    fn a_media_type_weighs_what_the_most_special_range_says() {
        let browser = accepted(&["text/html,application/xml;q=0.9", "image/*;q=0.25 , */*;q=0.8"]);
        for (kind, weight) in
            [("text/html", 1000), ("application/xml", 900), ("image/png", 250), ("application/json", 800)]
        {
            assert_eq!(browser.weight(kind), weight, "{kind}");
        }
        let picky = accepted(&["text/*, TEXT/HTML ;level=1; Q = 0.000, a/b;q=2, c/d;q=x, e/f;q=NaN"]);
        for (kind, weight) in [("text/html", 0), ("text/plain", 1000), ("a/b", 0), ("c/d", 0), ("e/f", 0)] {
            assert_eq!(picky.weight(kind), weight, "{kind}");
        }
        assert_eq!((accepted(&[]).weight("text/html"), accepted(&[" "]).weight("text/html")), (1000, 1000));
    }

    #[test]
    fn what_is_asked_for_by_name_is_no_wildcard() {
        let names = |kind: &str| kind == "text/html";
        for (field, weight) in
            [("*/*", 0), ("text/*", 0), ("text/html;q=0", 0), ("text/html;q=0.1, text/html", 1000), ("", 0)]
        {
            assert_eq!(accepted(&[field]).named(names), weight, "{field}");
        }
        let late = format!("{}text/html", "a/b,".repeat(MAX_RANGES));
        assert_eq!(Accepted(late).named(names), 0, "only so much is read");
    }
}
