//! Texts that people write and others read.

use url::Url;

/// Characters that turn the direction of a text, and so show another one than is there (threats H26).
fn turns(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line for people: at most `most` characters, and none that is invisible, breaks the line or turns its direction.
pub fn is_line(text: &str, most: usize) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= most
        && !text.chars().any(|character| character.is_control() || turns(character))
}

/// The same of a text that may have several lines.
pub fn is_text(text: &str, most: usize) -> bool {
    let bad = |character: char| (character.is_control() && character != '\n') || turns(character);
    text.chars().count() <= most && !text.chars().any(bad)
}

/// An `https` address of at most 2048 visible ASCII characters, without user, password or fragment.
pub fn is_https_url(text: &str) -> bool {
    let bare = |url: &Url| url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    text.len() <= 2_048
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host() && bare(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_no_line() {
        assert!(is_line("My Corporation, Inc.", 200) && is_line("株式会社", 4));
        for bad in ["", "  ", "a\nb", "a\u{202e}b", "a\0", "abcde"] {
            assert!(!is_line(bad, 4), "{bad:?}");
        }
        assert!(is_text("a\nb", 3) && is_text("", 1) && !is_text("a\u{1b}[2J", 100));
    }

    #[test]
    fn s2_32_an_address_of_a_logo_is_https_and_nothing_else() {
        assert!(is_https_url("https://cdn.a.test/logo.png?x=1"));
        for bad in [
            "",
            "http://a.test/",
            "javascript:alert(1)",
            "data:image/png;base64,AA",
            "https://u:p@a.test/",
            "https://a b/",
        ] {
            assert!(!is_https_url(bad), "{bad}");
        }
        assert!(!is_https_url(&format!("https://a.test/{}", "a".repeat(2_048))));
    }
}
