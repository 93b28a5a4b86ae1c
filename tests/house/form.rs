//! The forms of a page, as far as our own pages and those of the counterparts need it.

use url::Url;

/// One form, with what it would send if nothing were typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub action: Url,
    /// `get` or `post`.
    pub method: String,
    /// Name and value of every field but the buttons.
    pub fields: Vec<(String, String)>,
    /// Name and value of every button that has a name.
    pub buttons: Vec<(String, String)>,
}

impl Form {
    /// The same form with a field typed into, or a button pressed.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// Every form of a page that was found at `url`.
pub fn forms(url: &Url, html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut inside = false;
    for tag in tags(html) {
        match tag.name.as_str() {
            "form" => {
                let action = tag.attribute("action").filter(|action| !action.is_empty());
                let action = action.map_or_else(|| url.clone(), |action| url.join(&action).unwrap());
                let method = tag.attribute("method").unwrap_or_else(|| "get".to_owned()).to_ascii_lowercase();
                forms.push(Form { action, method, fields: Vec::new(), buttons: Vec::new() });
                inside = true;
            }
            "/form" => inside = false,
            _ if inside => add_control(forms.last_mut().unwrap(), &tag),
            _ => {}
        }
    }
    forms
}

fn add_control(form: &mut Form, tag: &Tag) {
    let Some(name) = tag.attribute("name") else { return };
    let value = tag.attribute("value");
    let kind = tag.attribute("type").unwrap_or_default();
    match (tag.name.as_str(), kind.as_str()) {
        ("button", _) | ("input", "submit" | "image") => form.buttons.push((name, value.unwrap_or_default())),
        ("input", "checkbox" | "radio") if tag.attribute("checked").is_none() => {}
        ("input", "checkbox" | "radio") => form.fields.push((name, value.unwrap_or_else(|| "on".to_owned()))),
        ("input", _) => form.fields.push((name, value.unwrap_or_default())),
        ("textarea", _) => form.fields.push((name, text(&tag.following))),
        _ => {}
    }
}

/// What a page is built of: the name of every tag, and the names of its attributes.
pub fn skeleton(html: &str) -> Vec<(String, Vec<String>)> {
    let names = |tag: Tag| (tag.name, tag.attributes.into_iter().map(|(name, _)| name).collect());
    tags(html).into_iter().map(names).collect()
}

/// All that a page says to whoever sees or hears it: every text, and what the attributes say that are read out or shown.
pub fn words(html: &str) -> Vec<String> {
    let mut words = Vec::new();
    for tag in tags(html).iter().filter(|tag| !matches!(tag.name.as_str(), "script" | "style")) {
        for name in ["alt", "aria-label", "placeholder", "title", "value"] {
            // What a hidden field holds is sent, and not seen.
            let is_hidden = name == "value" && tag.attribute("type").as_deref() == Some("hidden");
            words.extend(tag.attribute(name).filter(|_| !is_hidden));
        }
        words.push(text(&tag.following));
    }
    let one_space = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.into_iter().map(one_space).filter(|text| !text.is_empty()).collect()
}

/// A start or end tag, and the text up to the next one.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    following: String,
}

impl Tag {
    fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(attribute, _)| attribute == name).map(|(_, value)| text(value))
    }
}

fn tags(html: &str) -> Vec<Tag> {
    html.split('<').skip(1).filter(|piece| !piece.starts_with('!')).filter_map(tag).collect()
}

/// Reads `input name="a" value='b' checked>following`.
fn tag(piece: &str) -> Option<Tag> {
    let end = piece.find(|sign: char| sign.is_whitespace() || sign == '>')?;
    let (name, mut rest) = piece.split_at(end);
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|sign: char| sign.is_whitespace() || sign == '/');
        if let Some(following) = rest.strip_prefix('>') {
            return Some(Tag {
                name: name.to_ascii_lowercase(),
                attributes,
                following: following.to_owned(),
            });
        }
        let end = rest.find(|sign: char| sign.is_whitespace() || "=>/".contains(sign))?;
        let attribute = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            (value, rest) = quoted(after.trim_start())?;
        }
        attributes.push((attribute, value.to_owned()));
    }
}

/// Splits an attribute's value, quoted or not, from what comes after it.
fn quoted(rest: &str) -> Option<(&str, &str)> {
    match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].split_once(quote),
        _ => Some(rest.split_at(rest.find(|sign: char| sign.is_whitespace() || sign == '>')?)),
    }
}

/// Replaces the character references that a template engine writes.
fn text(html: &str) -> String {
    let mut pieces = html.split('&');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once(';').and_then(|(name, rest)| Some((character(name)?, rest))) {
            Some((sign, rest)) => text.extend([sign.to_string().as_str(), rest]),
            None => text.extend(["&", piece]),
        }
    }
    text
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_its_hidden_fields_and_buttons() {
        let page = r#"<!doctype html><form method=POST action="/next?a=1&amp;b=2">
            <input type="hidden" name="token" value="&lt;x&#x2f;&#39;&gt;"><input name='email'
            autofocus> <input type=checkbox name=stay><input type=checkbox name=keep checked>
            <textarea name="note">a &amp; b</textarea>
            <button name="go" value="yes">Go</button></form><input name="outside">"#;
        let here: Url = "http://127.0.0.1:1/login".parse().unwrap();
        let forms = forms(&here, page);
        let [form] = forms.as_slice() else { panic!("{forms:?}") };
        assert_eq!(form.action.as_str(), "http://127.0.0.1:1/next?a=1&b=2");
        assert_eq!(form.method, "post");
        let fields: Vec<_> =
            form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, [("token", "<x/'>"), ("email", ""), ("keep", "on"), ("note", "a & b")]);
        assert_eq!(form.buttons, [("go".to_owned(), "yes".to_owned())]);
        assert_eq!(form.clone().with("email", "ann@a.test").value("email"), Some("ann@a.test"));
    }
}
