//! Where messages stand in what browsers show, record and copy: pages with forms, HAR exports, commands.

use serde_json::Value;

/// One part of a query or of the body of a form: names and values as they would be sent.
pub type Found = String;

/// Of a field of a form.
const MOST_ATTRIBUTES: usize = 32;
const FIELDS: [&str; 2] = ["SAMLResponse", "SAMLRequest"];

/// The form in a page that carries a message.
pub fn in_page(page: &str) -> Option<Found> {
    let fields: Vec<_> = inputs(page).filter(|(name, _)| is_of_saml(name)).collect();
    let has_message = fields.iter().any(|(name, _)| FIELDS.contains(&name.as_str()));
    let mut body = form_urlencoded::Serializer::new(String::new());
    has_message.then(|| body.extend_pairs(fields).finish())
}

fn is_of_saml(name: &str) -> bool {
    FIELDS.contains(&name) || ["RelayState", "SigAlg", "Signature"].contains(&name)
}

/// Whether it is a page and not a message.
pub fn is_page(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(200).collect::<String>().to_ascii_lowercase();
    start.starts_with("<!doctype html")
        || ["<html", "<body", "<form", "<input"].iter().any(|tag| start.contains(tag))
}

/// Name and value of every field of a form.
fn inputs(page: &str) -> impl Iterator<Item = (String, String)> {
    let starts = page.match_indices('<').map(|(at, _)| &page[at + 1..]);
    let inputs = starts.filter(|rest| rest.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("input")));
    inputs.filter_map(|rest| {
        let attributes = attributes(&rest[5..]);
        let value =
            |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        Some((value("name")?, value("value").unwrap_or_default()))
    })
}

/// The attributes of a tag, whose name was read.
fn attributes(mut rest: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        // Where another tag begins this one is over, so that each is read once.
        let end = rest.find(|c: char| c.is_whitespace() || "=/<>".contains(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() || found.len() == MOST_ATTRIBUTES {
            return found;
        }
        let (value, after) = match after.trim_start().strip_prefix('=') {
            Some(after) => value(after.trim_start()),
            None => ("", after),
        };
        found.push((name.to_ascii_lowercase(), unescaped(value)));
        rest = after;
    }
}

fn value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(rest) = text.strip_prefix(quote) {
            return rest.split_once(quote).unwrap_or((rest, ""));
        }
    }
    text.split_at(text.find(|c: char| c.is_whitespace() || "<>".contains(c)).unwrap_or(text.len()))
}

/// Without the character references that base64 and addresses are written with.
fn unescaped(text: &str) -> String {
    let mut pieces = text.split('&');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once(';').and_then(|(name, rest)| Some((referred(name)?, rest))) {
            Some((character, rest)) => {
                plain.push(character);
                plain.push_str(rest);
            }
            None => {
                plain.push('&');
                plain.push_str(piece);
            }
        }
    }
    plain
}

fn referred(name: &str) -> Option<char> {
    let number = |text: &str, radix| char::from_u32(u32::from_str_radix(text, radix).ok()?);
    match name {
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "plus" => Some('+'),
        "sol" => Some('/'),
        "equals" => Some('='),
        "NewLine" => Some('\n'),
        other => match other.strip_prefix('#')?.strip_prefix(['x', 'X']) {
            Some(digits) => number(digits, 16),
            None => number(&other[1..], 10),
        },
    }
}

/// Of what a browser has recorded (HTTP Archive): the last answer, or else the last request.
pub fn in_recording(text: &str) -> Option<Result<Found, &'static str>> {
    let recording: Value = serde_json::from_str(text).ok()?;
    let entries = recording.get("log")?.get("entries")?.as_array()?;
    let newest = || entries.iter().rev();
    let sent = |field: &'static str| newest().find_map(move |entry| of_entry(entry, field));
    let shown =
        || newest().filter_map(|entry| entry["response"]["content"]["text"].as_str()).find_map(in_page);
    let found = FIELDS.into_iter().find_map(sent).or_else(shown);
    Some(found.ok_or("no request in it carries a SAMLResponse or a SAMLRequest"))
}

fn of_entry(entry: &Value, field: &str) -> Option<Found> {
    let request = &entry["request"];
    let carries =
        |text: &&str| text.split('&').any(|pair| pair.split_once('=').is_some_and(|(name, _)| name == field));
    let body = request["postData"]["text"].as_str().filter(carries).map(str::to_owned);
    let query = || Some(request["url"].as_str()?.split_once('?')?.1).filter(carries).map(str::to_owned);
    body.or_else(|| of_params(&request["postData"]["params"], field)).or_else(query)
}

/// Fields that were recorded one by one, encoded or not.
fn of_params(params: &Value, field: &str) -> Option<Found> {
    let pairs = params
        .as_array()?
        .iter()
        .filter_map(|param| Some((param["name"].as_str()?, param["value"].as_str()?)));
    let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", value.replace('&', "%26"))).collect();
    pairs.iter().any(|pair| pair.starts_with(&format!("{field}="))).then(|| pairs.join("&"))
}

/// Of anything else that was copied, as of a command that repeats a request: the word that carries a message.
pub fn in_words(text: &str) -> Option<&str> {
    let words = text.split(|c: char| c.is_whitespace() || "'\"`<>".contains(c));
    let mut words = words.map(|word| word.split_once('?').map_or(word, |(_, query)| query));
    let carries = |word: &&str| {
        word.split('&').any(|pair| {
            pair.split_once('=').is_some_and(|(name, value)| FIELDS.contains(&name) && !value.is_empty())
        })
    };
    words.rfind(carries)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_gives_the_form_that_a_browser_would_send() {
        for page in [
            r#"<!DOCTYPE html><html><body><form method="post" action="https://a.test/acs">
               <input type="hidden" name="SAMLResponse" value="PGE&#x2b;&#43;Pg&#x3d;="/>
               <input type='hidden' name='RelayState' value='a&amp;b'><input type=submit></form></body></html>"#,
            "<INPUT VALUE=\"PGE&plus;+Pg=&equals;\" NAME=SAMLResponse><input name=RelayState value=a&b>",
        ] {
            assert!(is_page(page));
            assert_eq!(in_page(page).unwrap(), "SAMLResponse=PGE%2B%2BPg%3D%3D&RelayState=a%26b".to_owned())
        }
        assert!(in_page("<html><input name=user value=SAMLResponse></html>").is_none());
        for text in ["<samlp:Response/>", "<a><b/></a>", "PGE="] {
            assert!(!is_page(text), "{text}");
        }
        for odd in [
            "<input",
            "<input name",
            "<input name=",
            "<input name='SAMLResponse",
            "<input value=\"",
            "<inputé",
            "<input &#xffffffff;=&#x;",
        ] {
            in_page(odd);
        }
        // Each tag is read up to the next one: a page of nothing but tags is read once.
        assert!(attributes(" <input name=x").is_empty());
        assert_eq!(attributes("/a=<input/a=<input"), [("a".to_owned(), String::new())]);
        assert_eq!(attributes(" a<input"), [("a".to_owned(), String::new())]);
        assert_eq!(attributes(&" a=b".repeat(99)).len(), MOST_ATTRIBUTES);
    }

    #[test]
    fn the_last_answer_of_a_recording_counts() {
        let entry = |request: Value| json!({"request": request, "response": {"content": {}}});
        let recorded = |entries: Vec<Value>| in_recording(&json!({"log": {"entries": entries}}).to_string());
        let by_text = entry(
            json!({"url": "https://a.test/acs", "postData": {"text": "SAMLResponse=one&RelayState=s"}}),
        );
        let fields = json!([{"name": "SAMLResponse", "value": "two"}, {"name": "RelayState", "value": "s"}]);
        let by_fields = entry(json!({"url": "https://a.test/acs", "postData": {"params": fields}}));
        let asked = entry(json!({"url": "https://a.test/sso?SAMLRequest=three"}));
        let found = |entries: Vec<Value>| recorded(entries).unwrap().unwrap();
        assert_eq!(found(vec![by_text.clone(), asked.clone()]), "SAMLResponse=one&RelayState=s");
        assert_eq!(found(vec![by_text, by_fields]), "SAMLResponse=two&RelayState=s");
        assert_eq!(found(vec![asked]), "SAMLRequest=three");
        let page = json!({"request": {"url": "https://a.test/"}, "response": {"content": {"text": "<form><input name=SAMLResponse value=four></form>"}}});
        assert_eq!(found(vec![page]), "SAMLResponse=four");
        assert!(recorded(vec![]).unwrap().is_err());
        assert!(in_recording("{}").is_none() && in_recording("PGE=").is_none());
    }

    #[test]
    fn a_command_gives_what_it_sends() {
        let command = "curl 'https://a.test/acs?x=y' -H 'a: b' --data-raw 'RelayState=s&SAMLResponse=PGE%3D' --compressed";
        assert_eq!(in_words(command), Some("RelayState=s&SAMLResponse=PGE%3D"));
        assert_eq!(in_words("see https://a.test/sso?x=y&SAMLRequest=z there"), Some("x=y&SAMLRequest=z"));
        assert_eq!(in_words("SAMLResponse="), None);
    }
}
