//! How a project looks: its name, its logo, and a colour that people can read; and what an application shows.

use std::fmt;
use std::str::FromStr;

use super::page::{About, ImagePath};
use super::{Asset, Href};
use crate::model::application::Application;
use crate::model::project::Project;
use crate::protocol::oauth::params::append;
use crate::protocol::oauth::redirect_uri::WebAddress;
use crate::web::language::Language;

/// Whose pages these are.
#[derive(Clone, Debug)]
pub struct Brand {
    /// The project's id: it names the stylesheet.
    pub project: String,
    pub name: String,
    pub logo: Option<ImagePath>,
    pub accent: Option<Colour>,
    pub support: Option<Href>,
    pub privacy: Option<Href>,
    /// "Use another account" where no login is under way: people sign in for themselves, and are asked as whom.
    pub sign_in: String,
}

/// Where that is, within a project.
const SIGN_IN: &str = "/account/sign-in?another=yes";

impl Brand {
    /// A project that has only a name.
    pub fn named(project: impl Into<String>, name: impl Into<String>) -> Self {
        let (project, name) = (project.into(), name.into());
        let sign_in = SIGN_IN.to_owned();
        Self { project, name, logo: None, accent: None, support: None, privacy: None, sign_in }
    }

    /// The house itself, where nothing is known of a project: whoever was called by another name leaves it by that link.
    pub fn of_house(name: &str, origin: &str) -> Self {
        Self { sign_in: format!("{origin}{SIGN_IN}"), ..Self::named("", name) }
    }

    /// That of a project.
    pub fn of(project: &Project) -> Self {
        let settings = &project.settings.brand;
        let logo = settings.logo_uri.as_ref().map(|_| format!("/assets/logo/{}", project.id));
        Self {
            accent: settings.accent.as_deref().and_then(|text| text.parse().ok()),
            logo: logo.and_then(|path| ImagePath::parse(&path)),
            sign_in: project.path(SIGN_IN),
            ..Self::named(project.id.to_string(), project.brand_name())
        }
    }

    /// Whoever is spoken to in the language that an application has asked for is spoken to in it where they go on, too.
    #[must_use]
    pub fn in_language(self, language: &Language) -> Self {
        Self { sign_in: append(&self.sign_in, [("ui_locales", language.to_string().as_str())]), ..self }
    }

    /// What `/assets/brand/<project>.css` answers: custom properties and nothing else. `None` if the project
    /// keeps the colour of the house.
    pub fn stylesheet(&self) -> Option<Asset> {
        self.accent.map(|accent| Asset::css(properties(accent)))
    }

    /// Where the stylesheet is; the address changes with the colour.
    pub fn stylesheet_path(&self) -> Option<String> {
        let sheet = self.stylesheet()?;
        Some(format!("/assets/brand/{}.css?v={}", self.project, sheet.version()))
    }
}

impl About {
    /// What an application shows that is nobody's but the operator's.
    pub fn of(application: &Application) -> Self {
        let links = &application.settings.client.links;
        let logo = links.logo_uri.as_ref().map(|_| format!("/assets/logo/{}", application.id));
        let link = |uri: &Option<WebAddress>| uri.as_ref().and_then(|uri| Href::parse(uri.as_str()));
        Self {
            logo: logo.and_then(|path| ImagePath::parse(&path)),
            owner: None,
            policy: link(&links.policy_uri),
            terms: link(&links.tos_uri),
        }
    }
}

/// The surfaces of `assets/style.css` that text and buttons stand on, the paper first, and the ink of that
/// scheme.
const LIGHT: Scheme = Scheme { surfaces: [Colour(244, 242, 236), Colour::WHITE], ink: Colour::BLACK };
const DARK: Scheme = Scheme { surfaces: [Colour(18, 21, 26), Colour(35, 40, 49)], ink: Colour::WHITE };
/// WCAG 2.2, success criteria 1.4.3 (text) and 1.4.11 (edges of controls).
const TEXT: f64 = 4.5;
const EDGE: f64 = 3.0;

struct Scheme {
    surfaces: [Colour; 2],
    ink: Colour,
}

fn properties(accent: Colour) -> String {
    format!(
        ":root {{ {} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n",
        LIGHT.properties(accent),
        DARK.properties(accent)
    )
}

impl Scheme {
    fn properties(&self, accent: Colour) -> String {
        let (ink, edge, text) = (accent.best_ink(), self.legible(accent, EDGE), self.legible(accent, TEXT));
        format!(
            "--accent: {accent}; --accent-hover: {}; --accent-edge: {edge}; --on-accent: {ink}; \
             --accent-text: {text}; --halo-behind: {}; --halo-before: {};",
            accent.hovered(),
            self.paper().mixed(text, 4),
            self.paper().mixed(text, 7),
        )
    }

    fn paper(&self) -> Colour {
        self.surfaces[0]
    }

    /// The colour itself if it stands out enough from every surface, or else the nearest mixture with ink
    /// that does.
    fn legible(&self, colour: Colour, ratio: f64) -> Colour {
        let stands_out = |c: &Colour| self.surfaces.iter().all(|s| c.contrast(*s) >= ratio);
        (0..=100).map(|percent| colour.mixed(self.ink, percent)).find(stands_out).unwrap_or(self.ink)
    }
}

/// An opaque colour in sRGB: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(u8, u8, u8);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a colour is written #rgb or #rrggbb")]
pub struct NotAColour;

impl Colour {
    pub const BLACK: Self = Self(0, 0, 0);
    pub const WHITE: Self = Self(255, 255, 255);
    /// `--accent` of `assets/style.css`.
    pub const HOUSE: Self = Self(0x14, 0x70, 0x5d);

    /// Black or white, whichever reads better on this colour: never less than 4.5 to 1.
    pub fn best_ink(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) { Self::WHITE } else { Self::BLACK }
    }

    /// The contrast ratio of WCAG 2.2, 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// This colour with so many hundredths of the other.
    pub fn mixed(self, other: Self, percent: u8) -> Self {
        let share = u32::from(percent.min(100));
        let mix = |a: u8, b: u8| {
            let sum = u32::from(a) * (100 - share) + u32::from(b) * share;
            u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX)
        };
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// A little away from the text on it, so that contrast only grows under the pointer.
    fn hovered(self) -> Self {
        self.mixed(self.best_ink().opposite(), 14)
    }

    fn opposite(self) -> Self {
        if self == Self::WHITE { Self::BLACK } else { Self::WHITE }
    }

    /// The relative luminance of WCAG 2.2, 0 to 1.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }
}

impl FromStr for Colour {
    type Err = NotAColour;
    /// Reads `#rgb` or `#rrggbb` and nothing else that a stylesheet may hold.
    fn from_str(text: &str) -> Result<Self, NotAColour> {
        let digits: Option<Vec<u8>> = text.strip_prefix('#').ok_or(NotAColour)?.bytes().map(hex).collect();
        match digits.ok_or(NotAColour)?.as_slice() {
            [r, g, b] => Ok(Self(r * 17, g * 17, b * 17)),
            [r, s, g, h, b, c] => Ok(Self(r * 16 + s, g * 16 + h, b * 16 + c)),
            _ => Err(NotAColour),
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn every_sort_of_colour() -> impl Iterator<Item = Colour> {
        let steps = || (0..=255).step_by(51);
        steps().flat_map(move |r| steps().flat_map(move |g| steps().map(move |b| Colour(r, g, b))))
    }

    #[test]
    fn any_accent_gives_readable_text_and_visible_buttons() {
        for colour in every_sort_of_colour() {
            for scheme in [&LIGHT, &DARK] {
                for button in [colour, colour.hovered()] {
                    assert!(button.contrast(colour.best_ink()) >= TEXT, "{colour}: {button}");
                }
                for surface in scheme.surfaces {
                    let edge = scheme.legible(colour, EDGE);
                    assert!(edge.contrast(surface) >= EDGE, "{colour}: {edge} on {surface}");
                    let text = scheme.legible(colour, TEXT);
                    assert!(text.contrast(surface) >= TEXT, "{colour}: {text} on {surface}");
                }
            }
        }
    }

    #[test]
    fn a_good_accent_is_left_as_it_is() {
        let indigo: Colour = "#3538cd".parse().unwrap();
        assert_eq!(LIGHT.legible(indigo, TEXT), indigo);
        assert_ne!(DARK.legible(indigo, TEXT), indigo);
    }

    #[test]
    fn the_surfaces_are_those_of_the_stylesheet() {
        let css = include_str!("../../../templates/assets/style.css");
        let (light, dark) = css.split_once("prefers-color-scheme: dark").unwrap();
        for (part, scheme, names) in [(light, LIGHT, ["paper", "card"]), (dark, DARK, ["paper", "well"])] {
            for (surface, name) in scheme.surfaces.iter().zip(names) {
                assert!(part.contains(&format!("--{name}: {surface};")), "--{name} is not {surface}");
            }
        }
        assert!(light.contains(&format!("--accent: {};", Colour::HOUSE)));
    }

    #[test]
    fn h26_a_brand_stylesheet_holds_only_custom_properties() {
        let mut brand = Brand::named("prj_a", "A");
        assert!(brand.stylesheet().is_none());
        brand.accent = Some("#f5c400".parse().unwrap());
        let css = brand.stylesheet().unwrap();
        assert_eq!(
            std::str::from_utf8(&css.bytes).unwrap(),
            ":root { --accent: #f5c400; --accent-hover: #f6cc24; --accent-edge: #a98700; --on-accent: #000000; \
             --accent-text: #846a00; --halo-behind: #f0ede3; --halo-before: #ece8db; }\n\
             @media (prefers-color-scheme: dark) { :root { --accent: #f5c400; --accent-hover: #f6cc24; \
             --accent-edge: #f5c400; --on-accent: #000000; --accent-text: #f5c400; --halo-behind: #1b1c19; --halo-before: #222118; } }\n"
        );
    }

    #[test]
    fn h26_a_colour_is_hexadecimal_or_nothing() {
        assert_eq!("#0Af".parse(), Ok(Colour(0, 170, 255)));
        for text in ["", "red", "#12", "#12345", "#1234567", "#12345g", "#fff;}", "url(x)", "#é12", "＃fff"]
        {
            assert_eq!(text.parse::<Colour>(), Err(NotAColour), "{text}");
        }
    }
}
