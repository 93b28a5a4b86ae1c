//! What stands in for an organization's logo.

use super::Asset;

/// The first letters of the first two words. Letters and digits alone, so that nothing needs to be escaped.
pub(super) fn monogram(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let letters: String = words.take(2).filter_map(|word| word.chars().next()).collect();
    if letters.is_empty() { "·".to_owned() } else { letters.to_uppercase() }
}

/// One of the stylesheet's six hues, always the same for the same name.
pub(super) fn hue(name: &str) -> usize {
    name.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) as usize
        % HUES.len()
}

/// Background and ink of each hue in light, then in dark: those of `assets/style.css`.
const HUES: [[&str; 4]; 6] = [
    ["#d9ece6", "#10493d", "#1f4a40", "#c4f0e3"],
    ["#dfe6f7", "#22396f", "#2a3b66", "#d3dffc"],
    ["#f5e3d3", "#693611", "#573518", "#fbdfc6"],
    ["#eee0f2", "#54266a", "#482a57", "#efd8f8"],
    ["#f6dfe2", "#731f31", "#592430", "#fcd6dc"],
    ["#ecead0", "#494510", "#434016", "#f0ecbe"],
];

/// The monogram as a picture that looks like the tile of the stylesheet, for where a page expects one.
pub fn drawn(name: &str) -> Asset {
    let [paper, ink, dark_paper, dark_ink] = HUES[hue(name)];
    let letters = monogram(name);
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 48 48\" width=\"48\" height=\"48\">\
         <style>@media (prefers-color-scheme: dark) {{ rect {{ fill: {dark_paper} }} text {{ fill: {dark_ink} }} }}</style>\
         <rect width=\"48\" height=\"48\" fill=\"{paper}\"/>\
         <text x=\"24\" y=\"24\" dy=\".36em\" text-anchor=\"middle\" fill=\"{ink}\" font-size=\"17\" font-weight=\"650\" \
         font-family=\"system-ui, sans-serif\">{letters}</text></svg>\n"
    );
    Asset::new(svg.into_bytes(), "image/svg+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monogram_is_two_letters_at_most() {
        let table =
            [("Acme", "A"), ("my corporation", "MC"), ("Ölwerk & Söhne AG", "ÖS"), ("", "·"), ("<>", "·")];
        for (name, letters) in table {
            assert_eq!(monogram(name), letters);
        }
    }

    #[test]
    fn the_hues_are_those_of_the_stylesheet() {
        let css = include_str!("../../../templates/assets/style.css");
        for (number, [paper, ink, dark_paper, dark_ink]) in HUES.iter().enumerate() {
            for (paper, ink) in [(paper, ink), (dark_paper, dark_ink)] {
                let line = format!(".hue-{number} {{ background: {paper}; color: {ink}; }}");
                assert!(css.contains(&line), "{line}");
            }
        }
    }

    #[test]
    fn h26_a_drawn_monogram_says_nothing_but_letters() {
        for name in ["<script>alert(1)</script> \"x\"", "&lt; 'y'", "\u{202e}a\u{0} b", "]]> c"] {
            let drawn = drawn(name);
            let text = String::from_utf8_lossy(&drawn.bytes).into_owned();
            let (_, said) = text.split_once("sans-serif\">").unwrap_or_default();
            let letters = said.strip_suffix("</text></svg>\n").unwrap_or_default();
            assert!(!letters.is_empty() && letters.chars().all(char::is_alphanumeric), "{text}");
        }
    }
}
