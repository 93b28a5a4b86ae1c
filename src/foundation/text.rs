//! Texts that people write and others read.

use url::Url;

use super::domain_name;

/// Characters that nobody sees, that break a line or turn its direction, and so show another text than is there
/// (threats H26).
fn deceives(character: char) -> bool {
    matches!(
        character,
        '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Characters that have their place in a text, and leave nothing to see where there are no others.
fn is_blank(character: char) -> bool {
    let fillers =
        ['\u{ad}', '\u{34f}', '\u{115f}', '\u{1160}', '\u{180e}', '\u{2800}', '\u{3164}', '\u{ffa0}'];
    character.is_whitespace() || fillers.contains(&character) || matches!(character, '\u{fe00}'..='\u{fe0f}')
}

/// One line for people: at most `most` characters, something to see, and none that is invisible, breaks the line or
/// turns its direction.
pub fn is_line(text: &str, most: usize) -> bool {
    !text.chars().all(is_blank)
        && text.chars().count() <= most
        && !text.chars().any(|character| character.is_control() || deceives(character))
}

/// What somebody else wrote, as such a line: without what is none, and no longer. Nothing, where there is nothing to see.
pub fn as_line(text: &str, most: usize) -> Option<String> {
    let plain = text.chars().filter(|character| !character.is_control() && !deceives(*character));
    let line: String = plain.take(most).collect();
    if line.chars().all(is_blank) { None } else { Some(line) }
}

/// The same of a text that may have several lines.
pub fn is_text(text: &str, most: usize) -> bool {
    let bad = |character: char| (character.is_control() && character != '\n') || deceives(character);
    text.chars().count() <= most && !text.chars().any(bad)
}

/// A GUID as Microsoft writes it, in its one spelling.
pub fn guid(text: &str) -> Option<String> {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    let hex = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    (parts == [8, 4, 4, 4, 12] && hex).then(|| text.to_ascii_lowercase())
}

/// Whether a name can be taken for another one: letters of several alphabets in one word, or letters of another alphabet
/// that look like Latin ones (threats M20).
pub fn is_mistakable(name: &str) -> bool {
    domain_name::is_mistakable(name)
}

/// An `https` address of at most 2048 visible ASCII characters, at a name and not at a number, without user, password or
/// fragment (threats C27).
pub fn is_https_url(text: &str) -> bool {
    let bare = |url: &Url| url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    text.len() <= 2_048
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.domain().is_some() && bare(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h26_what_cannot_be_seen_is_no_line() {
        assert!(is_line("My Corporation, Inc.", 200) && is_line("株式会社", 4));
        for bad in ["", "  ", "a\nb", "a\u{202e}b", "a\0", "abcde"] {
            assert!(!is_line(bad, 4), "{bad:?}");
        }
        for hidden in
            "\u{61c}\u{200b}\u{200d}\u{2028}\u{2029}\u{202a}\u{2060}\u{2069}\u{feff}\u{e0041}".chars()
        {
            let text = format!("a{hidden}b");
            assert!(!is_line(&text, 9) && !is_text(&text, 9), "{text:?}");
        }
        assert_eq!(as_line("a\u{202e}gpj\u{feff}\n.exe", 9).as_deref(), Some("agpj.exe"));
        assert_eq!(
            (as_line("株式会社", 2).as_deref(), as_line("\u{202e} \u{3164}", 9)),
            (Some("株式"), None)
        );
        for blank in ["\u{3164}", "\u{a0}\u{2800}", "\u{ad}"] {
            assert!(!is_line(blank, 9) && is_line(&format!("a{blank}b"), 9), "{blank:?}");
        }
        assert!(is_text("a\nb", 3) && is_text("", 1) && !is_text("a\u{1b}[2J", 100));
    }

    #[test]
    fn m20_a_name_is_mistakable_where_its_letters_are_not_what_they_look_like() {
        for name in [
            "Acme, Inc.",
            "Müller & Söhne",
            "Yıldız",
            "ООО Ромашка",
            "株式会社トヨタ",
            "Acme 株式会社",
            "Ромашка GmbH",
            "Ω 3",
            "🙂",
            "",
        ] {
            assert!(!is_mistakable(name), "{name}");
        }
        for name in ["Pаypal", "раураl", "АСЕ", "АСЕ Inc.", "Αpple Store", "Müllеr"] {
            assert!(is_mistakable(name), "{name}");
        }
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
            "https://192.0.2.1/logo.png",
            "https://0x7f000001/",
            "https://[2001:db8::1]/logo.png",
        ] {
            assert!(!is_https_url(bad), "{bad}");
        }
        assert!(!is_https_url(&format!("https://a.test/{}", "a".repeat(2_048))));
    }
}
