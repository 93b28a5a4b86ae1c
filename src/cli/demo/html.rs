//! The forms of our own pages and of the samples', as a visitor without scripts uses them.

use url::Url;

/// One form.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: Url,
    /// Name and value of each field.
    pub fields: Vec<(String, String)>,
    pub buttons: Vec<Button>,
}

#[derive(Clone, Debug)]
pub struct Button {
    pub name: Option<String>,
    pub value: String,
    /// What is written on it.
    pub words: String,
}

/// Every form of the page at `url`, in its order.
pub fn forms(url: &Url, html: &str) -> Vec<Form> {
    html.split("<form").skip(1).filter_map(|piece| form(url, piece.split("</form>").next()?)).collect()
}

/// Reads `method="post" action="…">…`.
fn form(url: &Url, piece: &str) -> Option<Form> {
    let (tag, inside) = piece.split_once('>')?;
    let action = url.join(&attribute(tag, "action")?).ok()?;
    let field = |tag: &str| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()));
    let fields = inside.split("<input").skip(1).filter_map(|piece| field(piece.split('>').next()?)).collect();
    let buttons = inside.split("<button").skip(1).filter_map(button).collect();
    Some(Form { action, fields, buttons })
}

fn button(piece: &str) -> Option<Button> {
    let (tag, rest) = piece.split_once('>')?;
    let words = text(rest.split("</button>").next()?);
    Some(Button { name: attribute(tag, "name"), value: attribute(tag, "value").unwrap_or_default(), words })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescaped(rest.split('"').next()?))
}

/// What a person reads, with single spaces between the words.
pub fn text(html: &str) -> String {
    // Whatever stands before the first tag has no end of a tag.
    let pieces = html.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    let words: Vec<_> = pieces.flat_map(str::split_whitespace).collect();
    unescaped(&words.join(" "))
}

fn unescaped(html: &str) -> String {
    let signs =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&#x2f;", "/")];
    let text = signs.iter().fold(html.to_owned(), |text, (entity, sign)| text.replace(entity, sign));
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_form_is_read_with_its_fields_and_what_is_written_on_its_buttons() {
        let page = r#"<main>Hello<form method="post" action="&#x2f;next?a=1&amp;b=2"><input type="hidden" name="csrf"
            value="x"><button name="choice" value="1"><b>My</b> <i>Corporation</i></button></form><form action="/b">"#;
        let forms = forms(&"http://127.0.0.1:1/login".parse().unwrap(), page);
        assert_eq!(forms.len(), 2);
        assert_eq!(forms[0].action.as_str(), "http://127.0.0.1:1/next?a=1&b=2");
        assert_eq!(forms[0].fields, [("csrf".to_owned(), "x".to_owned())]);
        assert_eq!(
            (forms[0].buttons[0].value.as_str(), forms[0].buttons[0].words.as_str()),
            ("1", "My Corporation")
        );
    }
}
