//! Roughly which browser somebody uses: as much as its owner needs to tell it from their others, and nothing by which
//! anybody else could.

use std::fmt;

use super::words;

words! {
    /// Whose it is, as far as we tell.
    Family {
        Edge = "edge",
        Opera = "opera",
        Firefox = "firefox",
        Chrome = "chrome",
        Safari = "safari",
        Other = "other",
    }
}

words! {
    /// What it runs on.
    System {
        Windows = "windows",
        Android = "android",
        Ios = "ios",
        MacOs = "macos",
        Linux = "linux",
        Other = "other",
    }
}

/// A browser, by two words out of a few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Browser {
    pub family: Family,
    pub system: System,
}

/// What a `User-Agent` holds (RFC 9110, section 10.1.5). They claim to be each other: the first that fits counts.
const FAMILIES: [(&str, Family); 9] = [
    ("Edg", Family::Edge),
    ("OPR/", Family::Opera),
    ("Firefox/", Family::Firefox),
    ("FxiOS/", Family::Firefox),
    ("CriOS/", Family::Chrome),
    ("Chromium/", Family::Chrome),
    ("Chrome/", Family::Chrome),
    ("Version/", Family::Safari),
    ("Safari/", Family::Safari),
];

const SYSTEMS: [(&str, System); 7] = [
    ("Windows", System::Windows),
    ("Android", System::Android),
    ("iPhone", System::Ios),
    ("iPad", System::Ios),
    ("Macintosh", System::MacOs),
    ("Linux", System::Linux),
    ("X11", System::Linux),
];

impl Browser {
    /// What a `User-Agent` says; none of it is kept but the two words.
    pub fn of(user_agent: &str) -> Self {
        let holds = |part: &str| user_agent.contains(part);
        let family = FAMILIES.iter().find(|(part, _)| holds(part)).map_or(Family::Other, |(_, one)| *one);
        let system = SYSTEMS.iter().find(|(part, _)| holds(part)).map_or(System::Other, |(_, one)| *one);
        Self { family, system }
    }

    /// The same again from what it was written as; nothing for what is none.
    pub fn read(text: &str) -> Option<Self> {
        let (family, system) = text.split_once(' ')?;
        Some(Self { family: Family::from_word(family)?, system: System::from_word(system)? })
    }
}

/// `firefox linux`
impl fmt::Display for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family.word(), self.system.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_told_by_two_words_whatever_else_it_says_to_be() {
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)";
        let table = [
            (format!("{windows} Chrome/137.0.0.0 Safari/537.36"), "chrome windows"),
            (format!("{windows} Chrome/137.0.0.0 Safari/537.36 Edg/137.0"), "edge windows"),
            (format!("{windows} Chrome/137.0.0.0 Safari/537.36 OPR/119.0"), "opera windows"),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
                "firefox linux",
            ),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X) Version/18.5 Safari/605.1.15".into(), "safari macos"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS like Mac OS X) CriOS/137 Safari/604.1".into(), "chrome ios"),
            ("Mozilla/5.0 (Linux; Android 15) Chrome/137.0 Mobile Safari/537.36".into(), "chrome android"),
            ("curl/8".into(), "other other"),
            (String::new(), "other other"),
        ];
        for (said, expected) in table {
            let browser = Browser::of(&said);
            assert_eq!(browser.to_string(), expected, "{said}");
            assert_eq!(Browser::read(expected), Some(browser));
        }
        for text in ["", "firefox", "firefox beos", "lynx linux", "firefox linux x"] {
            assert_eq!(Browser::read(text), None, "{text}");
        }
    }
}
