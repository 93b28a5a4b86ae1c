//! What cannot be read as XML, as far as its tags show: for the administrator who is told the byte at which it went wrong.
//! Nothing is believed by this.

/// Longest name that is shown.
const LONGEST: usize = 64;

/// Markup that is no tag: how it begins, how it ends, what it is called.
const OTHERS: [(&str, &str, &str); 4] = [
    ("<!--", "-->", "comment"),
    ("<![CDATA[", "]]>", "CDATA section"),
    ("<?", "?>", "processing instruction"),
    ("<!", ">", "declaration"),
];

/// The names of elements and attributes in their order; of everything else the length alone.
pub fn outline(xml: &[u8]) -> String {
    let text = String::from_utf8_lossy(xml);
    let (mut rest, mut shown) = (text.as_ref(), String::new());
    while let Some(start) = rest.find('<') {
        shown.push_str(&hidden(&rest[..start]));
        rest = &rest[start..];
        let length = match OTHERS.iter().find(|(opens, ..)| rest.starts_with(opens)) {
            Some((_, closes, called)) => {
                let length = rest.find(closes).map_or(rest.len(), |at| at + closes.len());
                shown.push_str(&format!("[{called} of {length} bytes]"));
                length
            }
            None => {
                let length = tag_length(rest);
                match rest[..length].strip_suffix('>') {
                    Some(tag) => shown.push_str(&tag_shown(&tag[1..])),
                    None => shown.push_str(&format!("[a tag that does not end, {length} bytes]")),
                }
                length
            }
        };
        shown.push('\n');
        rest = &rest[length..];
    }
    shown.push_str(&hidden(rest));
    shown
}

/// Up to its `>`, which is none within quotes.
fn tag_length(text: &str) -> usize {
    let mut quote = None;
    for (at, one) in text.char_indices() {
        match (quote, one) {
            (None, '>') => return at + 1,
            (None, '"' | '\'') => quote = Some(one),
            (Some(open), _) if open == one => quote = None,
            _ => {}
        }
    }
    text.len()
}

fn tag_shown(tag: &str) -> String {
    let (slash, tag) = match tag.strip_prefix('/') {
        Some(tag) => ("/", tag),
        None => ("", tag),
    };
    let end = tag.find(|one: char| one.is_whitespace() || one == '/').unwrap_or(tag.len());
    let (called, mut rest) = tag.split_at(end);
    let mut shown = format!("<{slash}{}", name(called));
    while let Some((called, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let Some(quote) = after.chars().next().filter(|one| matches!(one, '"' | '\'')) else { break };
        let Some((value, more)) = after[1..].split_once(quote) else { break };
        shown.push_str(&format!(" {}=\"{}\"", name(called.trim()), hidden(value)));
        rest = more;
    }
    shown + ">"
}

/// As it is, if it is one.
fn name(text: &str) -> &str {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    if (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits) { text } else { "?" }
}

fn hidden(text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        text => format!("[{} characters]", text.chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m09_of_what_cannot_be_read_the_tags_are_told_and_nobody() {
        let xml = "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY ann \"Ann\">]>\n<samlp:Response ID='a>b' x=\"Ann\">\
                   <saml:NameID>ann@a.test<!--.evil.test--></saml:NameID ><ann@a.test/><Open Name=\"Ann";
        assert_eq!(
            outline(xml.as_bytes()),
            "[processing instruction of 21 bytes]\n[declaration of 32 bytes]\n[2 characters]\
             <samlp:Response ID=\"[3 characters]\" x=\"[3 characters]\">\n<saml:NameID>\n[10 characters]\
             [comment of 17 bytes]\n</saml:NameID>\n<?>\n[a tag that does not end, 15 bytes]\n"
        );
        assert_eq!(outline(b"ann \xff\0"), "[6 characters]");
        assert_eq!(outline(b""), "");
    }
}
